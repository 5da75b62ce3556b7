//! Any file of a checkpoint directory is cut or changed: the result is right, or the start is refused; never a wrong result.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use millstream_streaming::testing::Driver;
use millstream_streaming::{Result, checkpoints};

use crate::fed::fed_stream;
use crate::recovery::{Directory, SECOND, at, conf};

/// What was put out, by the batch.
type Seen = BTreeMap<i64, (Vec<u64>, i64)>;

/// Runs batches from `now` on; what is fed is stored one each batch.
fn run(directory: &Path, now: i64, fed: &[u64], batches: usize) -> Result<Seen> {
    let conf = conf().set("spark.streaming.receiver.writeAheadLog.enable", "true");
    let driver = Driver::at(conf, SECOND, at(now))?;
    let context = driver.context().clone();
    let (numbers, feed) = fed_stream::<u64>(driver.streaming());
    let seen = Arc::new(Mutex::new(Seen::new()));
    let into = Arc::clone(&seen);
    numbers.window(3 * SECOND, None).foreach_rdd_with(move |rdd, time| {
        let sum = context.long_accumulator_named("sum")?;
        rdd.foreach_env(sum.clone(), |sum, n| sum.add(n as i64))?;
        let row = (rdd.collect()?, sum.value());
        let before = into.lock().unwrap().insert(time.as_millis(), row);
        assert_eq!(before, None, "batch {time} ran twice");
        Ok::<_, millstream_core::Error>(())
    });
    let steps = driver.get_or_create(directory)?.start()?;
    let handle = feed.handle();
    for batch in 0..batches {
        if let Some(number) = fed.get(batch) {
            handle.store_many(vec![*number])?;
        }
        steps.step()?;
    }
    drop(handle);
    drop(steps);
    let seen = seen.lock().unwrap().clone();
    Ok(seen)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { found.extend(files(&entry)) } else { found.push(entry) }
    }
    found.sort();
    found
}

/// Copies a directory as it would be left by a kill.
pub(crate) fn copy(from: &Path, to: &Path) {
    let is_whole = |file: &PathBuf| !file.file_name().unwrap().to_string_lossy().starts_with("._");
    for file in files(from).into_iter().filter(is_whole) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
}

#[test]
fn any_file_may_be_cut_or_changed_at_any_place() {
    let directory = Directory::new();
    let whole = directory.0.join("whole");
    let mut expected = run(&whole, 0, &[1, 20, 300, 4000], 4).unwrap();
    let reference = directory.0.join("reference");
    copy(&whole, &reference);
    expected.extend(run(&reference, 4100, &[], 2).unwrap());
    assert_eq!(expected[&5000], (vec![300, 4000], 1 + 21 + 321 + 4320 + 4300));
    assert_eq!(expected.len(), 6);

    let context = millstream_core::Context::new(conf()).unwrap();
    let (mut right, mut refused) = (0, 0);
    for (number, file) in files(&whole).into_iter().enumerate() {
        let bytes = fs::read(&file).unwrap();
        let name = file.strip_prefix(&whole).unwrap();
        let middle = bytes.len() / 2;
        for at in [0, middle, bytes.len() - 1] {
            for flip in [true, false] {
                let damaged = directory.0.join(format!("{number}-{at}-{flip}"));
                copy(&whole, &damaged);
                let mut changed = bytes.clone();
                if flip {
                    changed[at] ^= 0x20
                } else {
                    changed.truncate(at)
                }
                fs::write(damaged.join(name), changed).unwrap();
                let what = format!("{} {} at {at}", name.display(), if flip { "changed" } else { "cut" });
                let is_whole =
                    checkpoints::verify(&context.file_systems(), &damaged).unwrap().problems.is_empty();
                match run(&damaged, 4100, &[], 2) {
                    Ok(seen) => {
                        right += 1;
                        for (time, row) in &seen {
                            assert_eq!(row, &expected[time], "{what}, batch {time}");
                        }
                        assert!(seen.contains_key(&5000) && seen.contains_key(&6000), "{what}: {seen:?}");
                    }
                    Err(error) => {
                        refused += 1;
                        let error = error.to_string();
                        assert!(error.contains(&*damaged.to_string_lossy()), "{what}: {error}");
                        assert!(!is_whole, "{what}: verified as whole, and refused: {error}");
                    }
                }
                fs::remove_dir_all(&damaged).unwrap();
            }
        }
    }
    assert!(right >= 20 && refused >= 6, "{right} right, {refused} refused");
}

