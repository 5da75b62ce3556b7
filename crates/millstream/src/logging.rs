//! What the engine has to say, on stderr.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::filter::LevelFilter;

/// The environment variable that says how much is told.
const VARIABLE: &str = "MILLSTREAM_LOG";

/// Writes the engine's warnings and errors to stderr, one line each.
///
/// The environment variable `MILLSTREAM_LOG` asks for more or less: `off`, `error`, `warn` (the default), `info`, `debug` or
/// `trace`. A program that has set up a `tracing` subscriber of its own keeps it, and this does nothing.
///
/// # Examples
/// ```
/// millstream::log_to_stderr();
/// ```
pub fn log_to_stderr() {
    let asked = std::env::var(VARIABLE).ok();
    let level = asked.as_deref().map(str::parse::<LevelFilter>);
    let logging = tracing_subscriber::fmt()
        .with_max_level(
            level.as_ref().and_then(|level| level.as_ref().ok()).copied().unwrap_or(LevelFilter::WARN),
        )
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(|| Lines { on_terminal: io::stderr().is_terminal() });
    // Refused means that there is a subscriber already.
    if logging.try_init().is_ok()
        && let (Some(asked), Some(Err(_))) = (asked, level)
    {
        tracing::warn!("{VARIABLE}=`{asked}` is no level; write off, error, warn, info, debug or trace");
    }
}

/// Writes each event to stderr; on a terminal over a status line that may stand there.
struct Lines {
    on_terminal: bool,
}

impl Write for Lines {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut stderr = io::stderr().lock();
        if self.on_terminal {
            stderr.write_all(b"\r\x1b[K")?;
        }
        stderr.write_all(event)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
