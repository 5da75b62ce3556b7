//! Directories and files that a stream has no right to read.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use millstream_core::fs::TextFormat;
use millstream_streaming::testing::{Driver, batches};
use millstream_streaming::{FileChoice, FileChoices, FileStreamOptions};

use crate::file_streams::{Directory, put};
use crate::tables::{SECOND, conf, step};

const NOBODY: libc::uid_t = 65534;

fn is_root() -> bool {
    // SAFETY: the call takes nothing and returns a number.
    unsafe { libc::geteuid() == 0 }
}

/// Runs `f` as a user without rights, which this process may be root and not be; the directory is that user's.
///
/// Threads that `f` starts have its rights too; those of other tests keep theirs.
fn without_rights(directory: &Directory, f: impl FnOnce() + Send) {
    if is_root() {
        chown(directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: the call takes and changes numbers only. The bare system call changes this thread alone, where
            // the C library's function would change all of them.
            let done =
                !is_root() || unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0 };
            assert!(done, "{}", std::io::Error::last_os_error());
            f();
        });
        thread.join().unwrap();
    });
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_directory_without_rights_has_no_files_until_they_are_given() {
    let directory = Directory::new();
    without_rights(&directory, || {
        let closed = directory.path().join("closed");
        put(&closed.join("a"), 500, "a\n");
        allow(&closed, 0o000);
        let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
        let choices = FileChoices::default();
        let options = FileStreamOptions::default().explain(&choices);
        let lines = driver.streaming().file_stream_with(&closed, TextFormat::default(), options);
        let lines = driver.collect(&lines);
        let steps = driver.start().unwrap();
        step(&steps, 2);
        assert!(choices.latest().is_empty());
        allow(&closed, 0o755);
        step(&steps, 1);
        // It was changed in an interval that is over, and belongs to the first batch that sees it.
        assert_eq!(lines.batches(), batches![[], [], ["a"]]);
        assert!(matches!(&choices.latest()[..], [(_, FileChoice::Taken)]), "{:?}", choices.latest());
    });
}

#[test]
fn a_file_without_rights_fails_its_batch_and_says_whom_to_give_them() {
    let directory = Directory::new();
    without_rights(&directory, || {
        let closed = directory.path().join("closed");
        put(&directory.path().join("a"), 400, "a\n");
        put(&closed, 500, "closed\n");
        allow(&closed, 0o000);
        let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
        let line = line!() + 1;
        let lines = driver.collect(&driver.streaming().text_file_stream(directory.path()));
        let error = driver.run(1).unwrap_err().to_string();
        assert!(error.contains(&format!("opening {}", closed.display())), "{error}");
        assert!(error.contains("give the user this program runs as the right to do so"), "{error}");
        assert!(error.contains(&format!("text_file_stream at {}:{line}:", file!())), "{error}");
        assert!(lines.batches().is_empty());
    });
}

#[test]
#[cfg(target_os = "linux")]
fn of_a_file_of_another_user_it_is_not_known_that_it_is_open() {
    if !is_root() {
        // Only root can make one.
        return;
    }
    let directory = Directory::new();
    put(&directory.path().join("a"), 500, "a\n");
    let writer = fs::OpenOptions::new().append(true).open(directory.path().join("a")).unwrap();
    let read = || {
        let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
        let lines = driver.collect(&driver.streaming().text_file_stream(directory.path()));
        driver.run(1).unwrap();
        lines.batches()
    };
    // The settle time is over.
    without_rights(&directory, || assert_eq!(read(), [["a"]]));
    assert_eq!(read(), [[""; 0]]);
    drop(writer);
    assert_eq!(read(), [["a"]]);
}
