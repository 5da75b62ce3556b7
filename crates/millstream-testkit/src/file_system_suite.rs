//! What every file system must do: a suite that each of them passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a suite of tests fails by panicking"
)]

use std::io::Write;

use millstream_core::fs::{FileStatus, FileSystem, FsPath, is_not_found};

/// Holds a file system against the contract of [`FileSystem`], in a directory of its own that does not exist yet.
///
/// # Panics
/// If the file system does not keep to the contract.
pub fn check(system: &dyn FileSystem, root: &FsPath) {
    files_are_published_as_a_whole(system, &root.join("published"));
    one_of_several_publishes_new(system, &root.join("new"));
    directories_are_listed(system, &root.join("listed"));
    patterns_match(system, &root.join("patterns"));
    files_are_read_as_listed(system, &root.join("read"));
    long_files_are_written_and_read(system, &root.join("long"));
    names_are_changed_and_deleted(system, &root.join("names"));
    what_is_missing_is_told_as_missing(system, &root.join("missing"));
    assert!(system.delete(root).unwrap(), "the suite's directory was there");
    assert!(!system.exists(root).unwrap(), "and is deleted with all that is in it");
}

fn write(system: &dyn FileSystem, path: &FsPath, content: &[u8]) -> FileStatus {
    let mut writer = system.create(path).unwrap();
    writer.write_all(content).unwrap();
    writer.publish().unwrap();
    system.status(path).unwrap()
}

fn read(system: &dyn FileSystem, file: &FileStatus, offset: u64) -> Vec<u8> {
    let mut content = Vec::new();
    system.open(file, offset).unwrap().read_to_end(&mut content).unwrap();
    content
}

fn names(files: &[FileStatus]) -> Vec<&str> {
    files.iter().map(|file| file.path.name()).collect()
}

fn files_are_published_as_a_whole(system: &dyn FileSystem, root: &FsPath) {
    let path = root.join("a/b/file");
    let mut writer = system.create(&path).unwrap();
    writer.write_all(b"to be").unwrap();
    writer.flush().unwrap();
    assert!(!system.exists(&path).unwrap(), "a file that is not published is not there");
    writer.publish().unwrap();
    let file = system.status(&path).unwrap();
    assert_eq!((file.len, file.is_dir, &file.path), (5, false, &path));
    assert_eq!(read(system, &file, 0), b"to be");

    drop(system.create(&path).unwrap());
    let mut given_up = system.create(&path).unwrap();
    given_up.write_all(b"or not").unwrap();
    drop(given_up);
    assert_eq!(read(system, &file, 0), b"to be", "what is given up changes nothing");
    assert_eq!(names(&system.list(&root.join("a/b")).unwrap()), ["file"], "and leaves nothing");

    let replaced = write(system, &path, b"or not to be");
    assert_eq!(read(system, &replaced, 0), b"or not to be");
    let empty = write(system, &root.join("empty"), b"");
    assert_eq!((empty.len, read(system, &empty, 0)), (0, Vec::new()));
}

