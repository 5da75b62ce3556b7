//! What a checkpoint keeps of a file stream: which files each batch has taken.

use std::collections::BTreeMap;

use millstream_core::fs::{FileStatus, FileSystems, FsPath};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FileChoice;
use super::selection::{Selection, TakenFile, is_no_directory, modified};
use crate::error::{Error, Result};
use crate::time::Time;

/// The files of a batch.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedFiles {
    /// As of when the stream takes files; nothing if its first batch has not said yet.
    pub(super) start: Option<Time>,
    pub(super) files: Vec<FileStatus>,
    /// The paths of those that it has left out because they may grow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) waiting: Vec<FsPath>,
    /// Since which batch the directory could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unlisted: Option<Time>,
}

impl SavedFiles {
    /// Reads what a checkpoint says.
    pub(super) fn of(saved: &Value) -> Result<Self> {
        serde_json::from_value(saved.clone()).map_err(|error| Error::Damaged {
            file: "the checkpoint".into(),
            problem: format!("the files of a batch can not be read from it: {error}"),
            remedy: "recover with the version of Millstream that wrote it".into(),
        })
    }
}

/// Returns a file of this machine as it is after a restart, if its length and time say that it is the one that was saved: its number is
/// another one where the disk was mounted anew, or the file was put back from a copy.
pub(super) fn found_again(systems: &FileSystems, saved: FileStatus) -> FileStatus {
    if saved.path.as_local().is_none() {
        return saved;
    }
    match systems.of(&saved.path).and_then(|system| system.status(&saved.path)) {
        Ok(now) if !now.is_dir && (now.len, now.modified) == (saved.len, saved.modified) => now,
        // It is for the tasks that read it to say what is wrong.
        _ => saved,
    }
}

impl Selection {
    /// Returns what is to be kept of the batch that was selected last.
    pub(super) fn saved(&self, batch: Time) -> Option<Value> {
        let (selected, files) = self.last.as_ref()?;
        if *selected != batch {
            return None;
        }
        let (files, waiting) = (files.clone(), self.waiting.paths());
        let saved = SavedFiles { start: self.start, files, waiting, unlisted: self.unlisted };
        serde_json::to_value(saved).ok()
    }

    /// Goes on where a stream that was begun at `zero` has ended.
    pub(super) fn restore(&mut self, zero: Time, saved: &BTreeMap<Time, Value>) -> Result<()> {
        if self.start.is_some_and(|start| start > zero) {
            self.start = Some(zero);
        }
        self.known = saved.last_key_value().map(|(batch, _)| *batch);
        for (batch, saved) in saved {
            let SavedFiles { start, files, waiting, unlisted } = SavedFiles::of(saved)?;
            self.start = start.or(self.start);
            self.unlisted = unlisted;
            for path in &waiting {
                self.waiting.add(path, *batch);
            }
            for file in files {
                self.waiting.remove(&file.path);
                self.taken.insert(file.path.to_string(), TakenFile::of(&file, *batch));
            }
        }
        Ok(())
    }

    /// Returns whether files of a batch could be taken once more if they were forgotten.
    pub(super) fn still_needs(&self, batch: Time, saved: &Value, threshold: Time) -> bool {
        let files = SavedFiles::of(saved).map(|saved| saved.files).unwrap_or_default();
        let oldest = self.unlisted.map_or(threshold, |unlisted| unlisted.min(threshold)) - self.remember;
        files.iter().any(|file| modified(file).max(batch) >= oldest)
    }

    /// Returns whether a batch that was missed would take no file; not so if that can not be told. To be asked of one batch after the
    /// other.
    ///
    /// The directory is read once: the interval is over, and what appears in it now is looked for by the batches to come.
    pub(super) fn is_quiet(&mut self, systems: &FileSystems, batch: Time) -> bool {
        let mut files = match self.while_away.take() {
            Some(files) => files,
            None => match systems.of(&self.directory).and_then(|system| self.list(&*system)) {
                Err(error) if is_no_directory(&error) => {
                    self.not_listed(batch);
                    Vec::new()
                }
                // The batch looks for itself, and so does the next one.
                Err(_) => return false,
                Ok(listed) => listed,
            },
        };
        let since = self.since(batch);
        let mut is_quiet = true;
        // A file that came late, as one does that is moved, is taken by the first batch that sees it: the time at which it was changed
        // may be that of an earlier batch. What none will take any more is not looked at again.
        let system = systems.of(&self.directory).ok();
        files.retain(|file| match self.choose(system.as_deref(), file, since, batch) {
            FileChoice::Taken => {
                is_quiet = false;
                true
            }
            FileChoice::Unsettled { .. } | FileChoice::Later(_) => true,
            _ => false,
        });
        self.while_away = Some(files);
        is_quiet
    }
}
