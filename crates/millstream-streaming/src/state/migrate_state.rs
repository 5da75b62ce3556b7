//! `migrate_state`: states of an older type become those of a newer one.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

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
    /// knows it by (`#[serde(rename = "Session")]` on a type that is called `SessionV1` now). Where `f` panics nothing is
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
pub(super) type Migrate<S> = Arc<dyn Fn(&[u8]) -> Result<(S, &[u8])> + Send + Sync>;

/// The shape of an older type, and a [`Migrate`] from it.
type ShapeAndMigrate = (String, Box<dyn Any + Send + Sync>);

/// The migrations of a program.
#[derive(Default)]
pub(crate) struct Migrations {
    /// By the newer type.
    to: Mutex<HashMap<TypeId, Vec<ShapeAndMigrate>>>,
}

impl Migrations {
    fn add<V1: Data, V2: Data>(&self, f: impl Fn(V1) -> V2 + Send + Sync + 'static) {
        let migrate: Migrate<V2> = Arc::new(move |bytes| {
            let (old, behind) = postcard::take_from_bytes(bytes).map_err(blocks::failed)?;
            let new = catch_unwind(AssertUnwindSafe(|| f(old)));
            Ok((new.map_err(|panic| Error::panicked(&*panic))?, behind))
        });
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        to.entry(TypeId::of::<V2>()).or_default().push((shape::of::<V1>(), Box::new(migrate)));
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
        let to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        let found = to.get(&TypeId::of::<S>()).into_iter().flatten();
        let mut found = found.filter(|(shape, _)| *shape == saved.state_shape);
        let migrate = found.find_map(|(_, migrate)| migrate.downcast_ref::<Migrate<S>>().cloned());
        match migrate.filter(|_| now.key_shape == saved.key_shape) {
            Some(migrate) => Ok(Some(migrate)),
            None => Err(millstream_core::Error::Argument {
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
