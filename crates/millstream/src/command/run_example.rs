//! `millstream run-example`: example programs, under Spark's name or the file's.

mod names;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Failure;
use names::{EXAMPLES, file_name};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The example: `streaming.NetworkWordCount`, `NetworkWordCount` or `network_word_count`.
    name: Option<String>,
    /// What it is given; without it most examples tell what they need.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Becomes the example, so that signals and the exit code are its own; returns only if that is not possible.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Problem> {
    let Some(name) = &arguments.name else { return Err(Problem::NoName) };
    let file = file_name(name).ok_or_else(|| Problem::Unknown(name.clone()))?;
    match become_example(file, &arguments.arguments)? {}
}

fn become_example(file: &'static str, arguments: &[String]) -> Result<Infallible, Problem> {
    let beside = beside_this_program(file);
    let mut command = match (checkout(), &beside) {
        // Cargo first: it runs what the example's file says now, and is quick if nothing has changed.
        (Some(examples), _) => built_by_cargo(&examples, file),
        (None, Some(program)) => Command::new(program),
        (None, None) => return Err(Problem::NotBuilt(file)),
    };
    let mut error = command.args(arguments).exec();
    if error.kind() == io::ErrorKind::NotFound
        && let Some(program) = beside
    {
        error = Command::new(program).args(arguments).exec();
    }
    Err(Problem::Start { file, error })
}

/// The manifest of the examples, if this program still has the checkout it was built from.
fn checkout() -> Option<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/Cargo.toml");
    manifest.is_file().then_some(manifest)
}

fn built_by_cargo(manifest: &Path, file: &str) -> Command {
    // `cargo run` names itself to what it runs.
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["run", "--quiet", "--release", "--manifest-path"]).arg(manifest).args(["--bin", file, "--"]);
    cargo
}

fn beside_this_program(file: &str) -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.with_file_name(file);
    program.is_file().then_some(program)
}

/// Why an example does not run.
#[derive(Debug)]
pub(crate) enum Problem {
    NoName,
    Unknown(String),
    NotBuilt(&'static str),
    Start { file: &'static str, error: io::Error },
}

impl Failure for Problem {
    fn is_misuse(&self) -> bool {
        matches!(self, Problem::NoName | Problem::Unknown(_))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::NoName => write!(f, "no example is named")?,
            Problem::Unknown(name) => write!(f, "there is no example `{name}`")?,
            Problem::NotBuilt(file) => {
                return write!(
                    f,
                    "`{file}` does not lie beside this program; in a checkout of Millstream write \
                     `cargo build --release -p millstream-examples` and copy `target/release/{file}` to it"
                );
            }
            Problem::Start { file, error } => {
                return write!(f, "can not start `{file}`: {error}; is cargo installed and on the PATH?");
            }
        }
        write!(f, "; write `millstream run-example NAME ARGUMENTS` with one of")?;
        let longest =
            |length: fn(&(&str, &str, &str)) -> usize| EXAMPLES.iter().map(length).max().unwrap_or_default();
        let (of_spark, of_files) = (longest(|(_, spark, _)| spark.len()), longest(|(file, ..)| file.len()));
        EXAMPLES.iter().try_for_each(|(file, spark, does)| {
            write!(f, "\n  {spark:<of_spark$} or {file:<of_files$} {does}")
        })
    }
}
