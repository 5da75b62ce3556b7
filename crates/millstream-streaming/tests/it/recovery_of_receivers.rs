//! What receivers have stored survives if there is a log, and is counted if there is none.

use std::collections::BTreeSet;
use std::sync::{Mutex, mpsc};

use millstream_core::{Conf, StorageLevel};
use millstream_streaming::ReceiverHandle;
use millstream_streaming::testing::{Collected, Driver, Steps};

use crate::damaged_checkpoints::copy;
use crate::fed::{fed_stream, fed_stream_at};
use crate::recovery::{Directory, SECOND, at, conf, times};
use crate::recovery_of_states::kill;
use crate::server::{HOST, Server};
use crate::tables::LONG;

const ROLLING: &str = "spark.streaming.receiver.writeAheadLog.rollingIntervalSecs";

pub(crate) fn with_log() -> Conf {
    conf().set("spark.streaming.receiver.writeAheadLog.enable", "true")
}

fn start(
    conf: Conf,
    directory: &Directory,
    now: i64,
    fails_at: Option<i64>,
) -> (Steps, ReceiverHandle<u64>, Collected<u64>) {
    let driver = Driver::at(conf, SECOND, at(now)).unwrap();
    let (numbers, feed) = fed_stream::<u64>(driver.streaming());
    numbers.foreach_rdd_with(move |_, time| {
        if fails_at.is_some_and(|fails| time == at(fails)) {
            return Err(millstream_core::Error::user("the sink is gone"));
        }
        Ok(())
    });
    let collected = driver.collect(&numbers);
    let steps = driver.get_or_create(&directory.0).unwrap().start().unwrap();
    (steps, feed.handle(), collected)
}

