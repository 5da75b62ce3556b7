//! Receivers of a changed program: what was received is never read as something else, and nothing is missing in a state without a word.

use millstream_core::{Conf, Data};
use millstream_streaming::testing::{Collected, Driver, Steps};
use millstream_streaming::{Error, ReceiverHandle, Result};

use crate::fed::{Feed, fed_stream};
use crate::recovery::{Directory, SECOND, at};
use crate::recovery_of_receivers::{files, with_log};
use crate::recovery_of_states::kill;
use crate::tables::step;

fn allowing(conf: Conf) -> Conf {
    conf.set("millstream.recovery.allowStateLoss", "true")
}

/// What a program leaves in the hands of a test: its steps, what feeds it, what it gives.
type Started<T> = Result<(Steps, ReceiverHandle<T>, Collected<T>)>;

/// A program that puts out windows of so many batches of what is received.
fn windows<T: Data>(conf: Conf, directory: &Directory, now: i64, batches: u32) -> Started<T> {
    let driver = Driver::at(conf, SECOND, at(now))?;
    let (records, feed) = fed_stream::<T>(driver.streaming());
    let collected = match batches {
        1 => driver.collect(&records),
        _ => driver.collect(&records.window(batches * SECOND, None)),
    };
    let steps = driver.get_or_create(&directory.0)?.start()?;
    Ok((steps, feed.handle(), collected))
}

#[track_caller]
fn refused<T>(started: Result<T>) -> String {
    let error: Error = started.err().expect("it was started");
    assert_eq!(error.exit_code(), 3, "{error}");
    error.to_string()
}

#[test]
fn records_of_other_types_are_a_difference_and_begin_a_log_of_their_own_if_that_is_allowed() {
    let directory = Directory::new();
    let (steps, handle, _) = windows::<u64>(with_log(), &directory, 0, 1).unwrap();
    handle.store_many([3]).unwrap();
    steps.step().unwrap();
    // No batch has it.
    handle.store_many([5, 6]).unwrap();
    drop((handle, steps));

    let text = refused(windows::<i64>(with_log(), &directory, 1100, 1));
    let said = "the receiver of `receiver_stream` receives records of `i64` and received those of `u64`, and 2 records are in \
                receivedData/0";
    assert!(text.contains(said), "{text}");
    // They are still there for the program as it was.
    let copied = Directory::new();
    crate::damaged_checkpoints::copy(&directory.0, &copied.0);
    let (steps, _handle, collected) = windows::<u64>(with_log(), &copied, 1100, 1).unwrap();
    steps.step().unwrap();
    assert_eq!(collected.batches(), [[5, 6]]);

    let (steps, handle, collected) = windows::<i64>(allowing(with_log()), &directory, 1100, 1).unwrap();
    handle.store_many([-7]).unwrap();
    steps.step().unwrap();
    assert_eq!(collected.batches(), [[-7]]);
    handle.store_many([-8]).unwrap();
    drop((handle, steps));
    assert_eq!(files(&directory, "receivedData"), ["0", "1"]);
    let (steps, _handle, collected) = windows::<i64>(with_log(), &directory, 2100, 1).unwrap();
    steps.step().unwrap();
    assert_eq!(collected.batches(), [[-8]]);
}

#[test]
fn records_of_other_types_are_no_difference_if_no_batch_asks_for_those_of_before() {
    for (batches, asked_for) in [(1, false), (3, true)] {
        let directory = Directory::new();
        let (steps, handle, _) = windows::<u64>(with_log(), &directory, 0, batches).unwrap();
        handle.store_many([3]).unwrap();
        steps.step().unwrap();
        steps.running.stop(true, true).unwrap();
        drop((handle, steps));
        let started = windows::<i64>(with_log(), &directory, 1100, batches);
        if asked_for {
            let text = refused(started);
            assert!(text.contains("and 1 records are in receivedData/0 that batches still need"), "{text}");
            continue;
        }
        let (steps, handle, collected) = started.unwrap();
        handle.store_many([-7]).unwrap();
        steps.step().unwrap();
        assert_eq!(collected.batches(), [[-7]]);
    }
}

type Counts = Collected<(String, u64)>;

/// A program that counts the words of its receivers, but for those of `c`.
fn counting(directory: &Directory, now: i64, names: &[&str]) -> Result<(Steps, Vec<Feed<String>>, Counts)> {
    let driver = Driver::at(with_log(), SECOND, at(now))?;
    let (mut counted, mut feeds) = (Vec::new(), Vec::new());
    for name in names {
        let (words, feed) = fed_stream::<String>(driver.streaming());
        let words = words.uid(*name);
        feeds.push(feed);
        if *name == "c" {
            words.foreach_rdd(|_| ());
        } else {
            counted.push(words);
        }
    }
    let all = counted[1..].iter().fold(counted[0].clone(), |all, words| all.union(words));
    let counts = all.map(|word| (word, 1)).update_state_by_key(|ones: Vec<u64>, count: Option<u64>| {
        Some(count.unwrap_or_default() + ones.iter().sum::<u64>())
    });
    let collected = driver.collect(&counts.uid("counts").checkpoint(10 * SECOND));
    let steps = driver.get_or_create(&directory.0)?.start()?;
    Ok((steps, feeds, collected))
}

#[test]
fn a_receiver_that_is_gone_is_told_as_long_as_a_state_is_made_again_of_what_it_has_received() {
    for killed in [true, false] {
        let directory = Directory::new();
        let (steps, feeds, _) = counting(&directory, 0, &["a", "b", "c"]).unwrap();
        for (feed, word) in feeds.iter().zip(["one", "two", "three"]) {
            feed.handle().store_many([word.to_owned()]).unwrap();
        }
        step(&steps, 2);
        if killed {
            kill(steps, &directory.0);
        } else {
            steps.running.stop(true, true).unwrap();
            drop(steps);
        }
        let copied = Directory::new();
        crate::damaged_checkpoints::copy(&directory.0, &copied.0);
        let without_b = counting(&copied, 2100, &["a", "c"]);
        if killed {
            let text = refused(without_b);
            assert!(
                text.contains("the receiver of `b` is gone, and 1 records are in receivedData/1"),
                "{text}"
            );
        } else {
            assert_counts(without_b.unwrap());
        }
        // What is in no state may go.
        assert_counts(counting(&directory, 2100, &["a", "b"]).unwrap());
    }
}

#[track_caller]
fn assert_counts((steps, _feeds, counts): (Steps, Vec<Feed<String>>, Counts)) {
    step(&steps, 1);
    let mut last = counts.batches().pop().unwrap();
    last.sort();
    assert_eq!(last, [("one".to_owned(), 1), ("two".to_owned(), 1)]);
}
