//! This machine's files on a disk that is full, or does not answer, when a test says so.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use millstream_core::Result;
use millstream_core::fs::{self, FileStatus, FileSystem, FileWriter, FsPath, LocalFs};

/// How many bytes may be written into each directory.
static ROOM: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

/// Lets so many bytes be written into a directory and those in it.
pub(crate) fn leave_room(local: &Path, bytes: usize) {
    ROOM.lock().unwrap().insert(local.display().to_string(), bytes);
}

pub(crate) fn register() {
    fs::register("faulty", |_, _| Ok(Arc::new(FaultyDisk)));
}

/// Returns a path of this machine as one of the disk.
pub(crate) fn path(local: &Path) -> PathBuf {
    PathBuf::from(format!("faulty://disk{}", local.display()))
}

/// By path: how often it can be read before, and how often not then.
static UNREADABLE: Mutex<BTreeMap<String, (usize, usize)>> = Mutex::new(BTreeMap::new());

/// A file or directory that can not be read as long as this is held.
pub(crate) struct Unreadable(String);

impl Unreadable {
    pub(crate) fn new(local: &Path) -> Self {
        let unreadable = Unreadable(local.display().to_string());
        unreadable.set(0, usize::MAX);
        unreadable
    }

    /// Has it be read so often before, and then fail so often.
    pub(crate) fn set(&self, reads: usize, failures: usize) {
        UNREADABLE.lock().unwrap().insert(self.0.clone(), (reads, failures));
    }
}

impl Drop for Unreadable {
    fn drop(&mut self) {
        UNREADABLE.lock().unwrap().remove(&self.0);
    }
}

fn answers(path: &FsPath) -> Result<()> {
    match UNREADABLE.lock().unwrap().get_mut(path.path()) {
        None | Some((0, 0)) => Ok(()),
        Some((0, failures)) => {
            *failures -= 1;
            Err(fs::failed("reading", path, io::Error::other("the disk does not answer")))
        }
        Some((reads, _)) => {
            *reads -= 1;
            Ok(())
        }
    }
}

/// Directories of which nothing that is written appears, until that is allowed.
static HELD: (Mutex<BTreeSet<String>>, Condvar) = (Mutex::new(BTreeSet::new()), Condvar::new());

/// A directory of which nothing that is written appears as long as this is held.
pub(crate) struct Held(String);

impl Held {
    pub(crate) fn new(local: &Path) -> Self {
        let path = local.display().to_string();
        HELD.0.lock().unwrap().insert(path.clone());
        Held(path)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.0.lock().unwrap().remove(&self.0);
        HELD.1.notify_all();
    }
}

fn wait_while_held(path: &str) {
    let held = HELD.0.lock().unwrap();
    drop(HELD.1.wait_while(held, |held| held.iter().any(|directory| path.starts_with(directory))).unwrap());
}

struct FaultyDisk;

fn local(path: &FsPath) -> Result<FsPath> {
    FsPath::parse(path.path())
}

fn faulty(status: FileStatus) -> Result<FileStatus> {
    Ok(FileStatus { path: FsPath::parse(&format!("faulty://disk{}", status.path.path()))?, ..status })
}

impl FileSystem for FaultyDisk {
    fn status(&self, path: &FsPath) -> Result<FileStatus> {
        LocalFs.status(&local(path)?).and_then(faulty)
    }

    fn list(&self, directory: &FsPath) -> Result<Vec<FileStatus>> {
        answers(directory)?;
        LocalFs.list(&local(directory)?)?.into_iter().map(faulty).collect()
    }

    fn open(&self, file: &FileStatus, offset: u64) -> Result<Box<dyn Read + Send>> {
        answers(&file.path)?;
        LocalFs.open(&FileStatus { path: local(&file.path)?, ..file.clone() }, offset)
    }

    fn create(&self, path: &FsPath) -> Result<Box<dyn FileWriter>> {
        Ok(Box::new(Writer(path.path().to_owned(), LocalFs.create(&local(path)?)?)))
    }

    fn rename(&self, from: &FsPath, to: &FsPath) -> Result<()> {
        LocalFs.rename(&local(from)?, &local(to)?)
    }

    fn delete(&self, path: &FsPath) -> Result<bool> {
        LocalFs.delete(&local(path)?)
    }

    fn make_directories(&self, path: &FsPath) -> Result<()> {
        LocalFs.make_directories(&local(path)?)
    }
}

struct Writer(String, Box<dyn FileWriter>);

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for (directory, room) in ROOM.lock().unwrap().iter_mut() {
            if self.0.starts_with(directory) {
                *room = room.checked_sub(bytes.len()).ok_or(ErrorKind::StorageFull)?;
            }
        }
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.1.flush()
    }
}

impl FileWriter for Writer {
    fn publish(self: Box<Self>) -> Result<()> {
        wait_while_held(&self.0);
        self.1.publish()
    }

    fn publish_new(self: Box<Self>) -> Result<bool> {
        self.1.publish_new()
    }
}
