//! A lease on storage without locks: a file that its holder renews.
//!
//! Whoever takes the lease makes the file `lease-<n>` with the next number, which of several one can: the largest number
//! holds. No file of a number is made twice, so that nobody takes away what another has just taken. One that was not renewed for
//! [`EXPIRES`] is over, and at once if its holder has let go or was a process of this machine that has ended. The clocks of
//! machines may differ by less than [`RENEW`].

use std::io::Write;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use millstream_core::failpoint;
use millstream_core::fs::{FileSystem, FsPath, failed};

use super::{EXPIRES, Holder, NAME, bytes, in_use, named, now_ms};
use crate::error::{Error, Result};
use crate::recovery::list::list;
use crate::recovery::read_file::read_file;

/// How often it is renewed.
const RENEW: Duration = Duration::from_secs(15);

/// How long after a renewal it is held for sure.
const SURE: Duration = EXPIRES.saturating_sub(RENEW);

/// A lease that a thread renews until this is dropped.
pub(crate) struct Renewed {
    held: Arc<Held>,
    /// Nothing is ever sent: the thread ends when this is gone.
    alive: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Renewed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renewed").field("path", &self.held.file.path()).finish_non_exhaustive()
    }
}

/// A lease file, and what is known of it.
struct Held {
    file: LeaseFile,
    known: Mutex<Known>,
}

struct Known {
    renewed: Moment,
    /// Why it is not held any more.
    lost: Option<Error>,
}

/// A time by both clocks: one stands still while the machine is suspended, the other may be set.
#[derive(Clone, Copy)]
struct Moment(Instant, u64);

impl Moment {
    fn now() -> Self {
        Moment(Instant::now(), now_ms())
    }

    fn elapsed(self) -> Duration {
        self.0.elapsed().max(Duration::from_millis(now_ms().saturating_sub(self.1)))
    }
}