pub(crate) fn files(directory: &Directory, under: &str) -> Vec<String> {
    let entries = std::fs::read_dir(directory.0.join(under)).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn blocks_of_an_unfinished_batch_stay_in_it_and_others_go_to_the_next() {
    let directory = Directory::new();
    let (steps, handle, collected) = start(with_log(), &directory, 0, Some(2000));
    handle.store_many(vec![1, 2]).unwrap();
    steps.step().unwrap();
    assert_eq!(collected.batches(), [vec![1, 2]]);
    handle.store_many(vec![3]).unwrap();
    steps.step().unwrap_err();
    // Logged when it is cut, at the end of the receiver at the latest; no batch has it.
    handle.store_many(vec![4, 5]).unwrap();
    drop(handle);
    drop(steps);
    assert_eq!(files(&directory, "receivedData"), ["0"]);
    assert!(files(&directory, "receivedBlockMetadata").iter().all(|name| name.starts_with("log-")));

    let (steps, handle, collected) = start(with_log(), &directory, 2100, None);
    handle.store_many(vec![6]).unwrap();
    steps.step().unwrap();
    assert_eq!(times(&collected), [2000, 3000]);
    assert_eq!(collected.batches(), [vec![3], vec![4, 5, 6]]);
    drop(handle);
    drop(steps);

    let (steps, _handle, collected) = start(with_log(), &directory, 3100, None);
    steps.step().unwrap();
    assert_eq!(collected.batches(), [vec![0_u64; 0]]);
}

#[test]
fn windows_hold_what_was_received_before_the_restart() {
    let directory = Directory::new();
    let start = |now| {
        let driver = Driver::at(with_log(), SECOND, at(now)).unwrap();
        let (numbers, feed) = fed_stream::<u64>(driver.streaming());
        let collected = driver.collect(&numbers.window(3 * SECOND, None));
        let steps = driver.get_or_create(&directory.0).unwrap().start().unwrap();
        (steps, feed.handle(), collected)
    };
    let (steps, handle, _) = start(0);
    for n in 1..=3 {
        handle.store_many(vec![n]).unwrap();
        steps.step().unwrap();
    }
    drop(handle);
    drop(steps);
    let (steps, handle, collected) = start(3100);
    handle.store_many(vec![4]).unwrap();
    steps.step().unwrap();
    assert_eq!(collected.batches(), [vec![2, 3, 4]]);
}

#[test]
fn what_was_logged_before_the_first_batch_comes_to_one_whatever_the_setting_says_now() {
    let directory = Directory::new();
    let (steps, handle, _) = start(with_log(), &directory, 0, None);
    handle.store_many(vec![1, 2]).unwrap();
    kill(steps, &directory.0);
    drop(handle);
    let (steps, _handle, collected) = start(conf(), &directory, 100, None);
    steps.step().unwrap();
    assert_eq!(collected.batches(), [vec![1, 2]]);
}

#[test]
fn without_a_log_what_is_lost_is_counted() {
    let directory = Directory::new();
    let (steps, handle, _) = start(conf(), &directory, 0, Some(1000));
    handle.store_many(vec![1, 2, 3]).unwrap();
    steps.step().unwrap_err();
    drop(handle);
    drop(steps);
    let (steps, handle, collected) = start(conf(), &directory, 1100, None);
    handle.store_many(vec![4]).unwrap();
    steps.step().unwrap();
    assert_eq!(collected.batches(), [vec![], vec![4]]);
    assert_eq!(steps.running.lost_records(), 3);
}

#[test]
fn old_segments_are_deleted_while_the_streams_run() {
    let directory = Directory::new();
    let conf =
        with_log().set(ROLLING, "1").set("spark.streaming.driver.writeAheadLog.rollingIntervalSecs", "1");
    let (steps, handle, collected) = start(conf, &directory, 0, None);
    for n in 0..30 {
        handle.store_many(vec![n]).unwrap();
        steps.step().unwrap();
    }
    assert_eq!(collected.batches().concat(), (0..30).collect::<Vec<_>>());
    // Ten checkpoints, two a batch, may still be gone back to.
    for under in ["receivedData/0", "receivedBlockMetadata"] {
        let left = files(&directory, under);
        assert!(left.len() <= 10, "{left:?}");
    }
}

/// When a segment was begun, by its name.
fn begun(segment: &str) -> i64 {
    segment.split('-').nth(1).and_then(|time| time.parse().ok()).unwrap()
}

/// The receivers of Spark's case of logs that are cleaned, one of which has a window; it reaches back further than the checkpoints
/// that are kept.
#[test]
fn segments_stay_as_long_as_a_window_reads_them() {
    const WINDOW: u32 = 20;
    let directory = Directory::new();
    let driver = Driver::at(with_log().set(ROLLING, "1"), SECOND, at(0)).unwrap();
    let (first, first_feed) = fed_stream::<u64>(driver.streaming());
    let (second, second_feed) = fed_stream::<u64>(driver.streaming());
    first.foreach_rdd(|_| ());
    let windows = driver.collect(&second.window(WINDOW * SECOND, None));
    let steps = driver.get_or_create(&directory.0).unwrap().start().unwrap();
    let handles = [first_feed.handle(), second_feed.handle()];
    let mut all = [BTreeSet::new(), BTreeSet::new()];
    for n in 0..40 {
        for (log, handle) in handles.iter().enumerate() {
            handle.store_many(vec![n]).unwrap();
            let names = files(&directory, &format!("receivedData/{log}"));
            all[log].extend(names.into_iter().map(|name| (begun(&name), name)));
        }
        steps.step().unwrap();
    }
    steps.running.stop(true, false).unwrap();
    let left = [0, 1].map(|log| files(&directory, &format!("receivedData/{log}")));
    for log in [0, 1] {
        assert!(all[log].len() >= 7 && !left[log].contains(&all[log].first().unwrap().1), "{left:?}");
    }
    let newest =
        |log: usize, count| all[log].iter().rev().take(count).all(|(_, name)| left[log].contains(name));
    // A segment has the blocks of two batches at most.
    assert!(newest(0, 1) && newest(1, WINDOW as usize / 2), "{left:?}");
    assert_eq!(*windows.batches().last().unwrap(), (20..40).collect::<Vec<_>>());
}

/// Spark's SPARK-6222: batches that come after a slow one, and their checkpoints, take nothing from it.
#[test]
fn the_blocks_of_a_batch_that_takes_long_stay_until_it_is_completed() {
    const BATCHES: u64 = 10;
    let directory = Directory::new();
    let conf =
        with_log().set(ROLLING, "1").set("spark.streaming.driver.writeAheadLog.rollingIntervalSecs", "1");
    let driver = Driver::at(conf.clone(), SECOND, at(0)).unwrap();
    let (numbers, feed) = fed_stream::<u64>(driver.streaming());
    let (go_on, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let (described, is_described) = mpsc::channel();
    let blocked = numbers.transform_timed(move |rdd, time| described.send(time).map(|()| rdd));
    blocked.foreach_rdd_with(move |_, time| {
        if time == at(3000) {
            // Until the other side is gone.
            let _ = may_go.lock().unwrap().recv();
        }
    });
    let collected = driver.collect(&numbers);
    let steps = driver.get_or_create(&directory.0).unwrap().start().unwrap();
    let handle = feed.handle();
    for n in 1..=BATCHES {
        handle.store_many(vec![n]).unwrap();
        steps.clock.advance(SECOND);
        assert_eq!(is_described.recv_timeout(LONG), Ok(at(n as i64 * 1000)));
    }
    // A program that dies now has the blocks of all batches that were not completed.
    let left = Directory::new();
    copy(&directory.0, &left.0);
    drop(go_on);
    assert!(steps.running.await_batch(at(10_000), LONG).unwrap());
    assert_eq!(collected.batches(), (1..=BATCHES).map(|n| vec![n]).collect::<Vec<_>>());
    drop((steps, handle));

    let (steps, _handle, collected) = start(conf, &left, 10_100, None);
    steps.step().unwrap();
    let again: Vec<_> = times(&collected).into_iter().zip(collected.batches()).collect();
    let expected = (3..=11).map(|n: i64| (n * 1000, if n <= 10 { vec![n as u64] } else { vec![] }));
    assert_eq!(again, expected.collect::<Vec<_>>());
}

#[test]
fn a_log_that_can_not_be_written_stops_the_streams() {
    let directory = Directory::new();
    let (steps, handle, collected) = start(with_log(), &directory, 0, None);
    std::fs::write(directory.0.join("receivedData"), "a file in the place of a directory").unwrap();
    // Whoever stores is told that it is not safe.
    let error = handle.store_many(vec![1]).unwrap_err().to_string();
    assert!(error.contains("receivedData"), "{error}");
    let error = steps.step().unwrap_err().to_string();
    assert!(error.contains("receivedData"), "{error}");
    assert_eq!(collected.batches(), [[0_u64; 0]; 0]);
    drop(steps);
}

/// A record that can not be written as bytes if it is a seven.
#[derive(Debug, Clone, serde::Deserialize)]
struct Fragile(u64);

impl serde::Serialize for Fragile {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(self.0 != 7, "a seven is not written");
        serializer.serialize_newtype_struct("Fragile", &self.0)
    }
}

#[test]
fn a_block_whose_records_panic_when_they_are_written_is_not_lost_without_a_word() {
    // Without a log this level writes it too, into memory.
    let written = [(with_log(), StorageLevel::MEMORY_ONLY), (conf(), StorageLevel::MEMORY_ONLY_SER)];
    for (conf, level) in written {
        let directory = Directory::new();
        let driver = Driver::at(conf, SECOND, at(0)).unwrap();
        let (records, feed) = fed_stream_at::<Fragile>(driver.streaming(), level);
        let collected = driver.collect(&records.map(|record| record.0));
        let steps = driver.get_or_create(&directory.0).unwrap().start().unwrap();
        let handle = feed.handle();
        handle.store_many([Fragile(1)]).unwrap();
        steps.step().unwrap();
        let error = handle.store_many([Fragile(7)]).unwrap_err().to_string();
        assert!(error.contains("panicked: a seven is not written"), "{error}");
        let error = steps.step().unwrap_err().to_string();
        assert!(error.contains("panicked: a seven is not written"), "{error}");
        assert_eq!(collected.batches(), [[1]]);
    }
}

#[test]
fn a_log_that_was_changed_is_refused() {
    let directory = Directory::new();
    let (steps, handle, _) = start(with_log(), &directory, 0, Some(1000));
    handle.store_many(vec![1, 2, 3]).unwrap();
    steps.step().unwrap_err();
    drop(handle);
    drop(steps);
    for under in ["receivedData/0", "receivedBlockMetadata"] {
        let name = &files(&directory, under)[0];
        let bytes = std::fs::read(directory.0.join(under).join(name)).unwrap();
        for (at_byte, truncated) in [(49, false), (bytes.len() - 1, false), (0, true)] {
            let mut changed = bytes.clone();
            if truncated {
                changed.truncate(bytes.len() - 1);
            } else {
                changed[at_byte] ^= 1;
            }
            // A run that is refused late leaves files of its own.
            let copied = Directory::new();
            copy(&directory.0, &copied.0);
            std::fs::write(copied.0.join(under).join(name), &changed).unwrap();
            let driver = Driver::at(with_log(), SECOND, at(1100)).unwrap();
            let (numbers, _feed) = fed_stream::<u64>(driver.streaming());
            driver.collect(&numbers);
            let refused = driver.get_or_create(&copied.0).unwrap().start().and_then(|steps| steps.step());
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(under), "{under} {at_byte} {truncated}: {refused}");
        }
    }
}

