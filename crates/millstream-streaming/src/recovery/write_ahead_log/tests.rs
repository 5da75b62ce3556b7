//! The data cases of Spark's `WriteAheadLogSuite`, and what a log of ours promises beyond them.

mod damage;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::SystemTime;

use millstream_core::fs::LocalFs;

use super::segment::HEAD;
use super::*;
use crate::recovery::flawed_disk::FlawedDisk;

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let unique = format!("log-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        Scratch(std::env::temp_dir().join(unique))
    }

    fn log(&self) -> WriteAheadLog {
        self.log_with(|_| ())
    }

    fn log_with(&self, change: impl FnOnce(&mut LogConfig)) -> WriteAheadLog {
        self.make(Arc::new(LocalFs), change)
    }

    fn log_on(&self, disk: Arc<dyn FileSystem>) -> WriteAheadLog {
        self.make(disk, |_| ())
    }

    fn make(&self, disk: Arc<dyn FileSystem>, change: impl FnOnce(&mut LogConfig)) -> WriteAheadLog {
        let mut config = LogConfig {
            generation: 1,
            rolling_interval: Duration::from_secs(1),
            close_file_after_write: false,
            max_failures: 1,
            group_commit: true,
        };
        change(&mut config);
        WriteAheadLog::new(disk, FsPath::from_path(&self.0).unwrap(), config)
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).map(Iterator::collect::<Vec<_>>).unwrap_or_default();
        let names = entries.into_iter().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

fn write(log: &WriteAheadLog, text: &str, millis: i64) -> LogPosition {
    log.write(Arc::new(text.as_bytes().to_vec()), at(millis)).unwrap()
}

fn all(log: &WriteAheadLog) -> Vec<String> {
    let mut records = Vec::new();
    // What tests have cleaned is not missed.
    log.read_all(None, at(i64::MAX), |position, record| {
        assert_eq!(log.read(&position)?, record);
        records.push(String::from_utf8(record.to_vec()).unwrap());
        Ok(())
    })
    .unwrap();
    records
}

fn texts(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| "x".repeat(n as usize % 7) + &n.to_string()).collect()
}

#[test]
fn records_are_read_in_their_order_also_if_the_clock_was_put_back() {
    for close_file_after_write in [false, true] {
        let scratch = Scratch::new();
        let log = || scratch.log_with(|config| config.close_file_after_write = close_file_after_write);
        let first = log();
        write(&first, "first", 10_000);
        write(&first, "second", 9_990);
        drop(first);
        // Another run of the program.
        let again = log();
        assert_eq!(all(&again), ["first", "second"]);
        write(&again, "third", 5_000);
        write(&again, "fourth", 12_000);
        assert_eq!(all(&again), ["first", "second", "third", "fourth"], "{close_file_after_write}");
        assert_eq!(all(&log()), ["first", "second", "third", "fourth"]);
    }
}

/// A log that is not read as a whole at a start: those of blocks.
#[test]
fn what_is_written_lies_behind_what_was_there_also_if_the_clock_was_put_back() {
    for close_file_after_write in [false, true] {
        let scratch = Scratch::new();
        let log = || scratch.log_with(|config| config.close_file_after_write = close_file_after_write);
        let before = write(&log(), "before", 10_000);
        // What others write is none of its affair.
        let other = scratch.log_with(|config| config.generation = 2);
        write(&other, "another's", 1_000_000);
        let again = log();
        again.read_behind(None, None, |_, _| Ok(())).unwrap();
        let after = write(&again, "after", 5_000);
        assert!(after.is_behind(&before), "{after:?}");
        assert_eq!(after.segment, "log-10001-11001");
        // It is needed: up to when records are kept does not follow the clock.
        again.clean(at(10_000)).unwrap();
        assert_eq!(again.read(&after).unwrap(), b"after");
        let mut behind = Vec::new();
        let each = |_: LogPosition, record: &[u8]| {
            behind.push(record.to_vec());
            Ok(())
        };
        log().read_behind(Some(&before), None, each).unwrap();
        assert_eq!(behind, [b"after"]);
    }
}

