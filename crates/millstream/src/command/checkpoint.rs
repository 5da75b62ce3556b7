//! `millstream checkpoint`: what a checkpoint directory holds, and whether it is whole.

use std::path::PathBuf;

use millstream::prelude::*;
use millstream::streaming::checkpoints;
use millstream::streaming::clock::{Clock, SystemClock};

use super::file_systems::Settings;
use super::{Failure, stdout};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Arguments {
    /// Says what is in a checkpoint directory and what a restart would do.
    Explain(Directory),
    /// Reads every file that a restart would read, and tells which are not whole.
    Verify(Directory),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Directory {
    /// The directory, on this machine or as a URI.
    directory: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

/// Why nothing good can be said of a directory.
#[derive(Debug)]
pub(crate) enum Trouble {
    Failed(Error),
    NotWhole(usize),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Failed(error) => error.fmt(f),
            Trouble::NotWhole(1) => f.write_str("1 file is not whole"),
            Trouble::NotWhole(files) => write!(f, "{files} files are not whole"),
        }
    }
}

impl Failure for Trouble {}

impl<E: Into<Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Trouble::Failed(error.into())
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Trouble> {
    match arguments {
        Arguments::Explain(Directory { directory, settings }) => {
            let files = settings.file_systems(&[directory])?;
            Ok(stdout::print(&checkpoints::explain(&files, directory, SystemClock.now())?)?)
        }
        Arguments::Verify(Directory { directory, settings }) => {
            let files = settings.file_systems(&[directory])?;
            let verified = checkpoints::verify(&files, directory)?;
            if verified.checkpoints == 0 && verified.problems.is_empty() {
                let directory = directory.display().to_string();
                return Err(Trouble::Failed(Error::NoCheckpoint { directory }));
            }
            let lines: String = verified.problems.iter().map(|problem| format!("{problem}\n")).collect();
            stdout::print(&format!(
                "{lines}{} checkpoints, {} data files and {} records of logs are whole\n",
                verified.checkpoints, verified.data_files, verified.log_records
            ))?;
            match verified.problems.len() {
                0 => Ok(()),
                files => Err(Trouble::NotWhole(files)),
            }
        }
    }
}
