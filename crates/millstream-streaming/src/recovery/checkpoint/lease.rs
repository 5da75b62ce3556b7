//! Who writes into a checkpoint directory: one program at a time.
//!
//! On this machine's files the lease is a lock of the operating system, which ends with the process however it ends. On
//! other storage it is a file that its holder renews; one that was not renewed for [`EXPIRES`] is free to take.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use millstream_core::fs::{FileSystem, FsPath, failed, is_not_found};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

const NAME: &str = "lease";

/// After what time without renewal the lease of a process on other storage is over.
pub(crate) const EXPIRES: Duration = Duration::from_secs(60);

/// How often it is renewed.
const RENEW: Duration = Duration::from_secs(15);

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    program: String,
    host: String,
    pid: u32,
    since_ms: u64,
    renewed_ms: u64,
}

/// The right to write into a checkpoint directory; it ends when this is dropped.
#[derive(Debug)]
pub(crate) enum Lease {
    /// A lock on a file of this machine, held as long as the file is open.
    Lock(#[expect(dead_code, reason = "holds the lock")] File),
    /// A file on other storage.
    Renewed(Renewed),
}

/// A lease that must be renewed.
pub(crate) struct Renewed {
    system: Arc<dyn FileSystem>,
    path: FsPath,
    holder: Mutex<(Holder, Instant)>,
}

impl std::fmt::Debug for Renewed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renewed").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Lease {
    /// Takes the lease of a directory, which is made if it is missing.
    ///
    /// # Errors
    /// [`Error::DirectoryInUse`] if a live process has it, or if it can not be written.
    pub(crate) fn take(system: &Arc<dyn FileSystem>, directory: &FsPath, program: &str) -> Result<Self> {
        system.make_directories(directory)?;
        let path = directory.join(NAME);
        let now = now_ms();
        let holder = Holder {
            program: program.to_owned(),
            host: host(),
            pid: std::process::id(),
            since_ms: now,
            renewed_ms: now,
        };
        match path.as_local() {
            Some(local) => Self::lock(directory, &path, &local, &holder),
            None => Self::claim(system, directory, path, holder),
        }
    }

    /// Renews the lease if it is time to do so.
    ///
    /// # Errors
    /// [`Error::DirectoryInUse`] if another process has taken it meanwhile, or if it can not be written.
    pub(crate) fn renew(&self) -> Result<()> {
        let Lease::Renewed(renewed) = self else { return Ok(()) };
        let mut held = renewed.holder.lock().unwrap_or_else(PoisonError::into_inner);
        if held.1.elapsed() < RENEW {
            return Ok(());
        }
        if let Some(other) = read(&*renewed.system, &renewed.path)?
            && (other.pid, &other.host, other.since_ms) != (held.0.pid, &held.0.host, held.0.since_ms)
        {
            return Err(in_use(&renewed.path.parent().unwrap_or(renewed.path.clone()), Some(&other)));
        }
        held.0.renewed_ms = now_ms();
        write(&*renewed.system, &renewed.path, &held.0)?;
        held.1 = Instant::now();
        Ok(())
    }

    fn lock(directory: &FsPath, path: &FsPath, local: &std::path::Path, holder: &Holder) -> Result<Self> {
        let broken = |error| failed("taking", path, error);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(local);
        let mut file = opened.map_err(broken)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).map_err(broken)?;
                file.write_all(&bytes(holder)).map_err(broken)?;
                Ok(Lease::Lock(file))
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

    fn claim(system: &Arc<dyn FileSystem>, directory: &FsPath, path: FsPath, holder: Holder) -> Result<Self> {
        if let Some(other) = read(&**system, &path)? {
            let age = Duration::from_millis(holder.since_ms.saturating_sub(other.renewed_ms));
            if age < EXPIRES {
                return Err(in_use(directory, Some(&other)));
            }
            system.delete(&path)?;
        }
        let mut writer = system.create(&path)?;
        writer.write_all(&bytes(&holder)).map_err(|error| failed("taking", &path, error))?;
        if !writer.publish_new()? {
            return Err(in_use(directory, read(&**system, &path)?.as_ref()));
        }
        let system = Arc::clone(system);
        Ok(Lease::Renewed(Renewed { system, path, holder: Mutex::new((holder, Instant::now())) }))
    }
}

impl Drop for Renewed {
    fn drop(&mut self) {
        // What is left over expires.
        let _ = self.system.delete(&self.path);
    }
}

fn read(system: &dyn FileSystem, path: &FsPath) -> Result<Option<Holder>> {
    let status = match system.status(path) {
        Err(error) if is_not_found(&error) => return Ok(None),
        status => status?,
    };
    let mut bytes = Vec::new();
    let mut file = system.open(&status, 0)?;
    file.read_to_end(&mut bytes).map_err(|error| failed("reading", path, error))?;
    Ok(serde_json::from_slice(&bytes).ok())
}

fn write(system: &dyn FileSystem, path: &FsPath, holder: &Holder) -> Result<()> {
    let mut writer = system.create(path)?;
    writer.write_all(&bytes(holder)).map_err(|error| failed("renewing", path, error))?;
    Ok(writer.publish()?)
}

fn bytes(holder: &Holder) -> Vec<u8> {
    // Texts and numbers can always be written.
    serde_json::to_vec(holder).unwrap_or_default()
}

fn in_use(directory: &FsPath, holder: Option<&Holder>) -> Error {
    let by = holder.map_or_else(
        || "another process".to_owned(),
        |Holder { program, host, pid, since_ms, .. }| {
            format!("`{program}`, process {pid} on {host}, since {since_ms} ms")
        },
    );
    Error::DirectoryInUse { directory: directory.to_string(), by }
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
        first.renew().unwrap();
        let error = Lease::take(&system, &directory, "second").unwrap_err().to_string();
        let who = format!("`first`, process {} on ", std::process::id());
        assert!(error.contains(&who) && error.contains("lease-"), "{error}");
        drop(first);
        drop(Lease::take(&system, &directory, "second").unwrap());
        std::fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn on_other_storage_one_that_was_not_renewed_is_over() {
        let place = std::env::temp_dir().join(format!("lease-other-{}", std::process::id()));
        let directory = FsPath::from_path(&place).unwrap();
        let system: Arc<dyn FileSystem> = Arc::new(LocalFs);
        let path = directory.join(NAME);
        let holder = |program: &str, since_ms| Holder {
            program: program.into(),
            host: "there".into(),
            pid: 1,
            since_ms,
            renewed_ms: since_ms,
        };
        let now = now_ms();
        let first = Lease::claim(&system, &directory, path.clone(), holder("first", now)).unwrap();
        let error = Lease::claim(&system, &directory, path.clone(), holder("second", now)).unwrap_err();
        assert!(error.to_string().contains("`first`, process 1 on there"), "{error}");
        let later = now + EXPIRES.as_millis() as u64;
        let second = Lease::claim(&system, &directory, path.clone(), holder("second", later)).unwrap();
        if let Lease::Renewed(renewed) = &first {
            renewed.holder.lock().unwrap().1 = Instant::now().checked_sub(RENEW).unwrap();
        }
        let error = first.renew().unwrap_err().to_string();
        assert!(error.contains("`second`"), "{error}");
        drop(second);
        assert!(!system.exists(&path).unwrap());
        std::fs::remove_dir_all(&place).unwrap();
    }
}
