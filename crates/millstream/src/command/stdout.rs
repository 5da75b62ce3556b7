//! What commands print for whoever asked.

use std::io::{self, ErrorKind, Write as _};

use millstream::core::{Error, Result};

/// Prints a text; a reader that has gone, such as `head`, has seen enough.
pub(super) fn print(text: &str) -> Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::io("writing to stdout", error)),
        _ => Ok(()),
    }
}
