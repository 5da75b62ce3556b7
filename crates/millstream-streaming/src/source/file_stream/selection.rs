//! Which files belong to a batch: the rules of Spark's `FileInputDStream`.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::{Duration, UNIX_EPOCH};

use millstream_core::Error as CoreError;
use millstream_core::fs::{FileStatus, FileSystem, FileSystems, FsPath, failed, is_not_found};

use super::waiting::{Waiting, unsettled};
use super::{FileChoice, FileStreamOptions};
use crate::time::Time;

pub(super) struct Selection {
    pub(super) directory: FsPath,
    /// How long a file may be changed before its batch, and how long it is remembered that it was taken.
    pub(super) remember: Duration,
    /// How long a file that was written in its place must be left alone.
    settle: Duration,
    /// Files must be changed after this; nothing for the first batch of a stream that takes what exists.
    pub(super) start: Option<Time>,
    options: FileStreamOptions,
    /// The files that were taken, by path.
    pub(super) taken: BTreeMap<String, TakenFile>,
    pub(super) waiting: Waiting,
    /// The batch that was selected last, and its files.
    pub(super) last: Option<(Time, Vec<FileStatus>)>,
    /// The last batch of before a restart of which it is known what it was made of.
    pub(super) known: Option<Time>,
    /// The files that were there after a restart and are for a batch that was missed, once someone has asked.
    pub(super) while_away: Option<Vec<FileStatus>>,
    /// The first of the batches, the latest among them, that could not read the directory.
    pub(super) unlisted: Option<Time>,
    /// Whether the directory could be read last time: what goes on failing is said once.
    readable: bool,
}

/// A file that was taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct TakenFile {
    /// The time as of which it grows old.
    as_of: Time,
    bytes: u64,
    /// Whether it was said that it has been changed since.
    said: bool,
}

impl TakenFile {
    /// One from the future, taken with all that existed, must be remembered until its time has come and gone.
    pub(super) fn of(file: &FileStatus, batch: Time) -> Self {
        TakenFile { as_of: modified(file).max(batch), bytes: file.len, said: false }
    }
}

impl Selection {
    pub(super) fn new(
        directory: FsPath,
        (remember, settle): (Duration, Duration),
        now: Time,
        options: FileStreamOptions,
    ) -> Self {
        let start = if options.new_files_only { now } else { Time::from_millis(0) };
        let start = (!options.existing).then_some(start);
        Selection {
            directory,
            remember,
            settle,
            start,
            options,
            taken: BTreeMap::new(),
            waiting: Waiting::default(),
            last: None,
            known: None,
            while_away: None,
            unlisted: None,
            readable: true,
        }
    }

    /// Returns the files of a batch, the oldest first.
    pub(super) fn select(&mut self, systems: &FileSystems, batch: Time) -> Vec<FileStatus> {
        let latest = self.last.as_ref().map(|(batch, _)| *batch).max(self.known);
        if latest.is_some_and(|latest| batch <= latest) {
            // A window that is new asks for what was before it: what there is now is for the batches to come.
            return Vec::new();
        }
        let system = systems.of(&self.directory);
        let found = match system.clone().and_then(|system| self.list(&*system)) {
            Ok(found) => found,
            Err(error) => {
                if std::mem::replace(&mut self.readable, false) {
                    tracing::warn!("no files for batch {batch}, will look again: {error}");
                }
                self.not_listed(batch);
                self.options.choices.set(Vec::new());
                self.last = Some((batch, Vec::new()));
                return Vec::new();
            }
        };
        self.waiting.keep(&found);
        let oldest = self.oldest(batch);
        let since = self.since(batch);
        self.start = Some(self.start.unwrap_or(oldest));
        self.taken.retain(|_, taken| taken.as_of >= oldest);
        let mut choices = Vec::new();
        let mut files = Vec::new();
        for file in found {
            let choice = self.choose(system.as_deref().ok(), &file, since, batch);
            if matches!(choice, FileChoice::Unsettled { open: true, .. }) {
                self.say_open(&file, batch);
            }
            if let FileChoice::ChangedSince { bytes } = choice {
                self.say_changed(&file, bytes);
            }
            choices.push((file.path.clone(), choice.clone()));
            if choice == FileChoice::Taken {
                self.waiting.remove(&file.path);
                self.taken.insert(file.path.to_string(), TakenFile::of(&file, batch));
                files.push(file);
            }
        }
        (self.unlisted, self.readable) = (None, true);
        self.options.choices.set(choices);
        files.sort_by(|one, other| (one.modified, one.path.path()).cmp(&(other.modified, other.path.path())));
        self.last = Some((batch, files.clone()));
        files
    }