#[test]
fn lines_of_a_socket_are_logged_as_text_and_read_again() {
    let directory = Directory::new();
    let server = Server::start();
    let start = |now, fails: bool| {
        let driver = Driver::at(with_log(), SECOND, at(now)).unwrap();
        let lines = driver.streaming().socket_text_stream(HOST, server.port());
        lines.foreach_rdd(move |rdd| match rdd.is_empty()? {
            false if fails => Err(millstream_core::Error::user("the sink is gone")),
            _ => Ok(()),
        });
        let collected = driver.collect(&lines);
        (driver.get_or_create(&directory.0).unwrap().start().unwrap(), collected)
    };
    let (steps, _) = start(0, true);
    let mut connection = server.accept();
    connection.send("größer\r\n\nor not\n");
    let begin = std::time::Instant::now();
    let batches = (1_i64..).find(|_| steps.step().is_err() || begin.elapsed() > LONG).unwrap();
    drop(steps);
    let name = &files(&directory, "receivedData/0")[0];
    let logged = std::fs::read(directory.0.join("receivedData/0").join(name)).unwrap();
    assert!(logged.ends_with("größer\n\nor not\n".as_bytes()), "{}", logged.escape_ascii());

    let (steps, collected) = start(batches * 1000 + 100, false);
    steps.step().unwrap();
    assert_eq!(collected.batches().concat(), ["größer", "", "or not"]);
}

