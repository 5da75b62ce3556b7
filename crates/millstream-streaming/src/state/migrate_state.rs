//! `migrate_state`: states of an older type become those of a newer one.

use std::any::{Any, TypeId};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millstream_core::Data;
use millstream_core::operator::Operator;

use super::blocks;
use super::fingerprint::{Fingerprint, shape};
use crate::context::StreamingContext;
use crate::error::{Error, Result};

impl StreamingContext {
    /// Registers how states of the type `V1` become states of the type `V2`.
    ///
    /// Where a checkpoint holds states that are read like `V1`, and the operator they belong to has states of the type `V2`
    /// now, each is passed through `f` at the start. Keep the old type under any name: its fields count, and the name serde
    /// knows it by (`#[serde(rename = "Session")]` on a type that is called `SessionV1` now). Migrations follow each other: with one to
    /// `V2` and one from there to `V3` states of the type `V1` become such of `V3`. Where `f` panics nothing is
    /// started; with `millstream.recovery.allowStateLoss` all of that operator's state is given up.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Conf;
    /// use millstream_streaming::StreamingContext;
    ///
    /// let streaming = StreamingContext::new(Conf::empty(), std::time::Duration::from_secs(1))?;
    /// streaming.migrate_state::<u32, (u64, bool)>(|count| (count.into(), false));
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn migrate_state<V1: Data, V2: Data>(&self, f: impl Fn(V1) -> V2 + Send + Sync + 'static) {
        self.graph().migrations.add::<V1, V2>(f);
    }
}

/// Reads a state of an older type from the front of some bytes; returns the new state and the bytes behind.
pub(super) type Migrate<S> = Box<dyn Fn(&[u8]) -> Result<(S, &[u8])> + Send + Sync>;

/// A state whose type has been forgotten.
type AnyState = Box<dyn Any>;

/// The migrations of a program.
#[derive(Default)]
pub(crate) struct Migrations(Mutex<Vec<Arc<Migration>>>);

/// A migration from one type to another.
struct Migration {
    from: TypeId,
    to: TypeId,
    /// The shape of the older type.
    shape: String,
    /// Reads a state of the older type from the front of some bytes.
    read: Migrate<AnyState>,
    migrate: Box<dyn Fn(AnyState) -> Result<AnyState> + Send + Sync>,
}

impl Migrations {
    fn add<V1: Data, V2: Data>(&self, f: impl Fn(V1) -> V2 + Send + Sync + 'static) {
        let migration = Migration {
            from: TypeId::of::<V1>(),
            to: TypeId::of::<V2>(),
            shape: shape::of::<V1>(),
            read: Box::new(|bytes| {
                let (old, behind) = postcard::take_from_bytes::<V1>(bytes).map_err(blocks::failed)?;
                Ok((Box::new(old) as AnyState, behind))
            }),
            migrate: Box::new(move |old| {
                let old = typed::<V1>(old)?;
                let new = catch_unwind(AssertUnwindSafe(|| f(old)));
                Ok(Box::new(new.map_err(|panic| Error::panicked(&*panic))?) as AnyState)
            }),
        };
        self.lock().push(Arc::new(migration));
    }

    /// Returns the migrations that make, one after the other, a state that is read like `shape` one of a type; the fewest.
    fn way(&self, shape: &str, to: TypeId) -> Option<Vec<Arc<Migration>>> {
        let all = self.lock();
        let mut seen = HashSet::from([to]);
        let mut ways = vec![(to, Vec::new())];
        while !ways.is_empty() {
            let mut longer = Vec::new();
            for (to, way) in ways {
                for migration in all.iter().filter(|migration| migration.to == to) {
                    let way: Vec<_> =
                        [Arc::clone(migration)].into_iter().chain(way.iter().cloned()).collect();
                    if shape::fits(&migration.shape, shape) {
                        return Some(way);
                    }
                    if seen.insert(migration.from) {
                        longer.push((migration.from, way));
                    }
                }
            }
            ways = longer;
        }
        None
    }

    /// Nothing of a user's runs under this lock.
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Migration>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how states of the saved type become those of the type `S` that `now` describes; nothing if they are read alike.
    pub(super) fn from<S: Data>(
        &self,
        now: &Fingerprint,
        saved: &Fingerprint,
        operator: &Operator,
    ) -> Result<Option<Migrate<S>>> {
        if now.fits(saved) {
            return Ok(None);
        }
        if now.window != saved.window {
            return Err(millstream_core::Error::Argument {
                operator: operator.to_string(),
                problem: format!("its saved state is of another window: it was {saved}, now it is {now}"),
                remedy: "give the operator another `uid` for a window that fills anew, or its former length"
                    .into(),
            }
            .into());
        }
        let way = self.way(&saved.state_shape, TypeId::of::<S>()).filter(|_| now.has_keys_of(saved));
        match way.as_deref() {
            Some([first, ..]) => {
                let (first, way) = (Arc::clone(first), way.clone().unwrap_or_default());
                let migrate: Migrate<S> = Box::new(move |bytes| {
                    let (old, behind) = (first.read)(bytes)?;
                    let new = way.iter().try_fold(old, |old, migration| (migration.migrate)(old))?;
                    Ok((typed(new)?, behind))
                });
                Ok(Some(migrate))
            }
            _ => Err(millstream_core::Error::Argument {
                operator: operator.to_string(),
                problem: format!("its saved state is of another type: it was {saved}, now it is {now}"),
                remedy: format!(
                    "register `migrate_state::<Old, {}>(|old| ..)` on the streaming context, or give the operator another \
                     `uid` to begin anew",
                    now.state_type
                ),
            }
            .into()),
        }
    }
}

/// Returns a state as what it is.
fn typed<S: 'static>(state: AnyState) -> Result<S> {
    state.downcast().map(|state| *state).map_err(|_| {
        let (what, problem) = ("a migrated state".into(), "it is of another type than was said".into());
        millstream_core::Error::Codec { what, problem }.into()
    })
}
