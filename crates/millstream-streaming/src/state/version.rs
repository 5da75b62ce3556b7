//! A partition of a state as it was after a batch.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use millstream_core::chunk::CHUNK;
use millstream_core::shuffle::hash::pinned_hash;
use millstream_core::stream::{self, ChunkStream};
use millstream_core::{Data, Key};

use super::held::Held;
use super::table::{Step, Table};
use crate::time::Time;

/// A partition of a state after a batch: the table it lies in can be read as of then while this is held.
pub(crate) struct Version<K: Key, S: Data> {
    table: Arc<Mutex<Table<K, S>>>,
    number: u64,
    time: Time,
}

/// One key with its state, and when that was touched last, in milliseconds; 0 where that is not kept.
pub(crate) type Entry<K, S> = (K, S, i64);

impl<K: Key, S: Data> Version<K, S> {
    /// Makes the first version of a table.
    pub(super) fn first(table: Table<K, S>, time: Time) -> Arc<Self> {
        let version = Arc::new(Version { number: table.number(), table: Arc::new(Mutex::new(table)), time });
        // No step is number 0.
        version.lock().note(0, Arc::downgrade(&version), Weak::<()>::new());
        version
    }

    /// Makes the first version of a table that holds these entries.
    pub(super) fn of(
        entries: impl IntoIterator<Item = Entry<K, S>>,
        with_timeouts: bool,
        time: Time,
    ) -> Arc<Self> {
        let mut table = Table::new(with_timeouts);
        for (key, state, time) in entries {
            table.put(pinned_hash(&key), key, Some((state, time)));
        }
        Self::first(table, time)
    }

    /// Makes the version after this one: `apply` changes the states and gives what the batch is mapped to.
    ///
    /// If the step `by` has done so before, what came of it is returned. Where a later version of another step is in use
    /// this works on a copy.
    pub(super) fn step<U: Data>(
        &self,
        by: u64,
        time: Time,
        apply: impl FnOnce(&mut Step<'_, K, S>) -> millstream_core::Result<Vec<U>>,
    ) -> millstream_core::Result<Held<K, S, U>> {
        let mut table = self.lock();
        if let Some(made) = table.made_by(by).and_then(Held::of_any) {
            return Ok(made);
        }
        if !table.go_back(self.number) {
            let (copy, number) = (table.copy(self.number), self.number);
            drop(table);
            tracing::debug!("the history of a state forks at its version {number}: a partition is copied");
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

    /// Returns the keys and their states.
    pub(super) fn pairs(self: Arc<Self>) -> ChunkStream<(K, S)> {
        let mut from = Some(0);
        stream::from_fn(move || {
            let Some(at) = from else { return Ok(None) };
            let mut pairs = Vec::with_capacity(CHUNK);
            from = self.lock().read(self.number, at, CHUNK, |key, state| {
                pairs.push((key.clone(), state.clone()));
            });
            Ok(Some(pairs.into()))
        })
    }

    /// Returns all there is, for another process.
    pub(super) fn entries(&self) -> Vec<Entry<K, S>> {
        self.lock().entries(self.number)
    }

    /// Returns the numbers of the keys that have changed since an earlier version; nothing if that is of another table.
    pub(super) fn touched_since(&self, earlier: &Version<K, S>) -> Option<Vec<usize>> {
        if !Arc::ptr_eq(&self.table, &earlier.table) || earlier.number > self.number {
            return None;
        }
        let table = self.lock();
        let touched = table.touched(earlier.number, self.number);
        Some(touched.unwrap_or_else(|| (0..table.numbers()).collect()))
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
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A record whose type has been forgotten.
pub(super) type AnyRecord = Arc<dyn Any + Send + Sync>;

#[cfg(test)]
mod tests;
