//! What went wrong with a file, in words that help.

use std::io::{self, ErrorKind};

use super::FsPath;
use crate::error::Error;

/// Makes an error of what was being done to a path: what, where, why, and what can be done about it.
///
/// # Examples
/// ```
/// use std::io::{Error, ErrorKind};
/// use millstream_core::fs::{FsPath, failed};
///
/// let error = failed("listing", &FsPath::parse("/no/such")?, Error::from(ErrorKind::NotFound));
/// assert_eq!(error.to_string(), "listing /no/such: entity not found; check the path");
/// # Ok::<(), millstream_core::Error>(())
/// ```
#[must_use]
pub fn failed(doing: &str, path: &FsPath, error: io::Error) -> Error {
    let remedy = match error.kind() {
        ErrorKind::NotFound => "check the path",
        ErrorKind::PermissionDenied => "give the user this program runs as the right to do so",
        ErrorKind::IsADirectory => "name a file, or another name",
        ErrorKind::NotADirectory => "a part of the path is a file: name a directory",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room there, or write elsewhere",
        ErrorKind::InvalidFilename => "choose a shorter name",
        ErrorKind::FileTooLarge => "write smaller files, or raise the limit on the length of files",
        ErrorKind::ReadOnlyFilesystem => "write elsewhere",
        _ => return Error::io(format!("{doing} {path}"), error),
    };
    let kind = error.kind();
    Error::io(format!("{doing} {path}"), io::Error::new(kind, format!("{error}; {remedy}")))
}

/// Makes an error of a failure to write, inside of a format that does not know where it writes to.
#[must_use]
pub fn write_failed(error: io::Error) -> Error {
    Error::io("writing", error)
}

/// Returns whether the error says that a file or directory is missing.
#[must_use]
pub fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == ErrorKind::NotFound)
}