/// A program whose receivers have these names, the first of them first.
fn named(
    conf: Conf,
    directory: &Directory,
    now: i64,
    names: &[&str],
) -> millstream_streaming::Result<(Steps, Vec<ReceiverHandle<String>>, Collected<String>)> {
    let driver = Driver::at(conf, SECOND, at(now))?;
    let mut streams = Vec::new();
    let mut feeds = Vec::new();
    for name in names {
        let (words, feed) = fed_stream::<String>(driver.streaming());
        let name = (*name).to_owned();
        streams.push(words.uid(&*name).map(move |word| format!("{name}: {word}")));
        feeds.push(feed);
    }
    let all = streams[1..].iter().fold(streams[0].clone(), |all, stream| all.union(stream));
    let collected = driver.collect(&all);
    let steps = driver.get_or_create(&directory.0)?.start()?;
    Ok((steps, feeds.iter().map(crate::fed::Feed::handle).collect(), collected))
}

#[test]
fn a_log_belongs_to_its_receiver_whatever_other_receivers_there_are() {
    let directory = Directory::new();
    let (steps, handles, _) = named(with_log(), &directory, 0, &["a", "b"]).unwrap();
    steps.step().unwrap();
    handles[0].store_many(["1".to_owned()]).unwrap();
    handles[1].store_many(["2".to_owned()]).unwrap();
    drop((handles, steps));
    // One was inserted before, and the others have changed places.
    let (steps, handles, collected) = named(with_log(), &directory, 1100, &["c", "b", "a"]).unwrap();
    handles[0].store_many(["3".to_owned()]).unwrap();
    steps.step().unwrap();
    let mut rows = collected.batches().concat();
    rows.sort();
    assert_eq!(rows, ["a: 1", "b: 2", "c: 3"]);
    assert_eq!(files(&directory, "receivedData"), ["0", "1", "2"]);
    handles[1].store_many(["4".to_owned()]).unwrap();
    drop((handles, steps));
    let (steps, _handles, collected) = named(with_log(), &directory, 2100, &["b", "a", "c"]).unwrap();
    steps.step().unwrap();
    assert_eq!(collected.batches().concat(), ["b: 4"]);
}