    /// Says of a file that is kept open, once, that it still waits.
    fn say_open(&mut self, file: &FileStatus, batch: Time) {
        if let Some(since) = self.waiting.since_long(&file.path, batch, self.remember) {
            tracing::warn!(
                "{} is kept open for writing since batch {since} or longer, and is taken when it is closed; write files \
                 elsewhere, and move them into the directory when they are complete",
                file.path
            );
        }
    }

    fn say_changed(&mut self, file: &FileStatus, bytes: u64) {
        let taken = self.taken.get_mut(&file.path.to_string());
        if taken.is_some_and(|taken| !std::mem::replace(&mut taken.said, true)) {
            tracing::warn!(
                "{} had {bytes} bytes when a batch took it and has {} now: what was added is not read; move files into the \
                 directory, or raise millstream.streaming.fileStream.settleTime",
                file.path,
                file.len
            );
        }
    }

    /// Returns after what time the files of a batch must have been changed; nothing for the first batch of a stream that takes what
    /// exists.
    pub(super) fn since(&self, batch: Time) -> Option<Since> {
        let oldest = self.oldest(batch);
        self.start.map(|start| Since { start, threshold: start.max(oldest) })
    }

    /// Returns how far back a batch looks: as far as the first one that could not, so that nothing is too old that has come since.
    fn oldest(&self, batch: Time) -> Time {
        self.unlisted.map_or(batch, |unlisted| unlisted.min(batch)) - self.remember
    }

    /// Notes that a batch could not look.
    pub(super) fn not_listed(&mut self, batch: Time) {
        self.unlisted.get_or_insert(batch);
    }

    /// Decides what a batch does with a file, and notes one that it would take, were it complete.
    pub(super) fn choose(
        &mut self,
        system: Option<&dyn FileSystem>,
        file: &FileStatus,
        since: Option<Since>,
        batch: Time,
    ) -> FileChoice {
        let choice = self.choose_by_status(file, since, batch);
        // Looked at last: it is a call of the file system.
        if choice == FileChoice::Taken
            && let Some(unsettled) = system.and_then(|system| unsettled(system, file, self.settle))
        {
            self.waiting.add(&file.path, batch);
            return unsettled;
        }
        choice
    }

    fn choose_by_status(&self, file: &FileStatus, since: Option<Since>, batch: Time) -> FileChoice {
        let changed = modified(file);
        if file.is_dir {
            FileChoice::Directory
        } else if !(self.options.filter)(&file.path) {
            if file.path.is_hidden() { FileChoice::Hidden } else { FileChoice::Filtered }
        } else if let Some(TakenFile { bytes, .. }) = self.taken.get(&file.path.to_string()).copied() {
            if bytes == file.len { FileChoice::TakenBefore } else { FileChoice::ChangedSince { bytes } }
        } else if let Some(Since { start, threshold }) = since.filter(|since| changed <= since.threshold)
            && !self.waiting.holds(&file.path)
        {
            if changed <= start {
                FileChoice::BeforeStart { changed, start }
            } else {
                FileChoice::TooOld { changed, threshold }
            }
        } else if changed > batch && since.is_some() {
            FileChoice::Later(changed)
        } else {
            FileChoice::Taken
        }
    }

    /// Returns what lies in the directories that the path names.
    pub(super) fn list(&self, system: &dyn FileSystem) -> millstream_core::Result<Vec<FileStatus>> {
        let named = system.glob(&self.directory)?;
        if named.is_empty() {
            // So that the error names what is missing.
            system.status(&self.directory)?;
        }
        let has_files = !named.is_empty();
        let mut found = Vec::new();
        let mut directories: Vec<FileStatus> = named.into_iter().filter(|named| named.is_dir).collect();
        if directories.is_empty() && has_files {
            return Err(failed("listing", &self.directory, ErrorKind::NotADirectory.into()));
        }
        while let Some(directory) = directories.pop() {
            let within = match system.list(&directory.path) {
                // It may have vanished since it was named.
                Err(error) if is_not_found(&error) => continue,
                other => other?,
            };
            let (inner, files): (Vec<_>, Vec<_>) = within.into_iter().partition(|file| file.is_dir);
            found.extend(files);
            let (visible, hidden): (Vec<_>, Vec<_>) =
                inner.into_iter().partition(|inner| self.options.recursive && !inner.path.is_hidden());
            directories.extend(visible);
            found.extend(hidden);
        }
        Ok(found)
    }
}

/// Returns whether the error says that there is no directory.
pub(super) fn is_no_directory(error: &CoreError) -> bool {
    let no_directory = |kind| matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory);
    matches!(error, CoreError::Io { source, .. } if no_directory(source.kind()))
}

/// After what time a file must have been changed.
#[derive(Clone, Copy)]
pub(super) struct Since {
    start: Time,
    /// The start, or later: what is older may have been taken and forgotten.
    threshold: Time,
}

pub(super) fn modified(file: &FileStatus) -> Time {
    let since = file.modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
