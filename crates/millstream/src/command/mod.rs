//! What the command line says, and who does it.

mod checkpoint;
mod demo;
mod file_systems;
mod nc;
mod run_example;
mod savepoint;
mod settings;
mod signals;
mod stdout;

use std::ffi::OsString;
use std::fmt::Display;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::stderr;

/// Spark Streaming, re-made in Rust.
///
/// Without a command it runs `demo wordcount`.
#[derive(Debug, Parser)]
#[command(name = "millstream", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a stream that needs nothing else.
    Demo {
        #[command(subcommand)]
        demo: Option<Demo>,
    },
    /// Plays netcat: sends the lines of stdin to whoever connects.
    Nc(nc::Arguments),
    /// Runs an example program, under Spark's name or the file's.
    RunExample(run_example::Arguments),
    /// Looks at a checkpoint directory.
    Checkpoint {
        #[command(subcommand)]
        what: checkpoint::Arguments,
    },
    /// Has a running program write a savepoint when its next batch is completed.
    Savepoint(savepoint::Arguments),
    /// Prints the table of settings.
    Settings(settings::Arguments),
}

#[derive(Debug, Subcommand)]
enum Demo {
    /// Counts the words of a text that a built-in generator sends over TCP.
    Wordcount(demo::Arguments),
}

/// Does what the command line asks for; wrong arguments end the program with their usage and the exit code 2.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Arguments::parse_from(arguments).command {
        None | Some(Command::Demo { demo: None }) => {
            report("demo wordcount", demo::run(&demo::Arguments::default()))
        }
        Some(Command::Demo { demo: Some(Demo::Wordcount(arguments)) }) => {
            report("demo wordcount", demo::run(&arguments))
        }
        Some(Command::Nc(arguments)) => report("nc", nc::run(&arguments)),
        Some(Command::RunExample(arguments)) => report("run-example", run_example::run(&arguments)),
        Some(Command::Checkpoint { what }) => report("checkpoint", checkpoint::run(&what)),
        Some(Command::Savepoint(arguments)) => report("savepoint", savepoint::run(&arguments)),
        Some(Command::Settings(arguments)) => report("settings", settings::run(&arguments)),
    }
}

/// Why a command failed, told to the user.
trait Failure: Display {
    /// Whether the command line was wrong, which the exit code tells.
    fn is_misuse(&self) -> bool {
        false
    }
}

impl Failure for std::io::Error {}
impl Failure for millstream::Error {}

fn report(command: &str, outcome: Result<(), impl Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            stderr::line(format_args!("millstream {command}: {failure}"));
            ExitCode::from(if failure.is_misuse() { 2 } else { 1 })
        }
    }
}