impl Held {
    /// Renews the lease, or says why it is not held any more.
    fn renew(&self) -> Result<()> {
        let begun = Moment::now();
        let renewed = self.file.renew();
        let mut known = self.known();
        match renewed {
            Ok(()) => known.renewed = begun,
            // A store that does not answer for a while is no reason to stop, unless others may think us dead.
            Err(error) if !is_in_use(&error) && known.renewed.elapsed() < SURE => {
                tracing::warn!("a lease was not renewed, will try again: {error}");
            }
            Err(error) => known.lost = Some(known.lost.take().unwrap_or(error)),
        }
        known.lost.clone().map_or(Ok(()), Err)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Renewed {
    /// See [`Lease::check`](super::Lease::check).
    pub(super) fn check(&self) -> Result<()> {
        let is_sure = {
            let known = self.held.known();
            if let Some(lost) = &known.lost {
                return Err(lost.clone());
            }
            known.renewed.elapsed() < SURE
        };
        // The process may have been stopped for so long that another has taken it.
        if is_sure { Ok(()) } else { self.held.renew() }
    }
}

impl Drop for Renewed {
    fn drop(&mut self) {
        self.alive = None;
        if let Some(thread) = self.thread.take() {
            // Not after it was let go: it would be renewed.
            let _ = thread.join();
        }
        // What can not be written expires.
        let _ = self.held.file.release();
    }
}

/// The file of a lease that was taken.
pub(super) struct LeaseFile {
    system: Arc<dyn FileSystem>,
    directory: FsPath,
    number: u64,
    holder: Holder,
}

impl LeaseFile {
    pub(super) fn claim(system: &Arc<dyn FileSystem>, directory: &FsPath, holder: Holder) -> Result<Self> {
        let files = numbers(&**system, directory)?;
        if let Some(last) = files.last()
            && let Some(other) = read(&**system, directory, *last)?
        {
            if !other.is_over(holder.renewed_ms) {
                return Err(in_use(directory, Some(&other)));
            }
            if !other.released {
                tracing::info!("the lease of {directory} was that of {}, which is over", named(&other));
            }
        }
        let number = files.last().map_or(1, |last| last + 1);
        let (system, directory) = (Arc::clone(system), directory.clone());
        let file = LeaseFile { system, directory, number, holder };
        let is_new = file.write(file.holder.clone(), true)?;
        // Who was slow may have made one of a number that was over and deleted long ago.
        if !is_new || !file.is_last()? {
            return Err(file.taken()?);
        }
        for old in files {
            if let Err(error) = file.system.delete(&path(&file.directory, old)) {
                tracing::warn!("an old lease is left over: {error}");
            }
        }
        Ok(file)
    }

    /// Returns whether a live process has the lease of a directory.
    pub(super) fn is_taken(system: &dyn FileSystem, directory: &FsPath) -> Result<bool> {
        let Some(last) = numbers(system, directory)?.pop() else { return Ok(false) };
        Ok(read(system, directory, last)?.is_some_and(|holder| !holder.is_over(now_ms())))
    }

    /// Writes that the holder lives.
    ///
    /// # Errors
    /// [`Error::DirectoryInUse`] if another process has taken it meanwhile, or if it can not be written.
    fn renew(&self) -> Result<()> {
        let renewed_ms = now_ms();
        if !self.is_last()? {
            return Err(self.taken()?);
        }
        self.write(Holder { renewed_ms, ..self.holder.clone() }, false).map(drop)
    }

    /// Writes that it is free to take, unless it was taken.
    fn release(&self) -> Result<()> {
        if self.is_last()? && self.write(Holder { released: true, ..self.holder.clone() }, false).is_err() {
            // There is no room to say so.
            self.system.delete(&self.path())?;
        }
        Ok(())
    }

    /// Returns whether nobody has taken the lease since.
    fn is_last(&self) -> Result<bool> {
        Ok(numbers(&*self.system, &self.directory)?.last().is_none_or(|last| *last <= self.number))
    }

    /// Says who has taken it.
    fn taken(&self) -> Result<Error> {
        let last = numbers(&*self.system, &self.directory)?.pop().unwrap_or_default();
        Ok(in_use(&self.directory, read(&*self.system, &self.directory, last)?.as_ref()))
    }

    fn path(&self) -> FsPath {
        path(&self.directory, self.number)
    }

    /// Writes the file, or only if there is none of its number; returns whether it did.
    fn write(&self, holder: Holder, anew: bool) -> Result<bool> {
        let path = self.path();
        failpoint::reach("lease-before-write");
        let mut writer = self.system.create(&path)?;
        writer.write_all(&bytes(&holder)).map_err(|error| failed("writing", &path, error))?;
        let written = if anew { writer.publish_new()? } else { writer.publish().map(|()| true)? };
        failpoint::reach("lease-after-write");
        Ok(written)
    }

    /// Starts the thread that renews it: batches may be far apart, and take long.
    pub(super) fn keep(self) -> Result<Renewed> {
        let renewed = Moment(Instant::now(), self.holder.renewed_ms);
        let held = Arc::new(Held { file: self, known: Mutex::new(Known { renewed, lost: None }) });
        let (alive, gone) = mpsc::channel::<()>();
        let to_renew = Arc::clone(&held);
        let renew = move || {
            while gone.recv_timeout(RENEW) == Err(RecvTimeoutError::Timeout) && to_renew.renew().is_ok() {}
        };
        let name = "streaming-lease";
        let thread = thread::Builder::new().name(name.into()).spawn(renew);
        let thread = Some(thread.map_err(|error| Error::thread(name, error))?);
        Ok(Renewed { held, alive: Some(alive), thread })
    }
}

fn is_in_use(error: &Error) -> bool {
    matches!(error, Error::DirectoryInUse { .. })
}

fn path(directory: &FsPath, number: u64) -> FsPath {
    directory.join(&format!("{NAME}-{number}"))
}

/// Returns the numbers of the lease files of a directory, in order.
fn numbers(system: &dyn FileSystem, directory: &FsPath) -> Result<Vec<u64>> {
    let files = list(system, directory)?;
    let number = |name: &str| name.strip_prefix(NAME)?.strip_prefix('-')?.parse().ok();
    let mut numbers: Vec<u64> = files.iter().filter_map(|file| number(file.path.name())).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Reads who has the lease of a number; nothing if that is not told.
fn read(system: &dyn FileSystem, directory: &FsPath, number: u64) -> Result<Option<Holder>> {
    let bytes = read_file(system, &path(directory, number))?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

#[cfg(test)]
mod tests {
    use millstream_core::fs::LocalFs;

    use super::*;
    use crate::recovery::checkpoint::process::Process;

    /// Files of this machine in the place of other storage, which could not lock them.
    struct OtherStorage(FsPath, Arc<dyn FileSystem>);

    impl OtherStorage {
        fn new(name: &str) -> Self {
            let place = std::env::temp_dir().join(format!("lease-{name}-{}", std::process::id()));
            OtherStorage(FsPath::from_path(place).unwrap(), Arc::new(LocalFs))
        }

        fn claim(&self, holder: Holder) -> Result<LeaseFile> {
            LeaseFile::claim(&self.1, &self.0, holder)
        }

        fn refuses(&self, holder: Holder) -> String {
            self.claim(holder).err().unwrap().to_string()
        }
    }

    impl Drop for OtherStorage {
        fn drop(&mut self) {
            let _ = self.1.delete(&self.0);
        }
    }

    fn elsewhere(program: &str, since_ms: u64) -> Holder {
        let (program, host) = (program.into(), "there".into());
        Holder { program, host, pid: 1, since_ms, renewed_ms: since_ms, released: false, process: None }
    }

    fn expired() -> u64 {
        now_ms() - EXPIRES.as_millis() as u64
    }

    #[test]
    fn one_that_was_not_renewed_is_over_and_one_that_was_let_go_at_once() {
        let storage = OtherStorage::new("expired");
        let first = storage.claim(elsewhere("first", now_ms())).unwrap();
        first.renew().unwrap();
        let refused = storage.refuses(elsewhere("second", now_ms()));
        assert!(refused.contains("`first`, process 1 on there"), "{refused}");
        assert!(LeaseFile::is_taken(&*storage.1, &storage.0).unwrap());
        let later = now_ms() + EXPIRES.as_millis() as u64;
        let second = storage.claim(elsewhere("second", later)).unwrap().keep().unwrap();
        let error = first.renew().unwrap_err();
        assert!(is_in_use(&error) && error.to_string().contains("`second`"), "{error}");
        // Who has lost it leaves it to whom it belongs to.
        drop(first.keep().unwrap());
        assert!(LeaseFile::is_taken(&*storage.1, &storage.0).unwrap());
        drop(second);
        assert!(!LeaseFile::is_taken(&*storage.1, &storage.0).unwrap());
        storage.claim(elsewhere("third", now_ms())).unwrap();
    }

    #[test]
    fn of_two_that_find_it_over_at_the_same_time_one_has_it() {
        let storage = OtherStorage::new("race");
        storage.claim(elsewhere("first", expired())).unwrap();
        // Has seen that the first is over, and is slower than the second.
        let slow = |number| LeaseFile {
            system: Arc::clone(&storage.1),
            directory: storage.0.clone(),
            number,
            holder: elsewhere("slow", now_ms()),
        };
        let second = storage.claim(elsewhere("second", now_ms())).unwrap();
        assert!(!slow(second.number).write(elsewhere("slow", now_ms()), true).unwrap());
        second.renew().unwrap();
        // Still slower: the second has let go, and the files of both are gone.
        second.release().unwrap();
        let third = storage.claim(elsewhere("third", now_ms())).unwrap();
        let slow = slow(second.number);
        assert!(slow.write(elsewhere("slow", now_ms()), true).unwrap());
        assert!(!slow.is_last().unwrap() && slow.taken().unwrap().to_string().contains("`third`"));
        third.renew().unwrap();
    }

    #[test]
    fn a_process_that_was_stopped_for_long_finds_out_before_it_writes() {
        let storage = OtherStorage::new("stopped");
        let first = storage.claim(elsewhere("first", expired())).unwrap().keep().unwrap();
        storage.claim(elsewhere("second", now_ms())).unwrap();
        // Its thread, which would have renewed it, was stopped as well.
        let lost = first.check().unwrap_err().to_string();
        assert!(lost.contains("`second`"), "{lost}");
        assert!(first.check().is_err());
        // One that was not taken meanwhile is renewed.
        let alone = OtherStorage::new("alone");
        let only = alone.claim(elsewhere("only", expired())).unwrap().keep().unwrap();
        only.check().unwrap();
        let refused = alone.refuses(elsewhere("second", now_ms()));
        assert!(refused.contains("`only`"), "{refused}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn one_whose_process_has_ended_is_over_at_once() {
        let storage = OtherStorage::new("ended");
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let process = Process::of(child.id());
        assert!(process.is_some());
        drop(storage.claim(Holder { process, ..elsewhere("first", now_ms()) }).unwrap());
        let refused = storage.refuses(Holder::own("second"));
        assert!(refused.contains("`first`"), "{refused}");
        child.kill().unwrap();
        child.wait().unwrap();
        storage.claim(Holder::own("second")).unwrap();
        // It lives, as this test does.
        let refused = storage.refuses(Holder::own("third"));
        assert!(refused.contains("`second`"), "{refused}");
    }
}
