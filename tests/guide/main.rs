//! The programs of the documentation: `guide NAME` runs the block of that name. `build.rs` finds them, `it/documentation.rs`
//! runs them.
#![allow(
    missing_docs,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "programs of the documentation are written for its readers"
)]

use std::process::ExitCode;

include!(concat!(env!("OUT_DIR"), "/programs.rs"));

/// The port that stands for the page's, as the test has set it.
#[allow(dead_code, reason = "only programs with ports call it")]
fn free_port(written: u16) -> u16 {
    let set = std::env::var(format!("MILLSTREAM_GUIDE_PORT_{written}"));
    set.ok().and_then(|port| port.parse().ok()).unwrap_or(written)
}

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    match run(&name) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("the documentation has no program `{name}`");
            ExitCode::from(2)
        }
    }
}
