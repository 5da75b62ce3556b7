//! `verify`: whether a checkpoint directory can be gone on from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use millstream_core::fs::{FileSystem, FileSystems, FsPath};

use super::block_log::{BlockEvent, BlockLog, DATA, METADATA};
use super::checkpoint::Manifest;
use super::checkpoint::data_file;
use super::checkpoint::store::Found;
use super::write_ahead_log::{LogConfig, LogPosition, WriteAheadLog};
use crate::error::Result;
use crate::receiver::StreamId;
use crate::time::Time;

/// What was found in a checkpoint directory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// How many manifests are whole.
    pub checkpoints: usize,
    /// How many data files are whole that manifests name.
    pub data_files: usize,
    /// How many records of the logs are whole.
    pub log_records: usize,
    /// What is not as it was written, a file each.
    pub problems: Vec<String>,
}

/// Reads every file that a restart from a checkpoint directory, or from an older checkpoint in it, would read.
///
/// The end of a log that was not written to the end is no problem: no one was told that it is there.
///
/// # Errors
/// If the directory itself can not be read.
///
/// # Examples
/// ```
/// use millstream_core::{Conf, Context};
/// use millstream_streaming::checkpoints;
///
/// let context = Context::new(Conf::empty())?;
/// let verified = checkpoints::verify(&context.file_systems(), "/no/such/directory")?;
/// assert_eq!((verified.checkpoints, verified.problems.len()), (0, 0));
/// # Ok::<(), millstream_streaming::Error>(())
/// ```
pub fn verify(files: &FileSystems, directory: impl AsRef<Path>) -> Result<Verified> {
    let directory = FsPath::from_path(directory)?;
    let system = files.of(&directory)?;
    let found = Found::look(&*system, &directory)?;
    let broken = found.broken.iter().map(|(path, problem)| format!("{path}: {problem}"));
    let mut verified = Verified {
        checkpoints: found.intact.len(),
        data_files: 0,
        log_records: 0,
        problems: broken.chain(found.refusals.iter().map(ToString::to_string)).collect(),
    };
    let mut seen = BTreeSet::new();
    for (_, manifest) in &found.intact {
        for file in manifest.data_files().filter(|file| seen.insert(file.name.clone())) {
            match data_file::read(&*system, &directory, file) {
                Ok(_) => verified.data_files += 1,
                Err(error) => verified.problems.push(error.to_string()),
            }
        }
    }
    let logs = Logs { system: &system, directory: &directory };
    let mut problems = BTreeSet::new();
    let mut newest = BTreeMap::new();
    for (path, manifest) in &found.intact {
        newest.insert(manifest.generation, manifest);
        if let Some(last) = &manifest.block_log
            && let Err(error) = logs.of(METADATA, manifest.generation).read(last)
        {
            problems.insert(format!("{path} knows of a record that is not in the log: {error}"));
        }
    }
    for manifest in newest.into_values() {
        verified.log_records += logs.verify(manifest, &mut problems);
    }
    verified.problems.extend(problems);
    Ok(verified)
}

/// The logs of a checkpoint directory.
struct Logs<'a> {
    system: &'a Arc<dyn FileSystem>,
    directory: &'a FsPath,
}

impl Logs<'_> {
    fn of(&self, name: &str, generation: u64) -> WriteAheadLog {
        let config = LogConfig {
            generation,
            rolling_interval: Duration::from_secs(60),
            close_file_after_write: false,
            max_failures: 1,
            group_commit: true,
        };
        WriteAheadLog::new(Arc::clone(self.system), self.directory.join(name), config)
    }

    /// Reads the events of a generation, and the blocks that a restart from its newest manifest would read; returns how many
    /// records are whole.
    fn verify(&self, manifest: &Manifest, problems: &mut BTreeSet<String>) -> usize {
        let mut records = 0;
        // With the last batch that was given each.
        let mut blocks: BTreeMap<(StreamId, String, u64), (LogPosition, Option<Time>)> = BTreeMap::new();
        let key = |log, at: &LogPosition| (log, at.segment.clone(), at.offset);
        let (log, last) = (self.of(METADATA, manifest.generation), manifest.block_log.as_ref());
        let read = log.read_all(last, manifest.oldest_needed, |_, record| {
            records += 1;
            match BlockLog::event(record)? {
                BlockEvent::Added(block) => {
                    blocks.insert(key(block.id.stream, &block.at), (block.at, None));
                }
                BlockEvent::Allocated { batch, blocks: given } => {
                    for (log, at) in given.iter().flat_map(|(log, places)| places.iter().map(|at| (*log, at)))
                    {
                        blocks.entry(key(log, at)).and_modify(|(_, of)| *of = Some(batch));
                    }
                }
            }
            Ok(())
        });
        let is_gone = |log| manifest.receivers.iter().any(|saved| saved.gone && saved.log == log);
        blocks.retain(|(log, ..), (_, batch)| {
            batch.is_none_or(|batch| batch >= manifest.oldest_needed) && !is_gone(*log)
        });
        problems.extend(read.err().map(|error| error.to_string()));
        for ((log, ..), (at, _)) in blocks {
            match self.of(&format!("{DATA}/{log}"), manifest.generation).read(&at) {
                Ok(_) => records += 1,
                Err(error) => drop(problems.insert(error.to_string())),
            }
        }
        records
    }
}
