//! Which cargo is called, and the toolchain's parts that a minimal installation lacks.

use crate::step::stream;
use crate::{Result, root};
use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Stdio};

/// `cargo SUBCOMMAND` in the root of the checkout, with the cargo that runs this program.
pub(crate) fn cargo(subcommand: &str) -> Command {
    let mut command = Command::new(program());
    command.current_dir(root()).arg(subcommand);
    command
}

/// Installs rustfmt and clippy where they are missing, as they are after rustup's minimal profile.
pub(crate) fn ensure_lint_tools(out: &mut dyn Write) -> Result<()> {
    let missing: Vec<&str> = [("fmt", "rustfmt"), ("clippy", "clippy")]
        .iter()
        .filter(|(c, _)| !answers(c))
        .map(|(_, part)| *part)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    stream(Command::new("rustup").args(["component", "add"]).args(&missing), out, |_| {}).map_err(|message| {
        format!(
            "{message}; {} is needed: install it with your system's package manager",
            missing.join(" and ")
        )
    })
}

fn answers(subcommand: &str) -> bool {
    let mut command = Command::new(program());
    command.args([subcommand, "--version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
