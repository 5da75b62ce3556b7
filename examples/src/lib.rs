//! What the example programs share: how they read their arguments and how they end.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use millstream::prelude::*;
use millstream::settings;

/// The allocator of every example.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SETTINGS: &str = "\
Settings, anywhere among the arguments:
  --master URL            local, local[n] or local[*] (the default: all cores)
  --name NAME             the name of the application
  --conf KEY=VALUE        any other setting; `millstream settings` lists them
  --properties-file FILE  a file of settings";

/// Writes a line to standard output; whoever has stopped reading ends the program.
pub fn tell(line: String) -> Result<()> {
    let written = writeln!(std::io::stdout(), "{line}");
    Ok(written.map_err(|error| millstream::core::Error::io("writing to standard output", error))?)
}

/// Reads a port among the arguments.
pub fn port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| "a port is a number from 1 to 65535".to_owned())
}

/// Reads the address of a server among the arguments: its host and its port.
pub fn address(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, of_port)) if !host.is_empty() => port(of_port).map(|_| text.to_owned()),
        _ => Err("an address is a host and a port, such as localhost:9998".to_owned()),
    }
}

/// Runs an example: reads its settings and its arguments from the command line, and tells what went wrong.
///
/// Wrong arguments end it with their usage and the exit code 2, a failure with the exit code 1, or
/// 3 if the program does not fit its checkpoint.
pub fn run<A: Parser>(example: impl FnOnce(Conf, A) -> Result<()>) -> ExitCode {
    millstream::log_to_stderr();
    let program = std::env::args().next().unwrap_or_default();
    let outcome = Conf::from_args(std::env::args().skip(1)).map_err(Error::from).and_then(|(conf, rest)| {
        let arguments = parse::<A>([program.clone()].into_iter().chain(rest).map(OsString::from));
        // Closures that could not travel to another machine are told at once, not when the program moves to a cluster.
        example(conf.set_if_missing(settings::CLOSURES_STRICT.key(), "true"), arguments)
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let program =
                std::path::Path::new(&program).file_name().unwrap_or_default().display().to_string();
            complain(&format!("{program}: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

fn parse<A: Parser>(arguments: impl Iterator<Item = OsString>) -> A {
    let mut command = A::command().after_help(SETTINGS);
    let parsed =
        command.try_get_matches_from_mut(arguments).and_then(|matches| A::from_arg_matches(&matches));
    parsed.unwrap_or_else(|error| {
        let _ = error.print();
        if error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            complain(&format!("\n{}", command.render_help()));
        }
        std::process::exit(error.exit_code());
    })
}

/// Writes a line to standard error.
#[expect(clippy::print_stderr, reason = "a program talks to its user")]
pub fn complain(text: &str) {
    eprintln!("{text}");
}
