//! `Broadcast<T>`: a value that every task may read, sent to each process once.

pub(crate) mod travel;

use std::fmt;
use std::ops::Deref;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::context::Context;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::function;
use crate::variables::{VariableId, unreadable};
use travel::{AnyBroadcast, OWNED};

/// A value that every task may read.
///
/// A handle is cheap to clone and is [`Data`]: capture it where closures may capture, or hand it to an operator's `_env`
/// form, alone or in a tuple. Reading the value costs a reference, never a copy. Another process is sent the value with the
/// first task that needs it, and keeps it for all tasks after it.
///
/// A value does not change. For one that does, as a stream runs, keep the newest handle where the driver finds it, for
/// instance in an `Arc<Mutex<Broadcast<T>>>`, take a clone of it for each batch inside
/// `transform` or `foreach_rdd`, and replace it by a new broadcast; the old value goes with its last handle.
///
/// # Examples
/// ```
/// use std::collections::HashSet;
/// use millstream_core::{Conf, Context};
///
/// let context = Context::new(Conf::empty().set_master("local[2]"))?;
/// let stop_words = context.broadcast(HashSet::from(["the", "a"].map(String::from)));
/// let words = context.parallelize(["the", "cat"].map(String::from), 2);
/// let kept = words.filter_env(stop_words.clone(), |stop_words, word| !stop_words.contains(word));
/// assert_eq!(kept.collect()?, ["cat"]);
/// assert_eq!(stop_words.value().len(), 2);
/// # Ok::<(), millstream_core::Error>(())
/// ```
pub struct Broadcast<T: Data>(Arc<Shared<T>>);

struct Shared<T: Data> {
    id: VariableId,
    /// Where it was made: nowhere in a process that was sent it.
    made: Option<&'static Location<'static>>,
    value: T,
    /// How often it was unpersisted: a process that was sent it before is sent it again.
    unpersisted: AtomicU64,
    destroyed: OnceLock<&'static Location<'static>>,
}

impl<T: Data> Clone for Broadcast<T> {
    fn clone(&self) -> Self {
        Broadcast(Arc::clone(&self.0))
    }
}

impl Context {
    /// Makes a value readable by every task.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let factors = context.broadcast(vec![1, 2, 3, 4]);
    /// let sums = context.parallelize([1, 2], 2).map(move |n| (n, factors.iter().sum::<i32>()));
    /// assert_eq!(sums.collect()?, [(1, 10), (2, 10)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn broadcast<T: Data>(&self, value: T) -> Broadcast<T> {
        let id = self.next_broadcast();
        let shared = Arc::new(Shared {
            id,
            made: Some(Location::caller()),
            value,
            unpersisted: AtomicU64::new(0),
            destroyed: OnceLock::new(),
        });
        let weak: Weak<Shared<T>> = Arc::downgrade(&shared);
        OWNED.enter(id, weak);
        Broadcast(shared)
    }
}

