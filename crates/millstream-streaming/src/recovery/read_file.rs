//! `read_file`: a small file as a whole, if it is there.

use std::io::Read;

use millstream_core::fs::{FileSystem, FsPath, failed, is_not_found};

use crate::error::Result;

/// Reads a file as a whole; nothing if it is not there.
///
/// # Errors
/// If it can not be read.
pub(super) fn read_file(system: &dyn FileSystem, path: &FsPath) -> Result<Option<Vec<u8>>> {
    let status = match system.status(path) {
        Err(error) if is_not_found(&error) => return Ok(None),
        status => status?,
    };
    let mut bytes = Vec::new();
    let mut file = system.open(&status, 0)?;
    file.read_to_end(&mut bytes).map_err(|error| failed("reading", path, error))?;
    Ok(Some(bytes))
}
