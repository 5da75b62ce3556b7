//! Who writes into a checkpoint directory: one program at a time.
//!
//! On this machine's files the lease is a lock of the operating system, which ends with the process however it ends. On
//! other storage it is a file that a thread of its holder renews; one that was not renewed for [`EXPIRES`] is free to take,
//! and at once if its holder was a process of this machine that has ended.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use millstream_core::fs::{FileSystem, FsPath, failed};
use serde::{Deserialize, Serialize};

use super::process::Process;
use crate::error::{Error, Result};
use crate::recovery::read_file::read_file;

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
            process: Process::own(),
        }
    }

    fn is_same(&self, other: &Holder) -> bool {
        (self.pid, &self.host, self.since_ms) == (other.pid, &other.host, other.since_ms)
    }

    /// Returns whether it has lost its lease by the time `now_ms`.
    fn is_over(&self, now_ms: u64) -> bool {
        let age = Duration::from_millis(now_ms.saturating_sub(self.renewed_ms));
        age >= EXPIRES || self.process.as_ref().is_some_and(Process::is_dead)
    }
}

/// The right to write into a checkpoint directory; it ends when this is dropped.
#[derive(Debug)]
pub(crate) enum Lease {
    /// A file of this machine.
    Lock(#[expect(dead_code, reason = "holds the lock")] Locked),
    /// A file on other storage.
    Renewed(Renewed),
}

/// A lock of the operating system on a file, held until this is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct Locked(File);

impl Drop for Locked {
    fn drop(&mut self) {
        // To close the file is not enough: a program that was started just now has it open until it runs its own code. If this
        // fails, closing it is what is left.
        let _ = self.0.unlock();
    }
}

/// A lease that a thread renews until this is dropped.
pub(crate) struct Renewed {
    file: Arc<LeaseFile>,
    /// Why it could not be renewed, once that is for good.
    lost: Arc<Mutex<Option<Error>>>,
    /// Nothing is ever sent: the thread ends when this is gone.
    alive: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Renewed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renewed").field("path", &self.file.path).finish_non_exhaustive()
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
        let holder = Holder::own(program);
        match path.as_local() {
            Some(local) => Self::lock(directory, &path, &local, &holder),
            None => LeaseFile::claim(system, directory, path, holder)?.keep().map(Lease::Renewed),
        }
    }

    /// Looks whether the lease is still held.
    ///
    /// # Errors
    /// [`Error::DirectoryInUse`] if another process has taken it meanwhile; if it could not be renewed for too long.
    pub(crate) fn check(&self) -> Result<()> {
        let Lease::Renewed(renewed) = self else { return Ok(()) };
        let lost = renewed.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.clone().map_or(Ok(()), Err)
    }

