//! Who writes into a checkpoint directory: one program at a time.
//!
//! On this machine's files the lease is a lock of the operating system, which ends with the process however it ends; on other
//! storage it is a [file that its holder renews](renewed).

mod renewed;

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use millstream_core::failpoint;
use millstream_core::fs::{FileSystem, FsPath, failed};
use serde::{Deserialize, Serialize};

use self::renewed::{LeaseFile, Renewed};
use super::process::Process;
use crate::error::{Error, Result};

const NAME: &str = "lease";

/// After what time without renewal the lease of a process on other storage is over.
const EXPIRES: Duration = Duration::from_secs(60);

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    program: String,
    host: String,
    pid: u32,
    since_ms: u64,
    renewed_ms: u64,
    /// Whether it has let go.
    released: bool,
    /// The process, if it can be told whether it lives.
    process: Option<Process>,
}

impl Holder {
    fn own(program: &str) -> Self {
        let now = now_ms();
        Holder {
            program: program.to_owned(),
            host: host(),
            pid: std::process::id(),
            since_ms: now,
            renewed_ms: now,
            released: false,
            process: Process::own(),
        }
    }

    /// Returns whether it has lost its lease by the time `now_ms`.
    fn is_over(&self, now_ms: u64) -> bool {
        let age = Duration::from_millis(now_ms.saturating_sub(self.renewed_ms));
        self.released || age >= EXPIRES || self.process.as_ref().is_some_and(Process::is_dead)
    }
}

/// The right to write into a checkpoint directory; it ends when this is dropped.
#[derive(Debug)]
pub(crate) enum Lease {
    /// A file of this machine.
    Lock(Locked),
    /// A file on other storage.
    Renewed(Renewed),
}

/// A lock of the operating system on a file, held until this is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct Locked {
    file: File,
    path: FsPath,
}

impl Locked {
    /// Makes sure that the file is still there: whoever has deleted it has perhaps deleted all that was written, and others would take
    /// a lease of their own.
    fn check(&self) -> Result<()> {
        let named = self.path.as_local().map(std::fs::metadata);
        let is_there = match (self.file.metadata(), named) {
            (Ok(held), Some(Ok(named))) => is_same(&held, &named),
            (_, Some(Err(error))) if error.kind() == io::ErrorKind::NotFound => false,
            // What can not be told now is told by what is written next.
            _ => true,
        };
        if is_there {
            return Ok(());
        }
        Err(Error::Damaged {
            file: self.path.to_string(),
            problem: "the file was deleted while the program runs, perhaps with all that was written there"
                .into(),
            remedy: "end what deletes it, and start anew in another directory or from a savepoint".into(),
        })
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // To close the file is not enough: a program that was started just now has it open until it runs its own code. If this
        // fails, closing it is what is left.
        let _ = self.file.unlock();
    }
}

#[cfg(unix)]
fn is_same(held: &Metadata, named: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (held.dev(), held.ino()) == (named.dev(), named.ino())
}

/// Windows deletes no file that is open.
#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

impl Lease {
    /// Takes the lease of a directory, which is made if it is missing.
    ///
    /// # Errors
    /// [`Error::DirectoryInUse`] if a live process has it, or if it can not be written.
    pub(crate) fn take(system: &Arc<dyn FileSystem>, directory: &FsPath, program: &str) -> Result<Self> {
        system.make_directories(directory)?;
        let path = directory.join(NAME);
        let holder = Holder::own(program);
        match path.as_local() {
            Some(local) => Self::lock(directory, &path, &local, &holder),
            None => LeaseFile::claim(system, directory, holder)?.keep().map(Lease::Renewed),
        }
    }

