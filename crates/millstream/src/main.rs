//! The `millstream` command; `command` says what it can do.

mod command;
mod stderr;

use std::process::ExitCode;

/// Counting words allocates little but often; this allocator is what the engine's speed is measured with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    command::run(std::env::args_os())
}
