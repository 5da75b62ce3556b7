//! `verify`: whether a checkpoint directory can be gone on from.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use millstream_core::fs::{FileSystems, FsPath};

use super::block_log::{DATA, METADATA};
use super::checkpoint::data_file;
use super::checkpoint::store::Found;
use super::write_ahead_log::{LogConfig, WriteAheadLog};
use crate::error::Result;

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
    let mut verified = Verified {
        checkpoints: found.intact.len(),
        data_files: 0,
        log_records: 0,
        problems: found.broken.iter().map(|(path, problem)| format!("{path}: {problem}")).collect(),
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
    let generations: BTreeSet<u64> = found.intact.iter().map(|(_, manifest)| manifest.generation).collect();
    let data = directory.join(DATA);
    let of_streams = if system.exists(&data)? { system.list(&data)? } else { Vec::new() };
    let logs = of_streams.into_iter().filter(|file| file.is_dir).map(|file| file.path);
    let logs: Vec<FsPath> = logs.chain([directory.join(METADATA)]).collect();
    for generation in generations {
        for path in &logs {
            let config = LogConfig {
                generation,
                rolling_interval: Duration::from_secs(60),
                close_file_after_write: false,
                max_failures: 1,
                group_commit: true,
            };
            let log = WriteAheadLog::new(Arc::clone(&system), path.clone(), config);
            let mut records = 0;
            let read = log.read_all(|_, _| {
                records += 1;
                Ok(())
            });
            verified.log_records += records;
            if let Err(error) = read {
                let problem = error.to_string();
                // One without a head belongs to every generation.
                if !verified.problems.contains(&problem) {
                    verified.problems.push(problem);
                }
            }
        }
    }
    for (path, manifest) in &found.intact {
        let Some(last) = &manifest.block_log else { continue };
        let config = LogConfig {
            generation: manifest.generation,
            rolling_interval: Duration::from_secs(60),
            close_file_after_write: false,
            max_failures: 1,
            group_commit: true,
        };
        let log = WriteAheadLog::new(Arc::clone(&system), directory.join(METADATA), config);
        if let Err(error) = log.read(last) {
            verified.problems.push(format!("{path} knows of a record that is not in the log: {error}"));
        }
    }
    Ok(verified)
}
