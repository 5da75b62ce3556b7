//! Kills a stream program again and again, and compares what it leaves with a run that was never disturbed.
//!
//! `kill --kills 200 --seed 1` runs a pipeline in a child process (a receiver with a write-ahead log, a directory of files,
//! windows, both kinds of state, exactly-once outputs), kills it at random moments and at named places, and starts it
//! again each time. All that the outputs hold must be, byte for byte, what a run without kills leaves. The last line is
//! `N kills, M differences`; the exit code is 1 if there are differences. Equal seeds kill at the same places.

mod child;
mod data;
mod harness;
mod outcome;
mod server;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// As in the `millstream` command: what is tested is what users have.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What goes wrong here is told to a person and ends the program.
type Result<T> = std::result::Result<T, String>;

enum Role {
    Parent { kills: usize, seed: u64 },
    Child { directory: PathBuf, port: u16 },
}

fn main() -> ExitCode {
    match role() {
        Ok(Role::Child { directory, port }) => match child::run(&directory, port) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say(format_args!("child: {error}"));
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
    let (mut kills, mut seed, mut directory, mut port) = (200, None, None, 0);
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
        let wrong = |_| format!("{name} {value}: not a number");
        match name.as_str() {
            "--kills" => kills = value.parse().map_err(wrong)?,
            "--seed" => seed = Some(value.parse().map_err(wrong)?),
            "--child" => directory = Some(PathBuf::from(&value)),
            "--port" => port = value.parse().map_err(wrong)?,
            _ => return Err(format!("{name}: unknown")),
        }
    }
    let now = || std::time::UNIX_EPOCH.elapsed().map_or(1, |now| now.as_millis() as u64);
    Ok(match directory {
        Some(directory) => Role::Child { directory, port },
        None => Role::Parent { kills, seed: seed.unwrap_or_else(now) },
    })
}
