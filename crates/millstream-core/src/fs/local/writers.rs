//! Whether someone has a file open for writing, as Linux can tell.
//!
//! The system grants a lease for reading only on a file that nobody has open for writing, in whatever process: to ask is
//! to take one and give it back at once. Nothing else tells it: `/proc` shows a program the files of its own user's
//! processes only, and is read process by process; a watch tells only of what happens after it was set.
//!
//! A lease that is held when someone opens the file for writing lets him wait until it is given back, some microseconds
//! (with `O_NONBLOCK` he is told to come again), and sends its holder a signal. That is `SIGIO`, which ends a program that does not
//! expect it, unless the file was given another before: here `SIGURG`, which programs ignore if they do nothing about it. A signal
//! of that kind is never in want of room, which is where the system would fall back on `SIGIO`. A process that dies has no lease.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Which signal a file sends; not among the constants of `libc`. The number is that of all machines Rust runs on with Linux.
const F_SETSIG: libc::c_int = 10;

/// Opens a file to ask who else has.
pub(super) fn open(path: &Path) -> io::Result<File> {
    // Neither waits for who holds a lease of his own, nor for the other end of a pipe.
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// Returns whether someone is known to have the file open for writing.
///
/// It is not known of a file of another user, unless the program may take leases of all (`CAP_LEASE`, as root may), nor
/// where the file system has no leases, nor of writers on other machines.
pub(super) fn has_writer(file: &File) -> bool {
    Lease::take(file).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// A lease for reading, given back when dropped.
struct Lease<'a>(&'a File);

impl<'a> Lease<'a> {
    fn take(file: &'a File) -> io::Result<Self> {
        // Before there is a lease: no moment is left in which the signal is the one that ends programs.
        fcntl(file, F_SETSIG, libc::SIGURG)?;
        fcntl(file, libc::F_SETLEASE, libc::F_RDLCK)?;
        Ok(Lease(file))
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // It goes with the file if not now.
        let _ = fcntl(self.0, libc::F_SETLEASE, libc::F_UNLCK);
    }
}

fn fcntl(file: &File, command: libc::c_int, argument: libc::c_int) -> io::Result<libc::c_int> {
    // SAFETY: the file is open, and the commands used here take a number and touch no memory.
    let done = unsafe { libc::fcntl(file.as_raw_fd(), command, argument) };
    if done == -1 { Err(io::Error::last_os_error()) } else { Ok(done) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("writers-{}-{name}", std::process::id()));
        std::fs::write(&path, "to be").unwrap();
        path
    }

    /// Waits for processes that other tests start just now: each has all files that are open here until it has begun.
    fn has_no_writer_soon(path: &Path) {
        while has_writer(&open(path).unwrap()) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_writer_is_seen_until_it_closes_the_file_and_readers_are_none() {
        let path = file("seen");
        let _reader = File::open(&path).unwrap();
        has_no_writer_soon(&path);
        let writer = OpenOptions::new().append(true).open(&path).unwrap();
        let second = writer.try_clone().unwrap();
        assert!(has_writer(&open(&path).unwrap()));
        drop(writer);
        assert!(has_writer(&open(&path).unwrap()), "one of two is left");
        drop(second);
        has_no_writer_soon(&path);
        std::fs::remove_file(&path).unwrap();
        assert!(!has_writer(&open(&std::env::temp_dir()).unwrap()), "a directory");
    }

    #[test]
    fn who_opens_the_file_meanwhile_waits_and_the_program_lives() {
        let path = file("meanwhile");
        has_no_writer_soon(&path);
        let reader = File::open(&path).unwrap();
        let lease = Lease::take(&reader).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| OpenOptions::new().append(true).open(&path).map(drop));
            // Once the signal was sent the lease is one that is to be given back.
            while fcntl(&reader, libc::F_GETLEASE, 0).unwrap() != libc::F_UNLCK {
                assert!(!writer.is_finished(), "nobody has waited");
                std::thread::yield_now();
            }
            assert!(has_writer(&open(&path).unwrap()), "one that is about to write is a writer");
            drop(lease);
            writer.join().unwrap().unwrap();
        });
        std::fs::remove_file(&path).unwrap();
    }
}
