//! Shared variables by their numbers: how a handle that travelled becomes a handle of the same variable again.
//!
//! A handle is written as the number of its variable. Read in the process that made the variable it is a handle of that
//! very variable; elsewhere it is one of what this process was sent.

pub(crate) mod named;

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use serde::{Deserialize, Serialize};

/// A shared variable: the context that made it, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct VariableId {
    /// A number that no other context has, in any process.
    pub(crate) context: u64,
    pub(crate) number: u64,
}

/// The variables that contexts of this process have made and that are still held.
pub(crate) struct Directory<V: ?Sized>(LazyLock<Mutex<HashMap<VariableId, Weak<V>>>>);

impl<V: ?Sized + 'static> Directory<V> {
    pub(crate) const fn new() -> Self {
        Directory(LazyLock::new(Mutex::default))
    }

    pub(crate) fn enter(&self, id: VariableId, variable: Weak<V>) {
        self.lock().insert(id, variable);
    }

    pub(crate) fn leave(&self, id: VariableId) {
        self.lock().remove(&id);
    }

    pub(crate) fn find(&self, id: VariableId) -> Option<Arc<V>> {
        self.lock().get(&id).and_then(Weak::upgrade)
    }

    /// Returns the variables of a context, in the order of their numbers.
    pub(crate) fn of_context(&self, context: u64) -> Vec<Arc<V>> {
        let directory = self.lock();
        let mut found: Vec<_> = directory.iter().filter(|(id, _)| id.context == context).collect();
        found.sort_by_key(|(id, _)| id.number);
        found.into_iter().filter_map(|(_, variable)| variable.upgrade()).collect()
    }

    /// Nothing that can panic runs under this lock, and no variable is dropped under it: it holds weak ones.
    fn lock(&self) -> MutexGuard<'_, HashMap<VariableId, Weak<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A variable of any type.
pub(crate) type AnyVariable = Arc<dyn Any + Send + Sync>;

thread_local! {
    /// Why the last handle could not be read: the codec has no room for a reason.
    static PROBLEM: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Takes note of why a handle can not be read; returns the codec's own error.
pub(crate) fn unreadable<E: serde::de::Error>(problem: String) -> E {
    let error = E::custom(&problem);
    PROBLEM.set(Some(problem));
    error
}

/// Returns why a handle could not be read, if that is why decoding failed.
pub(crate) fn take_problem() -> Option<String> {
    PROBLEM.take()
}

/// Returns a number that no other context has, in any process; never 0.
pub(crate) fn unique() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    // Seeded by the operating system; the process and the time are there in case it has no randomness to give.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    RandomState::new().hash_one((std::process::id(), now)) | 1
}