#[test]
fn records_are_read_one_by_one_and_all_in_order() {
    for close in [false, true] {
        let scratch = Scratch::new();
        let log = scratch.log_with(|config| config.close_file_after_write = close);
        assert_eq!(all(&log), [""; 0]);
        let texts = texts(0..50);
        let positions: Vec<_> = texts.iter().map(|text| write(&log, text, 10)).collect();
        for (text, position) in texts.iter().zip(&positions).rev() {
            assert_eq!(log.read(position).unwrap(), text.as_bytes());
        }
        assert_eq!(all(&log), texts);
        log.close();
        assert_eq!(all(&scratch.log()), texts);
        assert_eq!(scratch.files().len(), if close { 50 } else { 1 });
    }
}

#[test]
fn a_segment_is_as_long_as_the_rolling_interval() {
    let scratch = Scratch::new();
    let log = scratch.log();
    for millis in [0, 500, 1000, 1001, 2001, 2002] {
        write(&log, &millis.to_string(), millis);
    }
    assert_eq!(scratch.files(), ["log-0-1000", "log-1001-2001", "log-2002-3002"]);
    assert_eq!(all(&log), ["0", "500", "1000", "1001", "2001", "2002"]);
}

#[test]
fn segments_of_before_the_threshold_are_cleaned() {
    let scratch = Scratch::new();
    let log = scratch.log();
    for millis in [0, 1001, 2002] {
        write(&log, &millis.to_string(), millis);
    }
    assert_eq!(log.clean(at(1000)).unwrap(), 0);
    assert_eq!(log.clean(at(1001)).unwrap(), 1);
    assert_eq!(all(&log), ["1001", "2002"]);
    // The segment that is written to stays, whatever the threshold.
    assert_eq!(log.clean(at(10_000)).unwrap(), 1);
    write(&log, "more", 2003);
    assert_eq!(all(&log), ["2002", "more"]);
}

#[test]
fn a_log_that_is_opened_again_has_all_its_records_and_begins_another_segment() {
    let scratch = Scratch::new();
    let log = scratch.log();
    write(&log, "a", 10);
    write(&log, "b", 10);
    drop(log);
    let log = scratch.log();
    write(&log, "c", 10);
    assert_eq!(scratch.files(), ["log-10-1010", "log-11-1011"]);
    assert_eq!(all(&log), ["a", "b", "c"]);
    assert_eq!(log.clean(at(1011)).unwrap(), 1);
    assert_eq!(all(&log), ["c"]);
}

#[test]
fn records_of_another_generation_are_neither_read_nor_cleaned() {
    let scratch = Scratch::new();
    let first = scratch.log();
    write(&first, "first", 0);
    let second = scratch.log_with(|config| config.generation = 2);
    write(&second, "second", 0);
    assert_eq!(all(&second), ["second"]);
    second.close();
    assert_eq!(second.clean(at(1_000_000)).unwrap(), 1);
    assert_eq!(all(&first), ["first"]);
}

#[test]
fn a_segment_without_a_whole_head_is_cleaned_by_whoever_comes_after_it() {
    let scratch = Scratch::new();
    let log = scratch.log();
    write(&log, "a", 2000);
    std::fs::write(scratch.0.join("log-0-1000"), &[0; HEAD - 1][..]).unwrap();
    assert_eq!(log.clean(at(1001)).unwrap(), 1);
    assert_eq!(scratch.files(), ["log-2000-3000"]);
}

#[test]
fn segments_that_can_not_be_deleted_keep_no_others() {
    let scratch = Scratch::new();
    let disk = FlawedDisk::new();
    disk.refuse_to_delete(|path| path.ends_with("log-0-1000"));
    let log = scratch.log_on(Arc::clone(&disk) as _);
    for millis in [0, 1001, 2002, 3003] {
        write(&log, "a record", millis);
    }
    let refused = log.clean(at(3000)).unwrap_err().to_string();
    assert!(refused.contains("log-0-1000"), "{refused}");
    assert_eq!(scratch.files(), ["log-0-1000", "log-2002-3002", "log-3003-4003"]);
    disk.refuse_to_delete(|_| false);
    assert_eq!(log.clean(at(3003)).unwrap(), 2);
}

