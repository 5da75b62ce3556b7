//! Completes the directory of a span of which the last batch was none: nothing came while the program was away.

use millstream_core::Result;
use millstream_core::fs::{FileSystems, FsPath, is_not_found};
use millstream_core::rdd::SUCCESS;

/// Says that a directory is complete, unless nothing was saved there or it has been said.
pub(super) fn complete(systems: &FileSystems, directory: &str) -> Result<()> {
    let directory = FsPath::parse(directory)?;
    let system = systems.of(&directory)?;
    let files = match system.list(&directory) {
        Err(error) if is_not_found(&error) => return Ok(()),
        files => files?,
    };
    let success = directory.join(SUCCESS);
    let has_parts = files.iter().any(|file| file.path.name().starts_with("part-"));
    if has_parts && !files.iter().any(|file| file.path == success) {
        system.create(&success)?.publish()?;
    }
    Ok(())
}
