//! What became of each file, and why.

use std::sync::{Arc, Mutex, PoisonError};

use millstream_core::fs::FsPath;

use crate::time::Time;

/// How many files' fates are kept; of the others there is none to be asked for.
const KEPT: usize = 10_000;

/// What a batch did with a file of a watched directory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileChoice {
    /// It is part of the batch.
    Taken,
    /// Its name begins with `.` or `_`, and the filter does not want it.
    Hidden,
    /// The filter does not want it.
    Filtered,
    /// It was last changed at `changed`, before the stream was made at `start`. Move files there after the start, or use
    /// `existing`.
    BeforeStart {
        /// When the file was last changed.
        changed: Time,
        /// When the stream was made.
        start: Time,
    },
    /// It was last changed at `changed`, not after `threshold`: so long ago that it may have been taken and forgotten.
    TooOld {
        /// When the file was last changed.
        changed: Time,
        /// Files must be changed after this.
        threshold: Time,
    },
    /// It was last changed at this time, after the batch: a later batch takes it.
    Later(Time),
    /// It may not be complete, and a later batch takes it: someone has it `open` for writing, or it was written where it lies, so
    /// lately that more may follow. Move files there, which is faster too; close those that are complete; or lower
    /// `millstream.streaming.fileStream.settleTime`, which decides where it is not known whether a file is open.
    Unsettled {
        /// When the file was last changed.
        changed: Time,
        /// Whether it is known that someone has it open for writing, or had just now: on Linux, of local files of the program's own
        /// user.
        open: bool,
    },
    /// An earlier batch has taken it; changing a file does not bring it back.
    TakenBefore,
    /// An earlier batch has taken it, when it had so many `bytes`; it has been changed since, and what was added is not read. A file
    /// that is closed and opened again to append to it is such a file, or one that was copied into the directory with a pause longer
    /// than `millstream.streaming.fileStream.settleTime` where it is not known that it was open: move files there.
    ChangedSince {
        /// How long the file was when it was taken.
        bytes: u64,
    },
    /// It is a directory, and the stream is not recursive.
    Directory,
}

/// What became of the files a file stream has seen in its latest batch; cloning is shallow.
///
/// [`file_stream_with`](crate::StreamingContext::file_stream_with) has an example.
#[derive(Clone, Default)]
pub struct FileChoices(Arc<Mutex<Vec<(FsPath, FileChoice)>>>);

impl FileChoices {
    /// Returns each file that the latest batch saw, sorted by path, and what the batch did with it; at most 10,000 files.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use millstream_streaming::{FileChoice, FileChoices, FileStreamOptions};
    /// use millstream_core::fs::TextFormat;
    ///
    /// # let directory = std::env::temp_dir().join(format!("file_choices-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// std::fs::write(directory.join("_a.txt"), "to be\n").map_err(millstream_core::Error::user)?;
    /// let choices = FileChoices::default();
    /// let options = FileStreamOptions::default().explain(&choices);
    /// driver.collect(&driver.streaming().file_stream_with(&directory, TextFormat::default(), options));
    /// driver.run(1)?;
    /// assert_eq!(choices.latest()[0].1, FileChoice::Hidden);
    /// # std::fs::remove_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn latest(&self) -> Vec<(FsPath, FileChoice)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, mut choices: Vec<(FsPath, FileChoice)>) {
        choices.sort_by(|one, other| one.0.path().cmp(other.0.path()));
        choices.truncate(KEPT);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = choices;
    }
}
