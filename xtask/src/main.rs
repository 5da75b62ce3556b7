//! `cargo xtask`: the one door to the project's automation.
//!
//! Every command is a list of steps; a step is an ordinary program whose output streams through. Each step prints
//! its name before and its time after it, the last line sums the tests: `12 passed, 0 failed, 0 skipped`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its user")]

mod bench;
mod check;
mod docs;
mod kill;
mod services;
mod step;
mod tidy;
mod toolchain;
mod totals;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What goes wrong here is told to a person and ends the program, so text is all it needs to be.
type Result<T> = std::result::Result<T, String>;

const USAGE: &str = "\
The project's automation.

Usage: cargo xtask COMMAND

  check           what continuous integration runs: lint, then test
  lint            format, clippy, tidy, API documentation, generated documentation
  test            all tests: unit, documentation, integration, end to end
  tidy            the project's own rules (sizes, examples, COMPAT.md, links, ...), within a second
  bench [ARGS]    each workload beside the hand-written loop; ARGS go to the bench program
  kill [ARGS]     kills a stream program again and again, and compares what it leaves; ARGS: --kills N --seed S
  services NAME   a system that tests talk to, until it is ended: s3
  docs [--check]  write the generated pages under docs/; with --check only say whether they are current
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["check"] => check::check(),
        ["lint"] => check::lint(),
        ["test"] => check::test(),
        ["tidy"] => tidy::run(&root(), &mut std::io::stdout()),
        ["bench", rest @ ..] => bench::run(rest),
        ["kill", rest @ ..] => kill::run(rest),
        ["docs"] => docs::write(),
        ["docs", "--check"] => docs::check(),
        ["services", name] => services::serve(name),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the checkout: this package's parent folder, wherever the command was typed.
fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}
