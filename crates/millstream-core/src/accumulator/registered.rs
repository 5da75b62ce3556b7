//! `Registered`: the handle of an accumulator, which tasks add to.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Accumulator;
use super::updates::{self, ACCUMULATORS, AnyAccumulator, AnyUpdate};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::function;
use crate::variables::{VariableId, unreadable};

/// The handle of an accumulator.
///
/// A handle is cheap to clone and is [`Data`](crate::Data): capture it where closures may capture, or hand it to an
/// operator's `_env` form, alone or in a tuple. Adding inside a task takes no lock.
///
/// Each partition counts once: what a failed, lost or repeated attempt has added does not count, and neither does a map
/// stage that is run once more for a shuffle whose records were used up. It counts again when the program runs another job
/// over an RDD that is not persisted, as in Spark.
///
/// A thread that a closure starts is not the task: what it adds is added at once, and lost in another process.
pub struct Registered<A: Accumulator>(Arc<Shared<A>>);

struct Shared<A> {
    id: VariableId,
    name: Option<Box<str>>,
    /// What each task begins with.
    zero: A,
    state: Mutex<A>,
    /// Whether a context of this process made it; otherwise it is what a handle brought along.
    home: bool,
}

impl<A: Accumulator> Clone for Registered<A> {
    fn clone(&self) -> Self {
        Registered(Arc::clone(&self.0))
    }
}

impl Context {
    /// Registers an accumulator of one's own; one with a name is shown under it.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let seen = context.register(Vec::new(), "seen");
    /// context.parallelize([3, 4], 1).foreach_env(seen.clone(), |seen, n| seen.add(n))?;
    /// assert_eq!(seen.value(), [3, 4]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn register<'a, A: Accumulator>(
        &self,
        accumulator: A,
        name: impl Into<Option<&'a str>>,
    ) -> Registered<A> {
        let id = self.next_accumulator();
        let zero = accumulator.copy_and_reset();
        let name = name.into().map(Box::from);
        let shared = Arc::new(Shared { id, name, zero, state: Mutex::new(accumulator), home: true });
        let any: Arc<dyn AnyAccumulator> = Arc::clone(&shared) as _;
        ACCUMULATORS.enter(id, Arc::downgrade(&any));
        Registered(shared)
    }
}

impl<A: Accumulator> Registered<A> {
    /// Adds a value; on the driver at once, in a task when its result is taken.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let total = context.long_accumulator("total");
    /// total.add(1);
    /// context.parallelize([2, 3], 2).foreach_env(total.clone(), |total, n| total.add(n))?;
    /// assert_eq!(total.value(), 6);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn add(&self, value: A::Input) {
        let outside = updates::of_task(&self.0, self.0.id, || self.0.zero.clone(), value, A::add);
        if let Some(value) = outside {
            self.0.lock().add(value);
        }
    }

    /// Returns what all that was counted amounts to; in a task, only what this attempt has added.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let total = context.long_accumulator("total");
    /// let own = context.parallelize([2, 3], 2).map_env(total.clone(), |total, n| {
    ///     total.add(n);
    ///     total.value() // of this task alone
    /// });
    /// assert_eq!((own.collect()?, total.value()), (vec![2, 3], 5));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn value(&self) -> A::Output {
        self.look(A::value)
    }

    /// Returns whether nothing was added; in a task, by this attempt.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let total = context.long_accumulator("total");
    /// assert!(total.is_zero());
    /// total.add(0);
    /// assert!(!total.is_zero(), "a number was added");
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.look(A::is_zero)
    }

    /// Forgets what was added; in a task, what this attempt has added.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let total = context.long_accumulator(None);
    /// total.add(7);
    /// assert!(!total.is_zero());
    /// total.reset();
    /// assert_eq!(total.value(), 0);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn reset(&self) {
        let outside =
            updates::of_task(&self.0, self.0.id, || self.0.zero.clone(), (), |state, ()| state.reset());
        if outside.is_some() {
            self.0.lock().reset();
        }
    }

    /// Returns the number of the accumulator in its context.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let (first, second) = (context.long_accumulator("a"), context.double_accumulator("b"));
    /// assert_ne!(first.id(), second.id());
    /// assert_eq!(first.id(), first.clone().id());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn id(&self) -> u64 {
        self.0.id.number
    }

    /// Returns the name it was registered with.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.long_accumulator("dropped").name(), Some("dropped"));
    /// assert_eq!(context.long_accumulator(None).name(), None);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Returns a copy of what it holds.
    pub(crate) fn state(&self) -> A {
        self.look(A::clone)
    }

    fn look<R>(&self, f: impl Fn(&A) -> R) -> R {
        match updates::look(self.0.id, &f) {
            Some(Some(in_task)) => in_task,
            Some(None) => f(&self.0.zero),
            None => f(&self.0.lock()),
        }
    }
}

impl<A: Accumulator> Shared<A> {
    /// A user's `add` or `merge` that panicked may have done half of its work: what it holds is still its own affair.
    fn lock(&self) -> MutexGuard<'_, A> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Accumulator> AnyAccumulator for Shared<A> {
    fn id(&self) -> VariableId {
        self.id
    }

    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn merge(&self, update: Box<dyn AnyUpdate>) -> Result<()> {
        let update = update.into_any().downcast::<A>().map_err(|_| foreign(self.id))?;
        self.lock().merge(*update);
        Ok(())
    }

    fn merge_bytes(&self, type_hash: u64, bytes: &[u8]) -> Result<()> {
        if type_hash != function::type_hash::<A>() {
            return Err(foreign(self.id));
        }
        let update: A = function::decode("accumulator update", bytes)?;
        self.lock().merge(update);
        Ok(())
    }

    fn text(&self) -> String {
        format!("{:?}", self.lock().value())
    }
}

fn foreign(id: VariableId) -> Error {
    Error::Codec {
        what: format!("update of accumulator {}", id.number),
        problem:
            "it is of another type; driver and executors must make the same accumulators in the same order"
                .into(),
    }
}

impl<A> Drop for Shared<A> {
    fn drop(&mut self) {
        if self.home {
            ACCUMULATORS.leave(self.id);
        }
    }
}

impl<A: Accumulator> fmt::Debug for Registered<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name().unwrap_or("Accumulator");
        write!(f, "{name}(id: {}, value: {:?})", self.id(), self.value())
    }
}

/// Travels as its number and its zero.
impl<A: Accumulator> Serialize for Registered<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.0.id, function::type_hash::<A>(), self.name(), &self.0.zero).serialize(serializer)
    }
}

impl<'de, A: Accumulator> Deserialize<'de> for Registered<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (id, type_hash, name, zero): (VariableId, u64, Option<Box<str>>, A) =
            Deserialize::deserialize(deserializer)?;
        if type_hash != function::type_hash::<A>() {
            return Err(unreadable(foreign(id).to_string()));
        }
        if let Some(owned) = ACCUMULATORS.find(id) {
            let owned: Arc<dyn std::any::Any + Send + Sync> = owned;
            return owned.downcast().map(Registered).map_err(|_| unreadable(foreign(id).to_string()));
        }
        let state = Mutex::new(zero.clone());
        Ok(Registered(Arc::new(Shared { id, name, zero, state, home: false })))
    }
}