#[test]
fn nothing_is_made_before_something_is_written() {
    let scratch = Scratch::new();
    let log = scratch.log();
    assert_eq!(all(&log), [""; 0]);
    assert_eq!(log.clean(at(1000)).unwrap(), 0);
    let nowhere = LogPosition { segment: "log-0-1000".into(), offset: 44, length: 5 };
    assert!(log.read(&nowhere).is_err());
    log.read_behind(None, None, |_, _| Ok(())).unwrap();
    assert!(!scratch.0.exists());
}

/// The values of the cases that rotate: a hundred records half a second apart, of which two share a segment of a second.
#[test]
fn a_hundred_records_half_a_second_apart_are_read_again_by_the_next_run() {
    let scratch = Scratch::new();
    let texts: Vec<String> = (1..=100).map(|n: u32| n.to_string()).collect();
    let log = scratch.log();
    let mut clock = 10_000;
    for text in &texts {
        clock += 500;
        write(&log, text, clock);
    }
    assert_eq!(all(&log), texts);
    let files = scratch.files().len();
    // A segment takes what comes up to its stop, which is included.
    assert_eq!(files, 34);
    drop(log);
    let log = scratch.log();
    assert_eq!(all(&log), texts);
    assert!(log.clean(at(clock / 2)).unwrap() > 0);
    assert!(scratch.files().len() < files);
    let left = all(&log);
    assert!(!left.is_empty() && texts.ends_with(&left), "{left:?}");
    for text in &texts {
        clock += 500;
        write(&log, text, clock + 100_000);
    }
    assert_eq!(all(&log), [left, texts].concat());
}

/// A task reads a block that has left memory while the receiver stores the next one.
#[test]
fn a_segment_is_read_while_it_is_written_to() {
    let scratch = Scratch::new();
    let disk = FlawedDisk::new();
    let log = scratch.log_on(Arc::clone(&disk) as _);
    let position = write(&log, "a record", 0);
    // What can be seen of a write that has begun.
    let begin_to_write = |seconds| {
        disk.before_open(move |path| {
            let file = std::fs::File::options().append(true).open(path).unwrap();
            file.set_modified(SystemTime::now() + Duration::from_secs(seconds)).unwrap();
        });
    };
    begin_to_write(10);
    assert_eq!(log.read(&position).unwrap(), b"a record");
    begin_to_write(20);
    assert_eq!(all(&log), ["a record"]);
}

#[test]
fn all_that_share_a_commit_are_told_that_it_failed() {
    const WRITERS: usize = 8;
    let scratch = Scratch::new();
    let log = scratch.log();
    write(&log, "before", 0);
    std::fs::rename(&scratch.0, scratch.0.with_extension("away")).unwrap();
    std::fs::write(&scratch.0, "a file in the place of the directory").unwrap();
    log.close();
    thread::scope(|scope| {
        let at_work = log.writing(); // as if a commit took long
        let spawned: Vec<_> = (0..WRITERS)
            .map(|n| {
                scope.spawn({
                    let log = &log;
                    move || log.write(Arc::new(vec![n as u8]), at(n as i64))
                })
            })
            .collect();
        while log.handed_in() < 1 + WRITERS as u64 {
            thread::yield_now();
        }
        drop(at_work);
        for writer in spawned {
            assert!(writer.join().unwrap().unwrap_err().to_string().contains(&*scratch.0.to_string_lossy()));
        }
    });
    std::fs::remove_file(&scratch.0).unwrap();
    std::fs::rename(scratch.0.with_extension("away"), &scratch.0).unwrap();
    // The next one is not held up, and begins a segment that is named after it.
    assert_eq!(write(&log, "after", 4000).segment, "log-4000-5000");
    assert_eq!(all(&log), ["before", "after"]);
}

