//! `empty_folder`: a folder of a workload's own, begun anew.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Deletes a folder; one that is not there is empty already.
///
/// # Errors
/// If it can not be deleted.
pub(crate) fn empty_folder(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(format!("emptying {}: {error}: name another folder with --work", folder.display()))
        }
        _ => Ok(()),
    }
}
