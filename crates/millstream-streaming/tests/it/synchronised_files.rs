//! What a program relies on after its machine has died is on disk, not just in the cache of the system, when the batch is completed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr;

use millstream_streaming::testing::Driver;

use crate::damaged_checkpoints::files;
use crate::fed::fed_stream;
use crate::recovery::{Directory, SECOND, at};
use crate::recovery_of_receivers::with_log;

/// Returns whether the system lets go of what it has of a file in its cache: of what it has not written yet it does not.
///
/// Asked once: to ask makes it begin to write.
fn is_on_disk(file: &File) -> bool {
    let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
    if length == 0 {
        return true;
    }
    // SAFETY: the file is open, and the call takes numbers only.
    let told = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    assert_eq!(told, 0);
    let mut pages = vec![0_u8; length.div_ceil(4096)];
    // SAFETY: the mapping is as long as the file, nobody reads it, and it is given back with the length it was asked for; of
    // each of its pages, which are of 4096 bytes or more, one byte is written.
    let cached = unsafe {
        let map = libc::mmap(ptr::null_mut(), length, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0);
        assert!(map != libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
        assert_eq!(libc::mincore(map, length, pages.as_mut_ptr()), 0);
        libc::munmap(map, length)
    };
    assert_eq!(cached, 0);
    pages.iter().all(|page| page & 1 == 0)
}

/// Returns whether the system tells what is on disk: not of memory that looks like one.
fn tells(directory: &Path) -> bool {
    let written = |name: &str, synchronise: bool| {
        let path = directory.join(name);
        fs::write(&path, vec![7; 10_000]).unwrap();
        if synchronise {
            File::open(&path).unwrap().sync_all().unwrap();
        }
        is_on_disk(&File::open(&path).unwrap())
    };
    let synchronised = (0..10).filter(|n| written(&format!("synchronised-{n}"), true)).count();
    let cached = (0..10).filter(|n| !written(&format!("cached-{n}"), false)).count();
    synchronised >= 8 && cached >= 8
}

#[test]
fn all_files_of_a_checkpoint_are_on_disk_once_a_batch_was_completed() {
    let directory = Directory::new();
    fs::create_dir_all(&directory.0).unwrap();
    if !tells(&directory.0) {
        return;
    }
    let place = directory.0.join("checkpoints");
    let conf = with_log()
        .set("spark.streaming.receiver.writeAheadLog.rollingIntervalSecs", "1")
        .set("spark.streaming.driver.writeAheadLog.rollingIntervalSecs", "1");
    let driver = Driver::at(conf, SECOND, at(0)).unwrap();
    let context = driver.context().clone();
    let (numbers, feed) = fed_stream::<u64>(driver.streaming());
    let sums = numbers.map(|n| (n % 7, n)).update_state_by_key(|values: Vec<u64>, sum: Option<u64>| {
        Some(sum.unwrap_or_default() + values.iter().sum::<u64>())
    });
    sums.checkpoint(SECOND).foreach_rdd(move |rdd| {
        let batches = context.long_accumulator_named("batches")?;
        batches.add(1);
        rdd.count().map(drop)
    });
    let steps = driver.get_or_create(&place).unwrap().start().unwrap();
    let handle = feed.handle();
    // By the kind of file: how many are on disk, and how many are not.
    let mut kinds: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    let mut asked = BTreeSet::new();
    for batch in 0..8 {
        // Also one that is written past the cache but for its end.
        let count = if batch == 3 { 1_000_000 } else { 100 };
        handle.store_many(0..count).unwrap();
        steps.step().unwrap();
        for path in files(&place) {
            let name = path.strip_prefix(&place).unwrap().to_string_lossy().into_owned();
            let kind = name.split(['-', '/']).next().unwrap().to_owned();
            // Of whoever has died it is known without a lease. What states are written to meanwhile is none of the checkpoint yet.
            if kind == "lease" || name.contains("/._") {
                continue;
            }
            let file = match File::open(&path) {
                // Deleted just now: no checkpoint names it any more.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                file => file.unwrap(),
            };
            if asked.insert((name, file.metadata().unwrap().len())) {
                kinds.entry(kind).or_default()[usize::from(!is_on_disk(&file))] += 1;
            }
        }
    }
    let names: Vec<&str> = kinds.keys().map(String::as_str).collect();
    assert_eq!(names, ["checkpoint", "receivedBlockMetadata", "receivedData", "state"]);
    // Now and then the system holds a page for reasons of its own.
    assert!(kinds.values().all(|[on_disk, cached]| cached * 4 <= *on_disk), "{kinds:?}");
}
