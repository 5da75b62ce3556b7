//! The write-ahead log: records that are on disk before anyone relies on them.
//!
//! A log is a directory of segments, `log-<start ms>-<stop ms>`. A segment begins with a [head](segment::Head) that says to which
//! generation of the program it belongs, so that a later one does not read it by mistake; [frames](frame) follow. A
//! segment is written by one run of the program and never appended to by another.

mod behind;
mod direct;
mod frame;
mod reader;
mod segment;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millstream_core::failpoint;
use millstream_core::fs::{FileStatus, FileSystem, FsPath};
use serde::{Deserialize, Serialize};

use self::segment::SegmentName;
use self::writer::{Queue, Writing};
use crate::error::Result;
use crate::recovery::list::list;
use crate::time::Time;

/// What is written to a log as one.
pub(crate) trait Record: Send + Sync {
    /// Returns its bytes, in the parts in which they lie, so that they need not be put together to be written.
    fn parts(&self) -> Vec<&[u8]>;
}

impl Record for Vec<u8> {
    fn parts(&self) -> Vec<&[u8]> {
        vec![self]
    }
}

/// Where a record lies in its log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct LogPosition {
    /// The name of the segment, without its directory, so that a log may be moved.
    pub(crate) segment: String,
    /// Where its frame begins.
    pub(crate) offset: u64,
    /// The bytes of the record, without its frame.
    pub(crate) length: u32,
}

impl LogPosition {
    /// Returns whether the record lies behind another one of its log.
    pub(crate) fn is_behind(&self, other: &LogPosition) -> bool {
        let place = |at: &LogPosition| (SegmentName::parse(&at.segment), at.offset);
        place(self) > place(other)
    }
}

/// How a log is written.
#[derive(Debug, Clone)]
pub(crate) struct LogConfig {
    /// The generation of the program that writes, and whose records are read.
    pub(crate) generation: u64,
    /// After what time a new segment is begun.
    pub(crate) rolling_interval: Duration,
    /// Whether each commit is a segment of its own, for storage whose files can not grow.
    pub(crate) close_file_after_write: bool,
    /// How often a commit is tried.
    pub(crate) max_failures: u32,
    /// Whether records that wait at the same time are written by one commit.
    pub(crate) group_commit: bool,
}

/// A log of records.
pub(crate) struct WriteAheadLog {
    directory: FsPath,
    system: Arc<dyn FileSystem>,
    config: LogConfig,
    queue: Mutex<Queue>,
    committed: Condvar,
    /// Where is written; held while a group is committed.
    writing: Mutex<Writing>,
    commits: AtomicU64,
}

impl WriteAheadLog {
    /// Makes a log in a directory, which is made when the first record is written.
    pub(crate) fn new(system: Arc<dyn FileSystem>, directory: FsPath, mut config: LogConfig) -> Self {
        config.close_file_after_write |= directory.as_local().is_none();
        config.max_failures = config.max_failures.max(1);
        WriteAheadLog {
            directory,
            system,
            config,
            queue: Mutex::default(),
            committed: Condvar::new(),
            writing: Mutex::default(),
            commits: AtomicU64::new(0),
        }
    }

    /// Deletes the segments of this generation whose records are all of before `threshold`; returns how many.
    ///
    /// # Errors
    /// If the directory can not be read, or the first one of a segment that can not be deleted; the others are.
    pub(crate) fn clean(&self, threshold: Time) -> Result<usize> {
        let current = self.writing().current();
        let mut cleaned = 0;
        let mut failure = None;
        for (name, file) in self.segments()? {
            if name.stop < threshold && Some(name) != current {
                match self.clean_segment(&file.path) {
                    Ok(deleted) => cleaned += usize::from(deleted),
                    Err(error) => drop(failure.get_or_insert(error)),
                }
            }
        }
        failure.map_or(Ok(cleaned), Err)
    }

    fn clean_segment(&self, path: &FsPath) -> Result<bool> {
        if !self.is_own(path)? {
            return Ok(false);
        }
        failpoint::reach("log-before-clean");
        let deleted = self.system.delete(path)?;
        failpoint::reach("log-after-clean");
        Ok(deleted)
    }

    /// Deletes all segments of this generation, before the first record is written.
    ///
    /// # Errors
    /// If the directory can not be read or a segment can not be deleted.
    pub(crate) fn clear(&self) -> Result<()> {
        for (_, file) in self.segments()? {
            if self.is_own(&file.path)? {
                self.system.delete(&file.path)?;
            }
        }
        Ok(())
    }

    /// Closes the current segment; the next record begins another.
    #[cfg(test)]
    pub(crate) fn close(&self) {
        self.writing().end();
    }

    /// Returns the segments of all generations, the oldest first.
    fn segments(&self) -> Result<Vec<(SegmentName, FileStatus)>> {
        let files = list(&*self.system, &self.directory)?;
        let named = files.into_iter().filter(|file| !file.is_dir);
        let named = named.filter_map(|file| Some((SegmentName::parse(file.path.name())?, file)));
        let mut segments: Vec<_> = named.collect();
        segments.sort_by_key(|(name, _)| *name);
        Ok(segments)
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for WriteAheadLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteAheadLog").field("directory", &self.directory).finish_non_exhaustive()
    }
}
