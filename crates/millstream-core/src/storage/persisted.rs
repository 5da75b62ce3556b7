//! Which RDDs of a context are persisted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

use super::StorageLevel;
use crate::ids::RddId;
use crate::rdd::{AnyRdd, RddNode};

/// What of a persisted RDD is kept where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RddStorageInfo {
    /// The number of the RDD in its context.
    pub id: RddId,
    /// The name the RDD was given, else its operator's.
    pub name: String,
    /// Where its partitions are kept.
    pub storage_level: StorageLevel,
    /// How many partitions it has.
    pub num_partitions: usize,
    /// How many of them are kept.
    pub num_cached_partitions: usize,
    /// How many bytes of them lie in memory, as far as that can be told of records.
    pub memory_size: u64,
    /// How many bytes of them lie on disk.
    pub disk_size: u64,
}

/// The persisted RDDs of a context.
#[derive(Default)]
pub(crate) struct Persisted {
    rdds: Mutex<BTreeMap<RddId, Weak<dyn RddNode>>>,
    noticed_copies: AtomicBool,
    noticed_off_heap: AtomicBool,
}

impl Persisted {
    pub(crate) fn enter(&self, rdd: &AnyRdd, level: StorageLevel) {
        self.lock().insert(rdd.info().id, std::sync::Arc::downgrade(rdd));
        let first = |noticed: &AtomicBool| !noticed.swap(true, Ordering::Relaxed);
        if level.replication() > 1 && first(&self.noticed_copies) {
            tracing::warn!(
                "the program runs in one process: of kept partitions there is one copy, not {}",
                level.replication()
            );
        }
        if level.use_off_heap() && first(&self.noticed_off_heap) {
            tracing::warn!(
                "there is no heap of a Java virtual machine: OFF_HEAP keeps bytes in memory, as MEMORY_AND_DISK_SER does"
            );
        }
    }

    /// Forgets an RDD, if it was persisted at all.
    pub(crate) fn forget(&self, id: RddId, persisted: bool) {
        if persisted {
            let gone = self.lock().remove(&id);
            drop(gone);
        }
    }

    pub(crate) fn all(&self) -> BTreeMap<RddId, AnyRdd> {
        self.lock().iter().filter_map(|(id, rdd)| Some((*id, rdd.upgrade()?))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RddId, Weak<dyn RddNode>>> {
        self.rdds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