#[test]
#[cfg(unix)]
fn a_directory_that_may_not_be_written_is_refused_at_the_start() {
    use std::os::unix::fs::PermissionsExt;
    let directory = Directory::new();
    let closed = directory.0.join("closed");
    fs::create_dir_all(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    // Whoever may write everywhere, such as root, is not refused.
    let refuses = fs::write(closed.join("try"), "").is_err();
    let outcome = run(&closed, 0, &[1], 1);
    assert_eq!(outcome.is_err(), refuses);
    if let Err(error) = outcome {
        assert!(error.to_string().contains("closed"), "{error}");
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_full_disk_stops_the_streams_and_room_lets_them_go_on() {
    small_disk::register();
    let directory = Directory::new();
    let checkpoints = PathBuf::from(format!("small://disk{}", directory.0.join("checkpoints").display()));
    small_disk::ROOM.store(1 << 20, Ordering::SeqCst);
    let expected = run(&checkpoints, 0, &[1, 20], 2).unwrap();
    assert_eq!(expected[&2000].0, [1, 20]);
    let mut stopped = 0;
    // It gets full at any place: while a block or an event is logged, while a manifest or the variables are written.
    for room in [0, 50, 150, 300, 600, 1000, 1500, 2500] {
        let copied = directory.0.join(format!("room-{room}"));
        copy(&directory.0.join("checkpoints"), &copied);
        let small = PathBuf::from(format!("small://disk{}", copied.display()));
        small_disk::ROOM.store(room, Ordering::SeqCst);
        let first = run(&small, 2100, &[300, 4000], 2);
        small_disk::ROOM.store(1 << 20, Ordering::SeqCst);
        if let Err(error) = first {
            stopped += 1;
            assert!(error.to_string().contains("make room there"), "{error}");
        }
        // What was accepted is not lost; what was not is stored again by whoever was told so.
        let seen = run(&small, 4100, &[], 1).unwrap();
        assert!(
            seen.values().all(|(numbers, _)| numbers.iter().all(|n| [1, 20, 300, 4000].contains(n))),
            "{seen:?}"
        );
    }
    assert!(stopped >= 4, "{stopped} were stopped");
}

/// This machine's files on a disk that is full when the test says so.
mod small_disk {
    use std::io::{self, ErrorKind, Read, Write};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use millstream_core::Result;
    use millstream_core::fs::{self, FileStatus, FileSystem, FileWriter, FsPath, LocalFs};

    /// How many bytes may be written.
    pub(super) static ROOM: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn register() {
        fs::register("small", |_, _| Ok(Arc::new(SmallDisk)));
    }

    struct SmallDisk;

    fn local(path: &FsPath) -> Result<FsPath> {
        FsPath::parse(path.path())
    }

    fn small(status: FileStatus) -> Result<FileStatus> {
        Ok(FileStatus { path: FsPath::parse(&format!("small://disk{}", status.path.path()))?, ..status })
    }

    impl FileSystem for SmallDisk {
        fn status(&self, path: &FsPath) -> Result<FileStatus> {
            LocalFs.status(&local(path)?).and_then(small)
        }

        fn list(&self, directory: &FsPath) -> Result<Vec<FileStatus>> {
            LocalFs.list(&local(directory)?)?.into_iter().map(small).collect()
        }

        fn open(&self, file: &FileStatus, offset: u64) -> Result<Box<dyn Read + Send>> {
            LocalFs.open(&FileStatus { path: local(&file.path)?, ..file.clone() }, offset)
        }

        fn create(&self, path: &FsPath) -> Result<Box<dyn FileWriter>> {
            Ok(Box::new(Writer(LocalFs.create(&local(path)?)?)))
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

    struct Writer(Box<dyn FileWriter>);

    impl Write for Writer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let enough = |room: usize| room.checked_sub(bytes.len());
            match ROOM.fetch_update(Ordering::SeqCst, Ordering::SeqCst, enough) {
                Ok(_) => self.0.write(bytes),
                Err(_) => Err(ErrorKind::StorageFull.into()),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }

    impl FileWriter for Writer {
        fn publish(self: Box<Self>) -> Result<()> {
            self.0.publish()
        }

        fn publish_new(self: Box<Self>) -> Result<bool> {
            self.0.publish_new()
        }
    }
}
