//! Kills a stream program again and again, and compares what it leaves with a run that was never disturbed.
//!
//! `kill --kills 200 --seed 1` runs a pipeline in a child process: a receiver with a write-ahead log over a server that sends
//! again what was not acknowledged, a directory of files, windows, both kinds of state, sessions that time out, a named
//! broadcast and a named accumulator, exactly-once outputs into files and into the tables of an SQLite database, and one that
//! is saved as a directory for each batch. The child dies at random moments, at every place of `failpoint::NAMES`, and while it
//! stops because it was told to, and is started again each time: as the same program or as its second version, which has an
//! operator and an output more, from its checkpoints or from a savepoint that it was asked for. The last line is `N kills, M
//! differences`; the exit code is 1 if there are differences. Equal seeds kill at the same places.
//!
//! # What is compared
//!
//! Which batch a record comes to is a matter of the clock. All else is not, so that each sink is held to the byte
//!
//! - **against the run without kills, and against the data**, in what its batches come to as a whole ([`compare`]):
//!   - `received`: the lines of all batches, one after the other, are the records that were sent, in their order, each once;
//!   - `files`: each file lies in one batch, as it was written;
//!   - `counts`, `saved`, `sessions`, the windows that do not overlap and the tables: their sums are those of the data, since each record
//!     is in one of them;
//!   - `totals` and windows that overlap: their last batches, when all has come and all has left the windows;
//!   - `dropped`: what the accumulator has come to, which counts each dropped word once however often its batch was run;
//! - **against its own inputs**, batch by batch ([`model`]): `stored` and `files` say what a batch was given, and every other
//!   output of that batch follows from that and from the batches before it, in both runs. So there is no batch too
//!   many or too few, no window that lacks a batch, no session that ends late or twice, no state of another batch;
//! - **against itself**: what a child has stored once comes once, a word lies in one partition for good, all partitions of a
//!   batch are there; of what was saved `_SUCCESS` is there too, and nothing that was being written.
//!
//! The second version must give the same in all outputs that both have; the one that it adds is held to its inputs too. Lines
//! are sorted within a batch where no order is promised, which is all that is not compared.

mod asked;
mod child;
mod compare;
mod data;
mod harness;
mod model;
mod outcome;
mod pipeline;
mod plan;
mod receiver;
mod run;
mod server;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::pipeline::Life;

/// As in the `millstream` command: what is tested is what users have.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What goes wrong here is told to a person and ends the program.
type Result<T> = std::result::Result<T, String>;

enum Role {
    Parent { kills: usize, seed: u64 },
    Child(Life),
}

fn main() -> ExitCode {
    match role() {
        Ok(Role::Child(life)) => match child::run(&life) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say(format_args!("child {}: {error}", life.number));
                ExitCode::FAILURE
            }
        },
        Ok(Role::Parent { kills, seed }) => match harness::run(kills, seed) {
            Ok(differences) => {
                let _ = writeln!(std::io::stdout(), "{kills} kills, {differences} differences");
                if differences == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(message) => {
                say(format_args!("kill: {message}"));
                ExitCode::from(2)
            }
        },
        Err(message) => {
            say(format_args!("kill: {message}; use --kills N --seed S"));
            ExitCode::from(2)
        }
    }
}

/// Tells the person who watches.
fn say(line: std::fmt::Arguments<'_>) {
    // Nothing is left to do if no one reads.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn role() -> Result<Role> {
    let (mut kills, mut seed) = (200, None);
    let (mut directory, mut checkpoint, mut savepoint) = (None, PathBuf::new(), None);
    let (mut port, mut number, mut version) = (0, 0, 1);
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
        let wrong = |_| format!("{name} {value}: not a number");
        match name.as_str() {
            "--kills" => kills = value.parse().map_err(wrong)?,
            "--seed" => seed = Some(value.parse().map_err(wrong)?),
            "--child" => directory = Some(PathBuf::from(&value)),
            "--checkpoint" => checkpoint = PathBuf::from(&value),
            "--savepoint" => savepoint = Some(PathBuf::from(&value)),
            "--port" => port = value.parse().map_err(wrong)?,
            "--life" => number = value.parse().map_err(wrong)?,
            "--version" => version = value.parse().map_err(wrong)?,
            _ => return Err(format!("{name}: unknown")),
        }
    }
    let now = || std::time::UNIX_EPOCH.elapsed().map_or(1, |now| now.as_millis() as u64);
    Ok(match directory {
        Some(directory) => Role::Child(Life { directory, checkpoint, savepoint, port, number, version }),
        None => Role::Parent { kills, seed: seed.unwrap_or_else(now) },
    })
}
