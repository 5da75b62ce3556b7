//! What a context is to be recovered from, and where it writes its checkpoints.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use millstream_core::fs::FsPath;

use super::checkpoint::{Lease, Manifest};
use crate::error::Result;
use crate::time::Time;

/// What is said of recovery while a graph is described.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    directory: Mutex<Option<FsPath>>,
    recovered: OnceLock<Recovered>,
    /// How many records could not be recovered.
    lost: AtomicU64,
    old_grid: OnceLock<OldGrid>,
    /// How often states are saved, by the ids of the streams on which that was said.
    intervals: Mutex<BTreeMap<Arc<str>, Duration>>,
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

/// The batch times of before a restart with another batch interval.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OldGrid {
    /// The first batch time less the interval.
    pub(crate) zero: Time,
    pub(crate) interval: Duration,
    /// The last batch.
    pub(crate) last: Time,
}

impl OldGrid {
    /// Returns the batch times after `from` up to `to`.
    pub(crate) fn times(&self, from: Time, to: Time) -> impl Iterator<Item = Time> {
        let from = from.max(self.zero);
        let first = from.floor_from(self.interval, self.zero) + self.interval;
        first.to(to.min(self.last), self.interval)
    }

    /// Returns the last time up to `to` at which a stream had a batch.
    pub(crate) fn last_due(&self, to: Time, slide: Duration, now: Duration) -> Time {
        let slide = if slide == now { self.interval } else { slide };
        to.min(self.last).floor_from(slide, self.zero)
    }

    /// Returns whether a stream, whose slide is `slide` and was the batch interval if it is `now`, had a batch at that time.
    pub(crate) fn is_due(&self, batch: Time, slide: Duration, now: Duration) -> bool {
        let slide = if slide == now { self.interval } else { slide };
        batch > self.zero && batch.floor_from(slide, self.zero) == batch
    }
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

    /// Notes that batches had another interval up to a time.
    pub(crate) fn set_old_grid(&self, old: OldGrid) {
        let _ = self.old_grid.set(old);
    }

    /// Returns the batch times of before the restart, if the interval was another one.
    pub(crate) fn old_grid(&self) -> Option<&OldGrid> {
        self.old_grid.get()
    }

    /// Sets how often the state of an operator is saved.
    pub(crate) fn set_interval(&self, id: Arc<str>, interval: Duration) {
        self.intervals.lock().unwrap_or_else(PoisonError::into_inner).insert(id, interval);
    }

    /// Returns how often the state of an operator is saved, if the program says so.
    pub(crate) fn interval(&self, id: &str) -> Option<Duration> {
        self.intervals.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied()
    }

    /// Returns how often states are saved, by the ids of the streams on which that was said.
    pub(crate) fn intervals(&self) -> BTreeMap<Arc<str>, Duration> {
        self.intervals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<FsPath>> {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
