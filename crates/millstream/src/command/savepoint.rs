//! `millstream savepoint`: has a running program write a savepoint.

use std::path::PathBuf;
use std::time::Duration;

use millstream::parse_duration;
use millstream::prelude::*;
use millstream::streaming::checkpoints;

use super::file_systems::Settings;
use super::stdout;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The checkpoint directory of the running program, on this machine or as a URI.
    checkpoints: PathBuf,
    /// Where the savepoint is to be written.
    directory: PathBuf,
    /// How long to wait for it: it is written when a batch is completed.
    #[arg(long, value_name = "TIME", default_value = "5min", value_parser = parse_duration)]
    patience: Duration,
    #[command(flatten)]
    settings: Settings,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Error> {
    let Arguments { checkpoints, directory, patience, settings } = arguments;
    let files = settings.file_systems(&[checkpoints, directory])?;
    let batch = checkpoints::request_savepoint(&files, checkpoints, directory, *patience)?;
    stdout::print(&format!("{}: a savepoint of batch {batch}\n", directory.display()))?;
    Ok(())
}
