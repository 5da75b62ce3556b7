//! The partitions of one RDD that are kept in memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::chunk::Chunk;
use crate::data::Data;
use crate::error::Result;
use crate::stream::{self, ChunkStream};

/// The kept partitions of an RDD; it belongs to the RDD and goes with it.
pub(crate) struct Cache<T> {
    on: AtomicBool,
    /// Whether the RDD is to forget what it is computed from, once all partitions are here.
    cuts_lineage: AtomicBool,
    /// By partition; all chunks are shared ones, so that handing them out copies nothing.
    partitions: Mutex<Vec<Option<Vec<Chunk<T>>>>>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Cache {
            on: AtomicBool::new(false),
            cuts_lineage: AtomicBool::new(false),
            partitions: Mutex::default(),
        }
    }
}

impl<T: Data> Cache<T> {
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }

    pub(crate) fn switch_on(&self) {
        self.on.store(true, Ordering::Release);
    }

    pub(crate) fn cut_lineage(&self) {
        self.cuts_lineage.store(true, Ordering::Release);
        self.switch_on();
    }

    pub(crate) fn cuts_lineage(&self) -> bool {
        self.cuts_lineage.load(Ordering::Acquire)
    }

    /// Takes note that what the RDD was computed from is forgotten.
    pub(crate) fn lineage_is_cut(&self) {
        self.cuts_lineage.store(false, Ordering::Release);
    }

    pub(crate) fn switch_off(&self) {
        self.on.store(false, Ordering::Release);
        self.cuts_lineage.store(false, Ordering::Release);
        let freed = std::mem::take(&mut *self.lock());
        drop(freed); // after the lock: records may be many
    }

    pub(crate) fn is_complete(&self, partitions: usize) -> bool {
        if !self.is_on() {
            return false;
        }
        let kept = self.lock();
        kept.len() == partitions && kept.iter().all(Option::is_some)
    }

    /// Returns a partition if it is kept.
    pub(crate) fn get(&self, partition: usize) -> Option<Vec<Chunk<T>>> {
        self.lock().get(partition).cloned().flatten()
    }

    /// Reads a partition, computing and keeping it if it is not there.
    pub(crate) fn read(
        &self,
        partition: usize,
        compute: impl FnOnce() -> Result<ChunkStream<T>>,
    ) -> Result<ChunkStream<T>> {
        if let Some(chunks) = self.get(partition) {
            return Ok(stream::from_chunks(chunks));
        }
        // Computed without the lock: two tasks that want the same partition at once may both compute it.
        let mut chunks = Vec::new();
        stream::drain(compute()?, |chunk| {
            if !chunk.is_empty() {
                chunks.push(chunk.into_shared());
            }
            Ok(())
        })?;
        let mut kept = self.lock();
        if self.is_on() {
            if kept.len() <= partition {
                kept.resize_with(partition + 1, || None);
            }
            if let Some(slot) = kept.get_mut(partition) {
                *slot = Some(chunks.clone());
            }
        }
        Ok(stream::from_chunks(chunks))
    }

    /// A panic can not leave the vector half changed: each change is one assignment.
    fn lock(&self) -> MutexGuard<'_, Vec<Option<Vec<Chunk<T>>>>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