#[test]
fn what_a_receiver_that_is_gone_has_received_is_a_difference_and_is_given_up_if_that_is_allowed() {
    let directory = Directory::new();
    let conf =
        with_log().set(ROLLING, "1").set("spark.streaming.driver.writeAheadLog.rollingIntervalSecs", "1");
    let (steps, handles, _) = named(conf.clone(), &directory, 0, &["a", "b"]).unwrap();
    handles[0].store_many(["1".to_owned()]).unwrap();
    steps.step().unwrap();
    handles[0].store_many(["2".to_owned(), "3".to_owned()]).unwrap();
    drop((handles, steps));
    // That of which nothing is left may go.
    for (names, refused) in [(["b", "c"], true), (["a", "c"], false)] {
        let copied = Directory::new();
        copy(&directory.0, &copied.0);
        let started = named(with_log(), &copied, 1100, &names);
        assert_eq!(started.is_err(), refused, "{names:?}");
        if let Err(error) = started {
            assert_eq!(error.exit_code(), 3);
            let text = error.to_string();
            assert!(
                text.contains("the receiver of `a` is gone, and 2 records are in receivedData/0"),
                "{text}"
            );
        }
    }
    let allowed = conf.clone().set("millstream.recovery.allowStateLoss", "true");
    let (steps, handles, _) = named(allowed, &directory, 1100, &["b"]).unwrap();
    for _ in 0..20 {
        handles[0].store_many(["4".to_owned()]).unwrap();
        steps.step().unwrap();
    }
    // Its log does not hold back that anything is deleted.
    assert_eq!(files(&directory, "receivedData/0"), [""; 0]);
    assert!(files(&directory, "receivedBlockMetadata").len() <= 10);
    drop((handles, steps));
    // When it comes back it begins anew.
    let (steps, handles, collected) = named(conf, &directory, 21_100, &["a", "b"]).unwrap();
    handles[0].store_many(["5".to_owned()]).unwrap();
    steps.step().unwrap();
    assert_eq!(collected.batches().concat(), ["a: 5"]);
    assert_eq!(files(&directory, "receivedData").len(), 3);
}

#[test]
fn what_a_batch_was_given_that_never_ran_goes_to_the_next_one_if_there_is_no_batch_of_its_time_any_more() {
    let directory = Directory::new();
    let place = directory.0.join("checkpoints");
    let start = |interval, now| {
        let driver = Driver::at(with_log(), interval, at(now)).unwrap();
        let (numbers, feed) = fed_stream::<u64>(driver.streaming());
        let collected = driver.collect(&numbers);
        let steps = driver.get_or_create(&place).unwrap().start().unwrap();
        (steps, feed.handle(), collected)
    };
    let (steps, handle, _) = start(SECOND, 0);
    handle.store_many([1, 2]).unwrap();
    steps.step().unwrap();
    handle.store_many([3]).unwrap();
    steps.step().unwrap();
    drop(handle);
    kill(steps, &place);
    // Died after the log knew what batch 2000 was given, and before a checkpoint knew the batch.
    for name in files(&directory, "checkpoints").iter().filter(|name| name.starts_with("checkpoint-2000")) {
        std::fs::remove_file(place.join(name)).unwrap();
    }
    let (steps, handle, collected) = start(3 * SECOND, 2100);
    steps.step().unwrap();
    assert_eq!((times(&collected), collected.batches()), (vec![3000], vec![vec![3]]));
    drop(handle);
    kill(steps, &place);
    let (steps, _handle, collected) = start(3 * SECOND, 3100);
    steps.step().unwrap();
    assert_eq!((times(&collected), collected.batches()), (vec![6000], vec![vec![]]));
}