    /// Returns whether a live process has the lease of a directory.
    ///
    /// # Errors
    /// If it can not be read.
    pub(crate) fn is_taken(system: &dyn FileSystem, directory: &FsPath) -> Result<bool> {
        let path = directory.join(NAME);
        let Some(local) = path.as_local() else {
            return Ok(read(system, &path)?.is_some_and(|holder| !holder.is_over(now_ms())));
        };
        match File::open(local) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("opening", &path, error).into()),
            // Shared and for a moment, so that who looks at the same time sees the same.
            Ok(file) => match file.try_lock_shared() {
                Ok(()) => {
                    drop(Locked(file));
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
                let mut locked = Locked(file);
                locked.0.set_len(0).map_err(broken)?;
                locked.0.write_all(&bytes(holder)).map_err(broken)?;
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

/// The file of a lease that is held.
struct LeaseFile {
    system: Arc<dyn FileSystem>,
    path: FsPath,
    holder: Holder,
}

impl LeaseFile {
    fn claim(system: &Arc<dyn FileSystem>, directory: &FsPath, path: FsPath, holder: Holder) -> Result<Self> {
        if let Some(other) = read(&**system, &path)? {
            if !other.is_over(holder.since_ms) {
                return Err(in_use(directory, Some(&other)));
            }
            tracing::info!("the lease of {directory} was that of {}, which is over", named(&other));
            system.delete(&path)?;
        }
        let mut writer = system.create(&path)?;
        writer.write_all(&bytes(&holder)).map_err(|error| failed("taking", &path, error))?;
        if !writer.publish_new()? {
            return Err(in_use(directory, read(&**system, &path)?.as_ref()));
        }
        Ok(LeaseFile { system: Arc::clone(system), path, holder })
    }

    /// Writes that the holder lives.
    ///
    /// # Errors
    /// [`Error::DirectoryInUse`] if another process has taken it meanwhile, or if it can not be written.
    fn renew(&self) -> Result<()> {
        if let Some(other) = read(&*self.system, &self.path)?
            && !other.is_same(&self.holder)
        {
            return Err(in_use(&self.path.parent().unwrap_or(self.path.clone()), Some(&other)));
        }
        write(&*self.system, &self.path, &Holder { renewed_ms: now_ms(), ..self.holder.clone() })
    }

    /// Starts the thread that renews it: batches may be far apart, and take long.
    fn keep(self) -> Result<Renewed> {
        let (file, lost) = (Arc::new(self), Arc::new(Mutex::new(None)));
        let (alive, gone) = mpsc::channel::<()>();
        let (to_renew, to_tell) = (Arc::clone(&file), Arc::clone(&lost));
        let renew = move || {
            let mut renewed = Instant::now();
            while gone.recv_timeout(RENEW) == Err(RecvTimeoutError::Timeout) {
                match to_renew.renew() {
                    Ok(()) => renewed = Instant::now(),
                    // A store that does not answer for a while is no reason to stop, unless others may think us dead.
                    Err(error) if renewed.elapsed() + RENEW < EXPIRES && !is_in_use(&error) => {
                        tracing::warn!("a lease was not renewed, will try again: {error}");
                    }
                    Err(error) => {
                        *to_tell.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        return;
                    }
                }
            }
        };
        let name = "streaming-lease";
        let thread = thread::Builder::new().name(name.into()).spawn(renew);
        let thread = Some(thread.map_err(|error| Error::thread(name, error))?);
        Ok(Renewed { file, lost, alive: Some(alive), thread })
    }
}

impl Drop for Renewed {
    fn drop(&mut self) {
        self.alive = None;
        if let Some(thread) = self.thread.take() {
            // Not after the file is deleted: it would be written anew.
            let _ = thread.join();
        }
        let LeaseFile { system, path, holder } = &*self.file;
        // What is left over expires; what another one has taken is that one's.
        if let Ok(Some(other)) = read(&**system, path)
            && other.is_same(holder)
        {
            let _ = system.delete(path);
        }
    }
}

fn is_in_use(error: &Error) -> bool {
    matches!(error, Error::DirectoryInUse { .. })
}

fn read(system: &dyn FileSystem, path: &FsPath) -> Result<Option<Holder>> {
    let bytes = read_file(system, path)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
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

    /// A lease file of this machine, which is none that the operating system would lock.
    struct OtherStorage(FsPath, Arc<dyn FileSystem>);

    impl OtherStorage {
        fn new(name: &str) -> Self {
            let place = std::env::temp_dir().join(format!("lease-{name}-{}", std::process::id()));
            OtherStorage(FsPath::from_path(place).unwrap(), Arc::new(LocalFs))
        }

        fn claim(&self, holder: Holder) -> Result<LeaseFile> {
            LeaseFile::claim(&self.1, &self.0, self.0.join(NAME), holder)
        }
    }

    impl Drop for OtherStorage {
        fn drop(&mut self) {
            let _ = self.1.delete(&self.0);
        }
    }

    fn elsewhere(program: &str, since_ms: u64) -> Holder {
        let (program, host) = (program.into(), "there".into());
        Holder { program, host, pid: 1, since_ms, renewed_ms: since_ms, process: None }
    }

    #[test]
    fn on_other_storage_one_that_was_not_renewed_is_over() {
        let storage = OtherStorage::new("expired");
        let now = now_ms();
        let first = storage.claim(elsewhere("first", now)).unwrap();
        first.renew().unwrap();
        let error = storage.claim(elsewhere("second", now)).err().unwrap();
        assert!(error.to_string().contains("`first`, process 1 on there"), "{error}");
        let later = now_ms() + EXPIRES.as_millis() as u64;
        let second = storage.claim(elsewhere("second", later)).unwrap().keep().unwrap();
        let error = first.renew().unwrap_err();
        assert!(is_in_use(&error) && error.to_string().contains("`second`"), "{error}");
        // Who has lost it leaves it to whom it belongs to.
        drop(first.keep().unwrap());
        assert!(storage.1.exists(&storage.0.join(NAME)).unwrap());
        drop(second);
        assert!(!storage.1.exists(&storage.0.join(NAME)).unwrap());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn on_other_storage_one_whose_process_has_ended_is_over_at_once() {
        let storage = OtherStorage::new("ended");
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let now = now_ms();
        let process = Process::of(child.id());
        assert!(process.is_some());
        drop(storage.claim(Holder { process, ..elsewhere("first", now) }).unwrap());
        let error = storage.claim(Holder::own("second")).err().unwrap();
        assert!(error.to_string().contains("`first`"), "{error}");
        child.kill().unwrap();
        child.wait().unwrap();
        storage.claim(Holder::own("second")).unwrap();
        // It lives, as this test does.
        let error = storage.claim(Holder::own("third")).err().unwrap();
        assert!(error.to_string().contains("`second`"), "{error}");
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
}
