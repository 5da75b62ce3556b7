//! What a context is to be recovered from, and where it writes its checkpoints.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use millstream_core::fs::FsPath;

use super::checkpoint::{Lease, Manifest};
use super::grids::Grids;
use super::passed_over::PassedOver;
use crate::error::Result;

/// What is said of recovery while a graph is described.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    directory: Mutex<Option<FsPath>>,
    recovered: OnceLock<Recovered>,
    /// How many records could not be recovered.
    lost: AtomicU64,
    old_grids: OnceLock<Grids>,
    passed_over: Arc<PassedOver>,
}

/// What was found of an earlier run.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// Where it was found.
    pub(crate) directory: FsPath,
    pub(crate) manifest: Manifest,
    /// The right to go on writing there; none for a savepoint, which is only read.
    pub(crate) lease: Mutex<Option<Lease>>,
    pub(crate) is_savepoint: bool,
}

impl Plan {
    /// Sets where checkpoints are written.
    pub(crate) fn set_directory(&self, directory: &Path) -> Result<()> {
        *self.lock() = Some(FsPath::from_path(directory)?);
        Ok(())
    }

    /// Returns where checkpoints are written.
    pub(crate) fn directory(&self) -> Option<FsPath> {
        self.lock().clone()
    }

    /// Notes what was found; the first call counts.
    pub(crate) fn recover(&self, recovered: Recovered) {
        if !recovered.is_savepoint {
            *self.lock() = Some(recovered.directory.clone());
        }
        let _ = self.recovered.set(recovered);
    }

    /// Returns what was found of an earlier run.
    pub(crate) fn recovered(&self) -> Option<&Recovered> {
        self.recovered.get()
    }

    /// Gives the directory back that was found: nothing is started.
    pub(crate) fn release(&self) {
        if let Some(recovered) = self.recovered() {
            drop(recovered.lease.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }

    /// Notes that records could not be recovered.
    pub(crate) fn count_lost(&self, records: u64) {
        self.lost.fetch_add(records, Ordering::Relaxed);
    }

    /// Returns how many records could not be recovered.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Notes that batches had other intervals up to a time.
    pub(crate) fn set_old_grids(&self, old: Grids) {
        let _ = self.old_grids.set(old);
    }

    /// Returns the batch times of before the restarts with another interval, if there were such.
    pub(crate) fn old_grids(&self) -> Option<&Grids> {
        self.old_grids.get()
    }

    /// Returns the intervals that have no batch.
    pub(crate) fn passed_over(&self) -> &Arc<PassedOver> {
        &self.passed_over
    }

    fn lock(&self) -> MutexGuard<'_, Option<FsPath>> {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
