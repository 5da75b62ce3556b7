//! Files that change, vanish or may not be read while an RDD is made of them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use millstream_core::fs::{FileStatus, FileSystem, FsPath, LocalFs, is_not_found};
use millstream_core::{Context, Rdd, TaskContext};

use crate::context;
use crate::directory::Directory;

fn described(path: &Path) -> (Context, Rdd<String>) {
    let context = context();
    let lines = context.text_file_with(path, 2);
    (context, lines)
}

#[test]
fn what_was_appended_is_not_read() {
    let directory = Directory::new("grown");
    let path = directory.write("a", "one\ntwo\nthr");
    let (_context, lines) = described(&path);
    fs::write(&path, "one\ntwo\nthree\nfour\n").unwrap();
    assert_eq!(lines.collect().unwrap(), ["one", "two", "thr"]);
    let (_context, lines) = described(&path);
    assert_eq!(lines.collect().unwrap(), ["one", "two", "three", "four"]);
}

#[test]
fn a_file_that_is_no_longer_the_one_listed_fails_the_action() {
    let directory = Directory::new("changed");
    let path = directory.path("a");
    let changes: [(&dyn Fn(), &str); 5] = [
        (&|| fs::write(&path, "one\n").unwrap(), "it has shrunk from 8 to 4 bytes"),
        (
            &|| {
                fs::write(directory.path("b"), "1\n2\n3\n4\n5\n").unwrap();
                fs::rename(directory.path("b"), &path).unwrap();
            },
            "it was replaced by another file",
        ),
        (
            &|| {
                let file = fs::File::options().write(true).open(&path).unwrap();
                file.set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
            },
            "it was rewritten after it was listed",
        ),
        (&|| fs::remove_file(&path).unwrap(), "check the path"),
        (&|| fs::remove_dir_all(&directory.0).unwrap(), "check the path"),
    ];
    for (change, why) in changes {
        fs::write(&path, "one\ntwo\n").unwrap();
        let (_context, lines) = described(&path);
        change();
        let error = lines.count().unwrap_err().to_string();
        assert!(error.contains(why) && error.contains(path.to_str().unwrap()), "{why}: {error}");
    }
    fs::create_dir_all(&directory.0).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_is_open_for_writing_until_it_is_closed_as_it_was_listed() {
    let directory = Directory::new("open");
    let path = FsPath::from_path(directory.write("a", "one\n")).unwrap();
    let is_open = |listed: &FileStatus| LocalFs.is_open_for_writing(listed).unwrap();
    let listed = || LocalFs.status(&path).unwrap();
    // A process that another test starts has all files that are open here until it has begun.
    let until_closed = || {
        while is_open(&listed()) {
            std::thread::yield_now();
        }
    };
    until_closed();
    let before = listed();
    let mut writer = fs::File::options().append(true).open(directory.path("a")).unwrap();
    assert!(is_open(&before));
    writer.write_all(b"two\n").unwrap();
    drop(writer);
    until_closed();
    assert!(is_open(&before), "it has four bytes more than were listed");
    fs::remove_file(directory.path("a")).unwrap();
    assert!(is_not_found(&LocalFs.is_open_for_writing(&before).unwrap_err()));
}

#[test]
fn a_file_that_is_cut_off_while_it_is_read_fails_the_action() {
    let directory = Directory::new("cut");
    let path = directory.write("a", "0123456789\n".repeat(200_000));
    let context = context();
    let lines = context.text_file_with(&path, 1).map_env(path.to_str().unwrap().to_owned(), |path, line| {
        // The first record comes from what was read first; the rest of the file is cut off under the reader.
        if TaskContext::get().is_some() {
            fs::File::options().write(true).open(path).unwrap().set_len(300_000).unwrap();
        }
        line
    });
    let error = lines.count().unwrap_err().to_string();
    assert!(error.contains("was cut off while it was read"), "{error}");
}

/// Runs `f` as a user without rights, which this process may be root and not be.
///
/// Threads that `f` starts have its rights too; those of other tests keep theirs.
pub(crate) fn without_rights<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    const NOBODY: libc::uid_t = 65534;
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: the calls take and change numbers only. The bare system call changes this thread alone, where
            // the C library's function would change all of them.
            let done = unsafe {
                libc::geteuid() != 0 || libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0
            };
            assert!(done, "{}", std::io::Error::last_os_error());
            f()
        });
        thread.join().unwrap()
    })
}

#[test]
fn a_file_or_directory_without_rights_says_so() {
    let directory = Directory::new("rights");
    let path = directory.write("closed/a", "one\n");
    let closed = directory.path("closed");
    let right = "give the user this program runs as the right to do so";
    let count = |path: &Path| without_rights(|| context().text_file(path).count()).unwrap_err().to_string();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let error = count(&path);
    assert!(error.contains(&format!("opening {}", path.display())) && error.contains(right), "{error}");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let error = count(&closed);
    assert!(error.contains(&format!("listing {}", closed.display())) && error.contains(right), "{error}");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn nobody_waits_for_a_pipe() {
    let directory = Directory::new("pipe");
    directory.write("a", "one\n");
    let pipe = directory.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(directory.path("socket")).unwrap();
    let (_context, lines) = described(&directory.0);
    assert_eq!(lines.collect().unwrap(), ["one"]);
    let (_context, lines) = described(&pipe);
    let error = lines.count().unwrap_err().to_string();
    assert!(
        error.contains(&format!("opening {}", pipe.display())) && error.contains("it is a pipe; name a file"),
        "{error}"
    );
}
