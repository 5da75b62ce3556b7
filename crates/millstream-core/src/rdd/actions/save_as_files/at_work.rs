//! Where jobs of this process are writing.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::fs::FsPath;

static AT_WORK: Mutex<BTreeSet<FsPath>> = Mutex::new(BTreeSet::new());

/// How many directories are known to have been met before.
const MET: usize = 64;

/// A directory that a job writes to, until this is dropped.
pub(super) struct AtWork(FsPath);

impl AtWork {
    pub(super) fn of(path: FsPath) -> Self {
        all().insert(path.clone());
        AtWork(path)
    }

    pub(super) fn path(&self) -> &FsPath {
        &self.0
    }

    /// Returns whether a job of this process writes to the directory.
    pub(super) fn is(path: &FsPath) -> bool {
        all().contains(path)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        all().remove(&self.0);
    }
}

/// Returns whether a directory is met for the first time, as far as is known.
pub(super) fn is_new(directory: &FsPath) -> bool {
    static KNOWN: Mutex<VecDeque<FsPath>> = Mutex::new(VecDeque::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.contains(directory) {
        return false;
    }
    if known.len() == MET {
        known.pop_front();
    }
    known.push_back(directory.clone());
    true
}

fn all() -> MutexGuard<'static, BTreeSet<FsPath>> {
    AT_WORK.lock().unwrap_or_else(PoisonError::into_inner)
}
