//! What the command tells people beside its results.

use std::fmt;
use std::io::Write;

/// Writes a line to stderr. Where that is closed nobody wants to know.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
