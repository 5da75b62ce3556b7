//! This machine's files on a disk that refuses what a test says.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use millstream_core::Result;
use millstream_core::fs::{FileStatus, FileSystem, FileWriter, FsPath, LocalFs, failed};

/// Whether something that is done to a path is refused.
type Refuses = Box<dyn Fn(&str) -> bool + Send>;

/// What is done to a path.
type Happens = Box<dyn FnOnce(&str) + Send>;

/// A disk that refuses to begin files, or to delete them, by their paths; and on which others write.
#[derive(Default)]
pub(crate) struct FlawedDisk {
    to_create: Mutex<Option<Refuses>>,
    to_delete: Mutex<Option<Refuses>>,
    before_open: Mutex<Option<Happens>>,
}

impl FlawedDisk {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Refuses from now on to begin the files of which that is said.
    pub(crate) fn refuse_to_create(&self, refuses: impl Fn(&str) -> bool + Send + 'static) {
        *self.to_create.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(refuses));
    }

    /// Refuses from now on to delete the files of which that is said.
    pub(crate) fn refuse_to_delete(&self, refuses: impl Fn(&str) -> bool + Send + 'static) {
        *self.to_delete.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(refuses));
    }

    /// Does something to the file that is opened next, before it is.
    pub(crate) fn before_open(&self, happens: impl FnOnce(&str) + Send + 'static) {
        *self.before_open.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(happens));
    }
}

fn answer(refuses: &Mutex<Option<Refuses>>, path: &FsPath) -> Result<()> {
    let refuses = refuses.lock().unwrap_or_else(PoisonError::into_inner);
    match &*refuses {
        Some(refuses) if refuses(path.path()) => {
            Err(failed("writing", path, io::Error::other("the disk refuses")))
        }
        _ => Ok(()),
    }
}

impl FileSystem for FlawedDisk {
    fn status(&self, path: &FsPath) -> Result<FileStatus> {
        LocalFs.status(path)
    }

    fn list(&self, directory: &FsPath) -> Result<Vec<FileStatus>> {
        LocalFs.list(directory)
    }

    fn open(&self, file: &FileStatus, offset: u64) -> Result<Box<dyn Read + Send>> {
        let happens = self.before_open.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(happens) = happens {
            happens(file.path.path());
        }
        LocalFs.open(file, offset)
    }

    fn create(&self, path: &FsPath) -> Result<Box<dyn FileWriter>> {
        answer(&self.to_create, path)?;
        LocalFs.create(path)
    }

    fn rename(&self, from: &FsPath, to: &FsPath) -> Result<()> {
        LocalFs.rename(from, to)
    }

    fn delete(&self, path: &FsPath) -> Result<bool> {
        answer(&self.to_delete, path)?;
        LocalFs.delete(path)
    }

    fn make_directories(&self, path: &FsPath) -> Result<()> {
        LocalFs.make_directories(path)
    }
}
