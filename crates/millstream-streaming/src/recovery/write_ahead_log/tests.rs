//! The data cases of Spark's `WriteAheadLogSuite`, and what a log of ours promises beyond them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use millstream_core::fs::LocalFs;

use super::segment::HEAD;
use super::*;

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
        let mut config = LogConfig {
            generation: 1,
            rolling_interval: Duration::from_secs(1),
            close_file_after_write: false,
            max_failures: 1,
            group_commit: true,
        };
        change(&mut config);
        WriteAheadLog::new(Arc::new(LocalFs), FsPath::from_path(&self.0).unwrap(), config)
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
    log.read_all(at(i64::MAX), |position, record| {
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
fn a_segment_torn_at_any_byte_gives_all_records_before_it() {
    let scratch = Scratch::new();
    let log = scratch.log();
    let texts = texts(0..8);
    let ends: Vec<_> = texts
        .iter()
        .map(|text| {
            let position = write(&log, text, 0);
            position.offset as usize + frame::FRAME + position.length as usize
        })
        .collect();
    let path = scratch.0.join("log-0-1000");
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.len(), *ends.last().unwrap());
    for length in 0..bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let whole = ends.iter().filter(|end| **end <= length).count();
        assert_eq!(all(&scratch.log()), texts[..whole], "torn at {length}");
    }
}

#[test]
fn what_lies_behind_the_end_that_the_next_segment_names_is_passed_over() {
    let scratch = Scratch::new();
    let log = scratch.log();
    texts(0..4).iter().for_each(|text| drop(write(&log, text, 0)));
    let path = scratch.0.join("log-0-1000");
    let whole = std::fs::read(&path).unwrap();
    // The begin of a write that failed, and that could not be cut off.
    let left_over = [&whole[..], &[1; 100]].concat();
    std::fs::write(&path, &left_over).unwrap();
    let refused = scratch.log().read_all(at(0), |_, _| Ok(())).unwrap_err().to_string();
    assert!(refused.contains(&format!("wrong checksum (at byte {})", whole.len())), "{refused}");
    write(&log, "after", 2000);
    assert_eq!(all(&scratch.log()), [texts(0..4), vec!["after".to_owned()]].concat());
    // What lies before it is not.
    let mut changed = left_over;
    changed[whole.len() - 1] ^= 1;
    std::fs::write(&path, &changed).unwrap();
    assert!(scratch.log().read_all(at(0), |_, _| Ok(())).is_err());
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
fn a_flipped_bit_is_told_and_never_read() {
    let scratch = Scratch::new();
    let log = scratch.log();
    texts(0..8).iter().for_each(|text| drop(write(&log, text, 0)));
    let path = scratch.0.join("log-0-1000");
    let bytes = std::fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x40;
        std::fs::write(&path, &flipped).unwrap();
        let error = scratch.log().read_all(Time::default(), |_, _| Ok(())).unwrap_err().to_string();
        assert!(error.contains("log-0-1000") && error.contains("checksum"), "{at}: {error}");
    }
}

#[test]
fn a_segment_before_the_last_that_is_missing_or_was_cut_is_told() {
    for close in [false, true] {
        let scratch = Scratch::new();
        let log = || scratch.log_with(|config| config.close_file_after_write = close);
        let first = log();
        [0, 500, 1001].iter().for_each(|millis| drop(write(&first, "a record", *millis)));
        drop(first);
        // Another run of the program, which has read what there is.
        let second = log();
        assert_eq!(all(&second).len(), 3);
        [2002, 3003].iter().for_each(|millis| drop(write(&second, "a record", *millis)));
        let refused =
            |needed_from| log().read_all(at(needed_from), |_, _| Ok(())).map_err(|error| error.to_string());
        assert_eq!(refused(0), Ok(()));
        let mut files = scratch.files();
        files.sort_by_key(|name| SegmentName::parse(name));
        for name in files.iter().rev().skip(1) {
            let path = scratch.0.join(name);
            let bytes = std::fs::read(&path).unwrap();
            for length in [0, HEAD, bytes.len() - 1] {
                std::fs::write(&path, &bytes[..length]).unwrap();
                let error = refused(0).unwrap_err();
                assert!(
                    error.contains(name.as_str()) && error.contains("the segment is"),
                    "{length}: {error}"
                );
            }
            std::fs::remove_file(&path).unwrap();
            assert!(refused(0).unwrap_err().contains(&format!("{name}: the segment is missing")));
            std::fs::write(&path, &bytes).unwrap();
        }
        // One that was cleaned is not missed.
        assert!(second.clean(at(1001)).unwrap() > 0);
        assert!(refused(0).is_err());
        assert_eq!(refused(1001), Ok(()));
    }
}

#[test]
fn a_record_whose_segment_is_gone_or_cut_is_an_error_that_names_it() {
    let scratch = Scratch::new();
    let log = scratch.log();
    let position = write(&log, "to be or not", 0);
    let path = scratch.0.join("log-0-1000");
    std::fs::write(&path, &std::fs::read(&path).unwrap()[..HEAD + 20]).unwrap();
    let error = log.read(&position).unwrap_err().to_string();
    assert!(error.contains("log-0-1000: the record is not whole (at byte 44)"), "{error}");
    std::fs::remove_file(&path).unwrap();
    assert!(log.read(&position).unwrap_err().to_string().contains("log-0-1000"));
}

#[test]
fn those_that_wait_at_the_same_time_share_a_commit() {
    const WRITERS: usize = 16;
    let scratch = Scratch::new();
    let log = scratch.log();
    let mut positions = Vec::new();
    thread::scope(|scope| {
        let at_work = log.writing(); // as if a commit took long
        let spawned: Vec<_> = (0..WRITERS)
            .map(|n| {
                let log = &log;
                scope.spawn(move || write(log, &n.to_string(), 0))
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