fn one_of_several_publishes_new(system: &dyn FileSystem, root: &FsPath) {
    let path = root.join("only");
    let writers: Vec<_> = (0..4_u8)
        .map(|n| {
            let mut writer = system.create(&path).unwrap();
            writer.write_all(&[n; 100]).unwrap();
            (n, writer)
        })
        .collect();
    let won: Vec<u8> = std::thread::scope(|scope| {
        let publish = |(n, writer): (u8, Box<dyn millstream_core::fs::FileWriter>)| {
            scope.spawn(move || writer.publish_new().unwrap().then_some(n))
        };
        let threads: Vec<_> = writers.into_iter().map(publish).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(won.len(), 1, "one publishes: {won:?}");
    assert_eq!(read(system, &system.status(&path).unwrap(), 0), [won[0]; 100]);
    assert!(!system.create(&path).unwrap().publish_new().unwrap());
    assert_eq!(names(&system.list(root).unwrap()), ["only"]);

    // However long it is, and as a whole.
    let (path, long) = (root.join("long"), vec![7; (33 << 20) + 1]);
    for is_new in [true, false] {
        let mut writer = system.create_new(&path).unwrap();
        writer.write_all(&long).unwrap();
        assert_eq!(writer.publish_new().unwrap(), is_new);
        assert_eq!(system.status(&path).unwrap().len, long.len() as u64);
    }
    assert_eq!(read(system, &system.status(&path).unwrap(), 0), long);
}

fn directories_are_listed(system: &dyn FileSystem, root: &FsPath) {
    for name in ["b", "a", "_c", ".d", "dir/x", "dir/more/y", "dirt", "with blank+%2F=é"] {
        write(system, &root.join(name), name.as_bytes());
    }
    let listed = system.list(root).unwrap();
    assert_eq!(names(&listed), [".d", "_c", "a", "b", "dir", "dirt", "with blank+%2F=é"]);
    let directories: Vec<_> = listed.iter().filter(|file| file.is_dir).map(|file| file.path.name()).collect();
    assert_eq!(directories, ["dir"]);
    for file in listed.iter().filter(|file| !file.is_dir) {
        assert_eq!(file, &system.status(&file.path).unwrap(), "listed as it is");
        assert_eq!(read(system, file, 0), file.path.name().as_bytes());
    }
    assert!(system.status(&root.join("dir")).unwrap().is_dir);
    assert_eq!(names(&system.list(&root.join("dir")).unwrap()), ["more", "x"]);
    assert!(system.list(&root.join("a")).is_err(), "a file is no directory");
}

fn patterns_match(system: &dyn FileSystem, root: &FsPath) {
    for name in ["2024/01/a", "2024/02/b", "2025/01/c"] {
        write(system, &root.join(name), b"");
    }
    for (pattern, expected) in [
        ("*/01/*", vec!["a", "c"]),
        ("202[4]/0?/[ab]", vec!["a", "b"]),
        ("{2025/01,2024/02}/*", vec!["b", "c"]),
        ("2024/*", vec!["01", "02"]),
        ("2024/01/a", vec!["a"]),
        ("2026/*/x", vec![]),
        ("2024/01/a/*", vec![]),
    ] {
        assert_eq!(names(&system.glob(&root.join(pattern)).unwrap()), expected, "{pattern}");
    }
}

fn files_are_read_as_listed(system: &dyn FileSystem, root: &FsPath) {
    let path = root.join("file");
    let file = write(system, &path, b"0123456789");
    for offset in 0..12 {
        let expected = b"0123456789".get(offset..).unwrap_or_default();
        assert_eq!(read(system, &file, offset as u64), expected);
    }
    let replaced = write(system, &path, b"9876543210 and more");
    let read_then = system.open(&file, 3).map(|_| ());
    let error = read_then.unwrap_err().to_string();
    assert!(error.contains("replaced") && error.contains(&path.to_string()), "{error}");
    assert_eq!(read(system, &replaced, 3), b"6543210 and more");
    system.delete(&path).unwrap();
    assert!(is_not_found(&system.open(&replaced, 0).map(|_| ()).unwrap_err()));
}

fn long_files_are_written_and_read(system: &dyn FileSystem, root: &FsPath) {
    let path = root.join("file");
    // Longer than two of the parts in which object stores take them, and no multiple of anything.
    let content: Vec<u8> =
        (0..9_000_001_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let file = write(system, &path, &content);
    assert_eq!(file.len, content.len() as u64);
    assert!(read(system, &file, 0) == content);
    assert!(read(system, &file, 20_000_000) == content[20_000_000..]);
    let mut given_up = system.create(&root.join("given-up")).unwrap();
    given_up.write_all(&content).unwrap();
    drop(given_up);
    assert_eq!(names(&system.list(root).unwrap()), ["file"]);
}

fn names_are_changed_and_deleted(system: &dyn FileSystem, root: &FsPath) {
    write(system, &root.join("from/a"), b"a");
    write(system, &root.join("from/deep/b"), b"b");
    write(system, &root.join("other"), b"other");
    system.rename(&root.join("from/a"), &root.join("other")).unwrap();
    assert_eq!(read(system, &system.status(&root.join("other")).unwrap(), 0), b"a", "a file is replaced");
    assert!(!system.exists(&root.join("from/a")).unwrap());
    system.rename(&root.join("from"), &root.join("to")).unwrap();
    assert_eq!(read(system, &system.status(&root.join("to/deep/b")).unwrap(), 0), b"b");
    assert!(!system.exists(&root.join("from")).unwrap());
    assert!(system.rename(&root.join("none"), &root.join("to/none")).is_err());
    write(system, &root.join("to-stay"), b"");
    assert!(system.delete(&root.join("to")).unwrap());
    assert_eq!(names(&system.list(root).unwrap()), ["other", "to-stay"]);
    assert!(!system.delete(&root.join("to")).unwrap(), "deleting what is not there is no error");
    system.make_directories(&root.join("a/b/c")).unwrap();
    system.make_directories(&root.join("a/b")).unwrap();
}

fn what_is_missing_is_told_as_missing(system: &dyn FileSystem, root: &FsPath) {
    let path = root.join("none");
    for error in [system.status(&path).err(), system.list(&path).err()] {
        let error = error.expect("nothing is there");
        assert!(is_not_found(&error), "{error}");
        assert!(error.to_string().contains(&path.to_string()), "{error}");
    }
    assert!(!system.exists(&path).unwrap());
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_core::fs::LocalFs;

    #[test]
    fn this_machines_files_keep_to_the_contract() {
        let root = std::env::temp_dir().join(format!("millstream-file-systems-{}", std::process::id()));
        check(&LocalFs, &FsPath::from_path(root).unwrap());
    }
}
