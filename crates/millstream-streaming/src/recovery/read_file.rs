//! `read_file`: a small file as a whole, if it is there.

use std::io::Read;

use millstream_core::fs::{FileStatus, FileSystem, FsPath, failed, is_not_found};

use crate::error::Result;

/// Reads a file as a whole; nothing if it is not there.
///
/// # Errors
/// If it can not be read.
pub(super) fn read_file(system: &dyn FileSystem, path: &FsPath) -> Result<Option<Vec<u8>>> {
    match system.status(path) {
        Err(error) if is_not_found(&error) => Ok(None),
        status => read_listed(system, &status?),
    }
}

/// Reads a file that was listed as a whole; nothing if it is not there any more.
///
/// # Errors
/// If it can not be read.
pub(super) fn read_listed(system: &dyn FileSystem, file: &FileStatus) -> Result<Option<Vec<u8>>> {
    let mut opened = match system.open(file, 0) {
        Err(error) if is_not_found(&error) => return Ok(None),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    opened.read_to_end(&mut bytes).map_err(|error| failed("reading", &file.path, error))?;
    Ok(Some(bytes))
}