impl<T: Data> Broadcast<T> {
    /// Returns the value.
    ///
    /// # Panics
    /// If it was destroyed. In a task that is a failure like any other; [`try_value`](Broadcast::try_value) does not panic.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let names = context.broadcast(["zero", "one"].map(String::from).to_vec());
    /// let named = context.parallelize([1, 0], 2).map_env(names.clone(), |names, n| names.value()[n].clone());
    /// assert_eq!(named.collect()?, ["one", "zero"]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[allow(
        clippy::panic,
        reason = "the value is gone: there is nothing to return; `try_value` is the other form"
    )]
    pub fn value(&self) -> &T {
        match self.0.destroyed.get() {
            None => &self.0.value,
            Some(_) => panic!("{}", self.0.gone("value", Location::caller())),
        }
    }

    /// Returns the value, or an error if it was destroyed.
    ///
    /// # Errors
    /// [`Error::Argument`], which says where the value was destroyed.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let broadcast = context.broadcast(7);
    /// assert_eq!(broadcast.try_value()?, &7);
    /// broadcast.destroy()?;
    /// assert!(broadcast.try_value().unwrap_err().to_string().contains("was destroyed at"));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn try_value(&self) -> Result<&T> {
        self.0.alive("try_value", Location::caller()).map(|()| &self.0.value)
    }

    /// Returns the number of the broadcast in its context.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let (first, second) = (context.broadcast('a'), context.broadcast('a'));
    /// assert_ne!(first.id(), second.id());
    /// assert_eq!(first.id(), first.clone().id());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn id(&self) -> u64 {
        self.0.id.number
    }

    /// Frees the copies in other processes; a task that needs the value after that brings it again.
    ///
    /// A process frees its copy when the next task is sent to it.
    ///
    /// # Errors
    /// If the value was destroyed, or in a task of another process.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let broadcast = context.broadcast(7);
    /// broadcast.unpersist()?;
    /// assert_eq!(*broadcast, 7);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn unpersist(&self) -> Result<()> {
        self.0.on_driver("unpersist", Location::caller())?;
        self.0.unpersisted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Ends the use of the value everywhere: whoever asks for it from now on gets an error.
    ///
    /// Copies in other processes are freed when the next task is sent there; the driver's own goes with the last handle.
    ///
    /// # Errors
    /// If it was destroyed before, or in a task of another process.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let broadcast = context.broadcast(vec![1, 2, 3, 4]);
    /// let sums = context.parallelize([1], 1).map_env(broadcast.clone(), |list, n| n + list.value().len());
    /// assert_eq!(sums.collect()?, [5]);
    /// broadcast.destroy()?;
    /// assert!(sums.collect().is_err());
    /// assert!(broadcast.destroy().is_err());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn destroy(&self) -> Result<()> {
        let place = Location::caller();
        self.0.on_driver("destroy", place)?;
        self.0.destroyed.set(place).map_err(|_| self.0.gone("destroy", place))
    }
}

impl<T: Data> Shared<T> {
    fn gone(&self, method: &str, place: &Location<'_>) -> Error {
        let at = self.destroyed.get().map_or_else(String::new, |at| format!(" at {at}"));
        let made = self.made.map_or_else(String::new, |made| format!(" made at {made}"));
        Error::Argument {
            operator: format!("{method} at {place}"),
            problem: format!("broadcast {}{made} was destroyed{at}", self.id.number),
            remedy: "broadcast the value again, or destroy it later".into(),
        }
    }

    fn alive(&self, method: &str, place: &Location<'_>) -> Result<()> {
        if self.destroyed.get().is_some() { Err(self.gone(method, place)) } else { Ok(()) }
    }

    fn on_driver(&self, method: &str, place: &Location<'_>) -> Result<()> {
        if self.made.is_none() {
            return Err(Error::Argument {
                operator: format!("{method} at {place}"),
                problem: format!("broadcast {} was made by another process", self.id.number),
                remedy: "call it on the driver, outside of tasks".into(),
            });
        }
        self.alive(method, place)
    }
}

impl<T: Data> AnyBroadcast for Shared<T> {
    fn id(&self) -> VariableId {
        self.id
    }

    fn version(&self) -> Option<u64> {
        self.destroyed.get().is_none().then(|| self.unpersisted.load(Ordering::Relaxed))
    }

    fn destroyed(&self) -> Error {
        self.gone("sending a task", self.made.unwrap_or_else(|| Location::caller()))
    }

    fn encode(&self) -> Result<Vec<u8>> {
        function::encode("broadcast value", &self.value)
    }
}

impl<T: Data> Drop for Shared<T> {
    fn drop(&mut self) {
        if self.made.is_some() {
            OWNED.leave(self.id);
        }
    }
}

impl<T: Data> Deref for Broadcast<T> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        self.value()
    }
}

impl<T: Data + fmt::Debug> fmt::Debug for Broadcast<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broadcast({})", self.0.id.number)
    }
}

impl<T: Data> Serialize for Broadcast<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        travel::mentioned(|| Arc::clone(&self.0) as Arc<dyn AnyBroadcast>);
        self.0.id.serialize(serializer)
    }
}

impl<'de, T: Data> Deserialize<'de> for Broadcast<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = VariableId::deserialize(deserializer)?;
        let found = travel::find(id, |value: T| Shared {
            id,
            made: None,
            value,
            unpersisted: AtomicU64::new(0),
            destroyed: OnceLock::new(),
        });
        found.map(Broadcast).map_err(unreadable)
    }
}
