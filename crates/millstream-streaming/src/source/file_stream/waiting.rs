//! Files that a stream would take, were they complete.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use millstream_core::fs::{FileStatus, FileSystem, FsPath};

use super::FileChoice;
use super::selection::modified;
use crate::time::Time;

/// The files that were left out because they may grow, by path. However long that takes, none becomes too old meanwhile.
#[derive(Default)]
pub(super) struct Waiting(BTreeMap<FsPath, Waits>);

#[derive(Clone, Copy)]
struct Waits {
    /// The first batch that has left it out.
    since: Time,
    /// Whether it was said that it waits for long.
    said: bool,
}

impl Waiting {
    pub(super) fn holds(&self, file: &FsPath) -> bool {
        self.0.contains_key(file)
    }

    /// Notes that a batch leaves a file out.
    pub(super) fn add(&mut self, file: &FsPath, batch: Time) {
        self.0.entry(file.clone()).or_insert(Waits { since: batch, said: false });
    }

    pub(super) fn remove(&mut self, file: &FsPath) {
        self.0.remove(file);
    }

    /// Forgets those that are not among these.
    pub(super) fn keep(&mut self, found: &[FileStatus]) {
        if !self.0.is_empty() {
            let found: BTreeSet<&FsPath> = found.iter().map(|file| &file.path).collect();
            self.0.retain(|path, _| found.contains(path));
        }
    }

    /// Returns since which batch a file waits, once, when it has for so long.
    pub(super) fn since_long(&mut self, file: &FsPath, batch: Time, long: Duration) -> Option<Time> {
        let waits = self.0.get_mut(file).filter(|waits| !waits.said && waits.since <= batch - long)?;
        waits.said = true;
        Some(waits.since)
    }

    pub(super) fn paths(&self) -> Vec<FsPath> {
        self.0.keys().cloned().collect()
    }
}

/// Returns why a file may still be being written, if it may; what is gone is not.
///
/// To be asked of files that would be taken otherwise: it calls the file system.
pub(super) fn unsettled(system: &dyn FileSystem, file: &FileStatus, settle: Duration) -> Option<FileChoice> {
    // A time to come is as good as now.
    let age = SystemTime::now().duration_since(file.modified).unwrap_or_default();
    let changed = modified(file);
    if age < settle && system.was_written_in_place(file).unwrap_or(false) {
        return Some(FileChoice::Unsettled { changed, open: false });
    }
    // Last, as it is what a writer could notice.
    let open = system.is_open_for_writing(file).unwrap_or(false);
    open.then_some(FileChoice::Unsettled { changed, open })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_a_file_waits_for_long_is_said_once_and_forgotten_with_it() {
        let file = FsPath::parse("/in/slow").unwrap();
        let (at, long) = (Time::from_millis, Duration::from_secs(2));
        let mut waiting = Waiting::default();
        let mut said = Vec::new();
        for batch in [1000, 2000, 3000, 4000] {
            waiting.add(&file, at(batch));
            said.push(waiting.since_long(&file, at(batch), long));
        }
        assert_eq!(said, [None, None, Some(at(1000)), None]);
        assert!(waiting.holds(&file) && waiting.paths() == [file.clone()]);
        waiting.keep(&[]);
        assert!(!waiting.holds(&file));
        waiting.add(&file, at(5000));
        assert_eq!(waiting.since_long(&file, at(6000), long), None);
    }
}
