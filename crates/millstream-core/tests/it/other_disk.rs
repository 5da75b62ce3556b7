//! This machine's files under another scheme, where tests see what is done to them.

use std::io::Read;

use millstream_core::Result;
use millstream_core::fs::{FileStatus, FileSystem, FileWriter, FsPath, LocalFs};

pub(crate) struct OtherDisk {
    /// Called before a directory is listed.
    pub(crate) lists: fn(),
    /// Creates a file of this machine.
    pub(crate) create: fn(&FsPath) -> Result<Box<dyn FileWriter>>,
}

fn here(path: &FsPath) -> FsPath {
    FsPath::parse(path.path()).unwrap()
}

impl FileSystem for OtherDisk {
    fn status(&self, path: &FsPath) -> Result<FileStatus> {
        LocalFs.status(&here(path))
    }

    fn list(&self, directory: &FsPath) -> Result<Vec<FileStatus>> {
        (self.lists)();
        LocalFs.list(&here(directory))
    }

    fn open(&self, file: &FileStatus, offset: u64) -> Result<Box<dyn Read + Send>> {
        LocalFs.open(file, offset)
    }

    fn create(&self, path: &FsPath) -> Result<Box<dyn FileWriter>> {
        (self.create)(&here(path))
    }

    fn rename(&self, from: &FsPath, to: &FsPath) -> Result<()> {
        LocalFs.rename(&here(from), &here(to))
    }

    fn delete(&self, path: &FsPath) -> Result<bool> {
        LocalFs.delete(&here(path))
    }

    fn make_directories(&self, path: &FsPath) -> Result<()> {
        LocalFs.make_directories(&here(path))
    }
}