    /// Makes sure that the lease is still held: before anything is written that another holder would read.
    ///
    /// # Errors
    /// [`Error::DirectoryInUse`] if another process has taken it meanwhile; if it could not be renewed for too long, or was deleted.
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Lease::Lock(locked) => locked.check(),
            Lease::Renewed(renewed) => renewed.check(),
        }
    }

    /// Returns whether a live process has the lease of a directory.
    ///
    /// # Errors
    /// If it can not be read.
    pub(crate) fn is_taken(system: &dyn FileSystem, directory: &FsPath) -> Result<bool> {
        let path = directory.join(NAME);
        let Some(local) = path.as_local() else {
            return LeaseFile::is_taken(system, directory);
        };
        match File::open(local) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("opening", &path, error).into()),
            // Shared and for a moment, so that who looks at the same time sees the same.
            Ok(file) => match file.try_lock_shared() {
                Ok(()) => {
                    drop(Locked { file, path });
                    Ok(false)
                }
                Err(TryLockError::WouldBlock) => Ok(true),
                Err(TryLockError::Error(error)) => Err(failed("looking at", &path, error).into()),
            },
        }
    }

    fn lock(directory: &FsPath, path: &FsPath, local: &std::path::Path, holder: &Holder) -> Result<Self> {
        let broken = |error| failed("taking", path, error);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(local);
        let mut file = opened.map_err(broken)?;
        match file.try_lock() {
            Ok(()) => {
                let mut locked = Locked { file, path: path.clone() };
                failpoint::reach("lease-before-write");
                locked.file.set_len(0).map_err(broken)?;
                locked.file.write_all(&bytes(holder)).map_err(broken)?;
                failpoint::reach("lease-after-write");
                Ok(Lease::Lock(locked))
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Who it is, is said if it can be read: it may be just about to be written.
                let _ = file.read_to_string(&mut text);
                Err(in_use(directory, serde_json::from_str(&text).ok().as_ref()))
            }
            Err(TryLockError::Error(error)) => Err(broken(error).into()),
        }
    }
}

fn bytes(holder: &Holder) -> Vec<u8> {
    // Texts and numbers can always be written.
    serde_json::to_vec(holder).unwrap_or_default()
}

fn in_use(directory: &FsPath, holder: Option<&Holder>) -> Error {
    let by = holder.map_or_else(|| "another process".to_owned(), named);
    Error::DirectoryInUse { directory: directory.to_string(), by }
}

fn named(Holder { program, host, pid, since_ms, .. }: &Holder) -> String {
    format!("`{program}`, process {pid} on {host}, since {since_ms} ms")
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn host() -> String {
    let named = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| {
        std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")).map_err(io::Error::other)
    });
    named.map_or_else(|_| "this machine".to_owned(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use millstream_core::fs::LocalFs;

    use super::*;

    #[test]
    fn a_second_one_is_refused_and_told_the_first() {
        let place = std::env::temp_dir().join(format!("lease-{}", std::process::id()));
        let directory = FsPath::from_path(&place).unwrap();
        let system: Arc<dyn FileSystem> = Arc::new(LocalFs);
        let first = Lease::take(&system, &directory, "first").unwrap();
        first.check().unwrap();
        let error = Lease::take(&system, &directory, "second").unwrap_err().to_string();
        let who = format!("`first`, process {} on ", std::process::id());
        assert!(error.contains(&who) && error.contains("lease-"), "{error}");
        drop(first);
        drop(Lease::take(&system, &directory, "second").unwrap());
        std::fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn whether_it_is_taken_is_told_without_taking_it() {
        let place = std::env::temp_dir().join(format!("lease-taken-{}", std::process::id()));
        let directory = FsPath::from_path(&place).unwrap();
        let system: Arc<dyn FileSystem> = Arc::new(LocalFs);
        assert!(!Lease::is_taken(&*system, &directory).unwrap());
        let lease = Lease::take(&system, &directory, "first").unwrap();
        assert!(Lease::is_taken(&*system, &directory).unwrap());
        drop(lease);
        assert!(!Lease::is_taken(&*system, &directory).unwrap());
        drop(Lease::take(&system, &directory, "second").unwrap());
        std::fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    #[cfg(unix)]
    fn one_that_was_deleted_is_held_no_more_also_if_another_has_taken_its_place() {
        let place = std::env::temp_dir().join(format!("lease-deleted-{}", std::process::id()));
        let directory = FsPath::from_path(&place).unwrap();
        let system: Arc<dyn FileSystem> = Arc::new(LocalFs);
        let first = Lease::take(&system, &directory, "first").unwrap();
        std::fs::remove_dir_all(&place).unwrap();
        let deleted = |lease: &Lease| lease.check().unwrap_err().to_string();
        assert!(deleted(&first).contains("lease: the file was deleted while the program runs"));
        let second = Lease::take(&system, &directory, "second").unwrap();
        assert!(deleted(&first).contains("start anew in another directory"));
        second.check().unwrap();
        std::fs::remove_dir_all(&place).unwrap();
    }
}
