//! A partition of a state as it was after a batch.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use millstream_core::shuffle::hash::pinned_hash;
use millstream_core::storage::memory::Evictable;
use millstream_core::stream::{self, ChunkStream};
use millstream_core::{Data, Key, Result};

use super::claimed::Claimed;
use super::held::Held;
use super::making::Step;
use super::room::Room;
use super::table::Table;
use crate::time::Time;

/// A partition of a state after a batch: the table it lies in can be read as of then while this is held.
pub(crate) struct Version<K: Key, S: Data> {
    table: Arc<Shared<K, S>>,
    number: u64,
    time: Time,
}

/// A table with its versions.
struct Shared<K: Key, S: Data>(Mutex<Table<K, S>>);

impl<K: Key, S: Data> Evictable for Shared<K, S> {
    fn evict(&self, at_least: usize) -> bool {
        // A table at work needs what it has; and it may be this thread that is at work on it.
        match self.0.try_lock() {
            Ok(mut table) => table.make_way(at_least),
            Err(TryLockError::Poisoned(table)) => table.into_inner().make_way(at_least),
            Err(TryLockError::WouldBlock) => false,
        }
    }
}

/// One key with its state, and when that was touched last, in milliseconds; 0 where that is not kept.
pub(crate) type Entry<K, S> = (K, S, i64);

impl<K: Key, S: Data> Version<K, S> {
    /// Makes the first version of a table.
    pub(super) fn first(table: Table<K, S>, time: Time) -> Arc<Self> {
        let number = table.number();
        let version = Arc::new(Version { table: Arc::new(Shared(Mutex::new(table))), number, time });
        let mut table = version.lock();
        // No step is number 0.
        table.note(0, Arc::downgrade(&version), Weak::<()>::new());
        version.register(&table);
        drop(table);
        version
    }

    /// Makes the first version of a table that holds these entries, and lies nowhere yet.
    pub(super) fn of(
        entries: impl IntoIterator<Item = Entry<K, S>>,
        with_timeouts: bool,
        time: Time,
    ) -> Result<Arc<Self>> {
        let mut table = Table::new(with_timeouts, None);
        for (key, state, time) in entries {
            table.put(pinned_hash(&key), key, Some((state, time)))?;
        }
        Ok(Self::first(table, time))
    }

    /// Has the table lie in a room, if it lies nowhere.
    pub(super) fn lie_in(&self, room: impl FnOnce() -> Room) -> Result<()> {
        let mut table = self.lock();
        if table.claimed.is_none() {
            table.claimed = Some(Claimed::new(room()));
            self.register(&table);
            table.settle(0)?;
        }
        Ok(())
    }

    fn register(&self, table: &Table<K, S>) {
        if let Some(claimed) = &table.claimed {
            let shared: Weak<Shared<K, S>> = Arc::downgrade(&self.table);
            claimed.evict_by(shared);
        }
    }

    /// Makes the version after this one: `apply` changes the states and gives what the batch is mapped to.
    ///
    /// If the step `by` has done so before, what came of it is returned. Where a later version of another step is in use, or
    /// most keys have left, this works on a copy.
    pub(super) fn step<U: Data>(
        &self,
        by: u64,
        time: Time,
        apply: impl FnOnce(&mut Step<'_, K, S>) -> Result<Vec<U>>,
    ) -> Result<Held<K, S, U>> {
        let mut table = self.lock();
        if let Some(made) = table.made_by(by).and_then(Held::of_any) {
            return Ok(made);
        }
        let forks = !table.go_back(self.number)?;
        if forks || table.is_sparse() {
            let (copy, number) = (table.copy(self.number)?, self.number);
            drop(table);
            if forks {
                tracing::debug!(
                    "the history of a state forks at its version {number}: a partition is copied"
                );
            }
            return Version::first(copy, self.time).step(by, time, apply);
        }
        let mut step = table.step(time.as_millis());
        let mapped = apply(&mut step)?;
        step.commit();
        let version = Arc::new(Version { table: Arc::clone(&self.table), number: table.number(), time });
        let held = Held::new(Arc::clone(&version), mapped);
        table.note(by, Arc::downgrade(&version), held.weak());
        Ok(held)
    }

    pub(super) fn time(&self) -> Time {
        self.time
    }

    /// Returns the keys and their states, shelf by shelf.
    pub(super) fn pairs(self: Arc<Self>) -> ChunkStream<(K, S)> {
        let mut shelf = 0;
        stream::from_fn(move || {
            let table = self.lock();
            let chunk = (shelf < table.shelves()).then(|| Ok(table.view(self.number, shelf)?.chunk()));
            shelf += 1;
            chunk.transpose()
        })
    }

    /// Returns all there is, for another process.
    pub(super) fn entries(&self) -> Result<Vec<Entry<K, S>>> {
        let mut entries = Vec::new();
        self.lock().each(self.number, |key, state, time| {
            entries.push((key.clone(), state.clone(), time));
            Ok(())
        })?;
        Ok(entries)
    }

    /// Returns the numbers of the keys that have changed since an earlier version; nothing if that is of another table.
    pub(super) fn touched_since(&self, earlier: &Version<K, S>) -> Option<Vec<usize>> {
        if !Arc::ptr_eq(&self.table, &earlier.table) || earlier.number > self.number {
            return None;
        }
        let table = self.lock();
        let Some(mut touched) = table.touched(earlier.number, self.number) else {
            return Some((0..table.numbers()).collect());
        };
        // Not under the lock: that takes longer than to gather them.
        drop(table);
        touched.sort_unstable();
        touched.dedup();
        Some(touched)
    }

    /// Calls `f` with the table this lies in and its number there.
    pub(super) fn look<R>(&self, f: impl FnOnce(&Table<K, S>, u64) -> R) -> R {
        f(&self.lock(), self.number)
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// A user's function that panics under the lock leaves the table as it was: see [`Step`].
    fn lock(&self) -> MutexGuard<'_, Table<K, S>> {
        self.table.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A record whose type has been forgotten.
pub(super) type AnyRecord = Arc<dyn Any + Send + Sync>;

#[cfg(test)]
mod tests;
