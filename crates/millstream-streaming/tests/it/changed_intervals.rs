//! Programs that go on with another batch interval: what slides by several batches goes on without a gap, and is what it was.

use std::path::Path;
use std::time::Duration;

use millstream_core::Conf;
use millstream_streaming::testing::{Collected, Driver, Steps};
use millstream_streaming::{DStream, checkpoints};

use crate::recovery::{Directory, SECOND, at, conf, times};
use crate::recovery_of_states::kill;
use crate::tables::LONG;

/// The seconds of the batch times.
fn seconds(driver: &Driver) -> DStream<u64> {
    driver.streaming().generator_stream(1, |time, _| [time.as_millis().unsigned_abs() / 1000])
}

/// Runs up to the batch at a second.
fn run_to(steps: &Steps, second: i64) {
    steps.clock.set_time(at(second * 1000));
    assert!(steps.running.await_batch(at(second * 1000), LONG).unwrap());
}

/// What was put out, by the second.
fn rows<T: Clone>(collected: &Collected<T>) -> Vec<(i64, Vec<T>)> {
    times(collected).into_iter().map(|time| time / 1000).zip(collected.batches()).collect()
}

/// Lives from a second on, up to another, with windows of four seconds each four seconds, and dies.
fn windows(place: &Path, interval: Duration, from: i64, to: Option<i64>) -> Vec<(i64, Vec<u64>)> {
    let per_interval = conf().set("millstream.streaming.catchUp", "perInterval");
    let driver = Driver::at(per_interval, interval, at(from * 1000 + 100)).unwrap();
    let windows = driver.collect(&seconds(&driver).window(4 * SECOND, 4 * SECOND));
    let steps = driver.get_or_create(place).unwrap().start().unwrap();
    to.into_iter().for_each(|to| run_to(&steps, to));
    kill(steps, place);
    rows(&windows)
}

#[test]
fn every_record_is_in_one_window_whenever_the_interval_changes() {
    let directory = Directory::new();
    // Batches of a second from 2 on, so that windows end at 5, 9, 13 and so on.
    assert_eq!(windows(&directory.0, SECOND, 1, Some(4)), []);
    // It dies at once, and then once more: which batches there are is as if it had not.
    assert_eq!(windows(&directory.0, 2 * SECOND, 4, None), []);
    assert_eq!(windows(&directory.0, 2 * SECOND, 4, None), []);
    let after = windows(&directory.0, 2 * SECOND, 4, Some(7));
    assert_eq!(after, [(5, vec![2, 3, 4, 5])]);
    let after = windows(&directory.0, SECOND, 7, Some(13));
    assert_eq!(after, [(9, vec![7, 8, 9]), (13, vec![10, 11, 12, 13])]);
}

/// Lives with the sum of windows of four seconds each two as a state, which is not saved.
fn sums_of_windows(
    conf: Conf,
    place: &Path,
    interval: Duration,
    (from, to): (i64, i64),
) -> Vec<(i64, Vec<((), u64)>)> {
    let driver = Driver::at(conf, interval, at(from * 1000 + 100)).unwrap();
    let windows = seconds(&driver).map(|second| ((), second)).window(4 * SECOND, 2 * SECOND);
    let sums = windows.update_state_by_key(|values: Vec<u64>, sum: Option<u64>| {
        Some(sum.unwrap_or(0) + values.iter().sum::<u64>())
    });
    let sums = driver.collect(&sums.checkpoint(100 * SECOND));
    let steps = driver.get_or_create(place).unwrap().start().unwrap();
    run_to(&steps, to);
    kill(steps, place);
    rows(&sums)
}

#[test]
fn a_state_of_windows_is_what_it_was_if_their_slide_becomes_the_interval() {
    let directory = Directory::new();
    let before = sums_of_windows(conf(), &directory.0, SECOND, (0, 5));
    let windows = [1 + 2, 1 + 2 + 3 + 4];
    assert_eq!(before, [(2, vec![((), windows[0])]), (4, vec![((), windows[0] + windows[1])])]);
    let after = sums_of_windows(conf(), &directory.0, 2 * SECOND, (5, 8));
    let sixth = windows[0] + windows[1] + 3 + 4 + 5 + 6;
    assert_eq!(after, [(6, vec![((), sixth)]), (8, vec![((), sixth + 5 + 6 + 8)])]);
    // The batches of before are still known when it dies once more.
    let after = sums_of_windows(conf(), &directory.0, 2 * SECOND, (8, 10));
    assert_eq!(after, [(10, vec![((), sixth + 5 + 6 + 8 + 8 + 10)])]);
    let context = millstream_core::Context::new(conf()).unwrap();
    let text = checkpoints::explain(&context.file_systems(), &directory.0, at(10_100)).unwrap();
    assert!(text.contains("of the batches 1000 ms to 10000 ms"), "{text}");
}
