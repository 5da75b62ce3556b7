//! `s3`: moto, a server that speaks S3's language, from Python's package index.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use super::{Service, answers_http, folder};
use crate::Result;
use crate::step::stream;

const VERSION: &str = "5.2.5";

/// Serves until stdin is closed.
const SERVE: &str = "
import os, sys, threading
from moto.server import main
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
main(['-H', '127.0.0.1', '-p', sys.argv[1]])
";

/// Starts the server; the first time it is installed.
pub(crate) fn start(out: &mut dyn Write) -> Result<Service> {
    let home = folder()?.join(format!("moto-{VERSION}"));
    if !home.join("installed").exists() {
        install(&home, out)?;
    }
    Service::start(
        "s3",
        "MILLSTREAM_TEST_S3",
        |address| {
            let mut command = Command::new(home.join("bin/python"));
            command.args(["-c", SERVE, &address.port().to_string()]);
            command
        },
        |address| answers_http(address, "/moto-api/"),
    )
}

fn install(home: &Path, out: &mut dyn Write) -> Result<()> {
    let failed = |message: String| {
        format!(
            "{message}; the S3 server for the tests needs python3 with its modules venv and pip, and a package index"
        )
    };
    // What an installation that was broken off has left is made anew.
    stream(Command::new("python3").args(["-m", "venv", "--clear"]).arg(home), out, |_| {}).map_err(failed)?;
    let mut pip = Command::new(home.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        &format!("moto[server,s3]=={VERSION}"),
    ]);
    stream(&mut pip, out, |_| {}).map_err(failed)?;
    std::fs::write(home.join("installed"), VERSION)
        .map_err(|e| format!("cannot write into {}: {e}", home.display()))
}
