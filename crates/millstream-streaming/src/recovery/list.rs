//! `list`: what lies in a directory, if it is there.

use millstream_core::fs::{FileStatus, FileSystem, FsPath, is_not_found};

use crate::error::Result;

/// Returns what lies in a directory; one that is missing is empty.
///
/// # Errors
/// If it can not be read.
pub(super) fn list(system: &dyn FileSystem, directory: &FsPath) -> Result<Vec<FileStatus>> {
    match system.list(directory) {
        Err(error) if is_not_found(&error) => Ok(Vec::new()),
        listed => Ok(listed?),
    }
}