#[test]
fn those_that_wait_at_the_same_time_share_a_commit() {
    const WRITERS: usize = 16;
    let scratch = Scratch::new();
    let log = scratch.log();
    let millis = |n: usize| 1000 * (n as i64 * 7 % 16);
    let mut positions = Vec::new();
    thread::scope(|scope| {
        let at_work = log.writing(); // as if a commit took long
        let spawned: Vec<_> = (0..WRITERS)
            .map(|n| {
                let log = &log;
                scope.spawn(move || write(log, &n.to_string(), millis(n)))
            })
            .collect();
        // One of them has been taken up by the commit that waits for the lock, perhaps with others.
        while log.handed_in() < WRITERS as u64 {
            thread::yield_now();
        }
        drop(at_work);
        positions.extend(spawned.into_iter().map(|writer| writer.join().unwrap()));
    });
    assert!(log.commits() <= 2, "{} commits", log.commits());
    for (n, position) in positions.iter().enumerate() {
        assert_eq!(log.read(position).unwrap(), n.to_string().as_bytes());
        // Its segment stays as long as the latest of them.
        let stop = SegmentName::parse(&position.segment).unwrap().stop;
        assert!(stop >= at(millis(n)), "{n} of {} is in {}", millis(n), position.segment);
    }
}

#[test]
fn without_group_commit_each_record_has_its_own() {
    let scratch = Scratch::new();
    let log = scratch.log_with(|config| config.group_commit = false);
    thread::scope(|scope| {
        for n in 0..20 {
            let log = &log;
            scope.spawn(move || write(log, &n.to_string(), 0));
        }
    });
    assert_eq!(log.commits(), 20);
    assert_eq!(all(&log).len(), 20);
}

#[test]
fn many_writers_find_all_their_records_while_others_clean() {
    const WRITERS: i64 = 8;
    const EACH: i64 = 100;
    let scratch = Scratch::new();
    let log = scratch.log_with(|config| config.rolling_interval = Duration::from_millis(20));
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let log = &log;
            scope.spawn(move || {
                for n in 0..EACH {
                    write(log, &format!("{writer}-{n}"), 1000 + n);
                    if n % 50 == 0 {
                        log.clean(at(1000)).unwrap();
                    }
                }
            });
        }
    });
    let records = all(&log);
    for writer in 0..WRITERS {
        let prefix = format!("{writer}-");
        let own: Vec<_> = records.iter().filter_map(|record| record.strip_prefix(&prefix)).collect();
        let mut numbers: Vec<i64> = own.iter().map(|n| n.parse().unwrap()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..EACH).collect::<Vec<_>>());
    }
    assert!(scratch.files().len() >= 3, "{:?}", scratch.files());
}

#[test]
fn a_directory_that_can_not_be_written_is_an_error_after_as_many_tries_as_allowed() {
    let scratch = Scratch::new();
    std::fs::write(&scratch.0, "a file in the place of the directory").unwrap();
    let log = scratch.log_with(|config| config.max_failures = 3);
    let error = log.write(Arc::new(vec![1]), at(0)).unwrap_err().to_string();
    assert!(error.contains(&*scratch.0.to_string_lossy()), "{error}");
    // Once it can be written again, it is.
    std::fs::remove_file(&scratch.0).unwrap();
    write(&log, "now", 0);
    assert_eq!(all(&log), ["now"]);
}

#[test]
fn large_records_between_small_ones_are_read_as_they_were_written() {
    let scratch = Scratch::new();
    let log = scratch.log();
    let texts: Vec<String> =
        [(10, 'a'), (2 << 20, 'b'), (5, 'c'), ((3 << 20) + 1, 'd'), (7, 'e'), (1 << 21, 'f')]
            .iter()
            .map(|(length, letter)| letter.to_string().repeat(*length))
            .collect();
    texts.iter().for_each(|text| drop(write(&log, text, 0)));
    assert!(all(&log) == texts);
    drop(log);
    assert!(all(&scratch.log()) == texts);
    let path = scratch.0.join("log-0-1000");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - (1 << 20)]).unwrap();
    assert!(all(&scratch.log()) == texts[..5]);
}
