//! Contexts that are asked to go on, and those that are not: what may still be said to them, and what they leave alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millstream_core::Conf;
use millstream_streaming::testing::{Collected, Driver, Steps, batches};
use millstream_streaming::{ReceiverHandle, StreamingContext, clock::ManualClock};

use crate::damaged_checkpoints::files;
use crate::fed::fed_stream;
use crate::recovery::{Directory, SECOND, at, conf};
use crate::recovery_of_receivers::with_log;
use crate::recovery_of_states::kill;
use crate::tables::{LONG, step};

#[test]
fn a_context_remembers_as_it_is_told_after_it_was_got() {
    let directory = Directory::new();
    for now in [0, 5000] {
        let driver = Driver::at(conf(), SECOND, at(now)).unwrap();
        let numbers = driver.input((0..20).map(|n| vec![n]).collect());
        driver.collect(&numbers);
        let driver = driver.get_or_create(&directory.0).unwrap();
        assert_eq!(driver.streaming().recovered_from().is_some(), now > 0);
        driver.streaming().remember(10 * SECOND);
        let steps = driver.start().unwrap();
        step(&steps, 5);
        let first = at(now + 1000);
        let slice = numbers.slice(first, first).unwrap();
        assert_eq!(slice[0].collect().unwrap(), [now / 1000], "from {now} on");
    }
}

#[test]
fn recover_goes_on() {
    let directory = Directory::new();
    let create = |clock: ManualClock| {
        let streaming = StreamingContext::with_clock(conf(), SECOND, Arc::new(clock)).unwrap();
        streaming.generator_stream(1, |time, _| [time.as_millis()]).print();
        streaming
    };
    let clock = ManualClock::new(0);
    let first = create(clock.clone());
    first.checkpoint(&directory.0);
    let running = first.start().unwrap();
    clock.advance(SECOND);
    assert!(running.await_batch(at(1000), LONG).unwrap());
    running.stop(true, true).unwrap();
    let again = StreamingContext::recover(&directory.0, || Ok(create(clock.clone()))).unwrap();
    assert_eq!(again.recovered_from(), Some(at(1000)));
    let running = again.start().unwrap();
    clock.advance(SECOND);
    assert!(running.await_batch(at(2000), LONG).unwrap());
    running.stop(true, true).unwrap();
    assert!(directory.0.join("checkpoint-2000").exists());
}

/// A program that counts what it receives, key by key, and has a log.
fn counting(conf: Conf, now: i64) -> (Driver, impl FnOnce() -> ReceiverHandle<u64>, Collected<(u64, u64)>) {
    let driver = Driver::at(conf, SECOND, at(now)).unwrap();
    let (numbers, feed) = fed_stream::<u64>(driver.streaming());
    let counts = numbers.map(|n| (n, 1)).update_state_by_key(|ones: Vec<u64>, count: Option<u64>| {
        Some(count.unwrap_or_default() + ones.len() as u64)
    });
    let collected = driver.collect(&counts.checkpoint(SECOND));
    (driver, move || feed.handle(), collected)
}

fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    // Who writes there now is another one.
    let kept = files(directory).into_iter().filter(|path| path.file_name().unwrap() != "lease");
    kept.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn one_that_is_not_asked_to_go_on_starts_empty_and_leaves_all_that_is_there_as_it_is() {
    let directory = Directory::new();
    let place = directory.0.join("checkpoints");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("notes"), "of someone else").unwrap();
    fs::write(place.join("checkpoint-notes"), "of someone else").unwrap();
    let feed = |steps: &Steps, handle: ReceiverHandle<u64>, numbers: &[u64]| {
        for number in numbers {
            handle.store_many([*number]).unwrap();
            steps.step().unwrap();
        }
        handle.store_many([9]).unwrap();
    };
    let conf = || {
        with_log()
            .set("spark.streaming.receiver.writeAheadLog.rollingIntervalSecs", "1")
            .set("spark.streaming.driver.writeAheadLog.rollingIntervalSecs", "1")
    };
    let (driver, handle, _) = counting(conf(), 0);
    let steps = driver.get_or_create(&place).unwrap().start().unwrap();
    feed(&steps, handle(), &[1, 2, 1]);
    kill(steps, &place);
    let before = contents(&place);
    assert!(before.keys().any(|path| path.starts_with(place.join("state/1"))), "{:?}", before.keys());

    let (driver, handle, counts) = counting(conf(), 10_000);
    driver.streaming().checkpoint(&place);
    assert_eq!(driver.streaming().recovered_from(), None);
    let steps = driver.start().unwrap();
    // So many that what was its own would be cleaned.
    feed(&steps, handle(), &[5; 30]);
    let rows = counts.batches();
    assert_eq!((&rows[0], &rows[29]), (&vec![(5, 1)], &vec![(5, 30)]));
    kill(steps, &place);
    let after = contents(&place);
    for (path, content) in &before {
        assert!(after.get(path) == Some(content), "{} is gone or another one", path.display());
    }

    // What is gone on from is the newer run, with what it had received, and nothing of the first.
    let (driver, _handle, counts) = counting(conf(), 40_000);
    step(&driver.get_or_create(&place).unwrap().start().unwrap(), 1);
    let mut last = counts.batches().pop().unwrap();
    last.sort_unstable();
    assert_eq!(last, [(5, 30), (9, 1)]);
}

#[test]
fn relative_paths_begin_where_the_process_is() {
    let directory = Directory::new();
    let here = std::env::current_dir().unwrap();
    let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
    let relative = |name: &str| up.join(directory.0.strip_prefix("/").unwrap()).join(name);
    assert!(relative("one").is_relative());
    let driver = |conf: Conf| {
        let driver = Driver::at(conf, SECOND, at(0)).unwrap();
        driver.input(batches![[1]]).print();
        driver
    };
    let called = driver(conf());
    called.streaming().checkpoint(relative("called"));
    let set = conf().set("spark.streaming.checkpoint.directory", relative("set").to_str().unwrap());
    let asked = driver(conf()).get_or_create(relative("asked")).unwrap();
    for (name, driver) in [("called", called), ("set", driver(set)), ("asked", asked)] {
        driver.run(1).unwrap();
        assert!(directory.0.join(name).join("checkpoint-1000").exists(), "{name}");
    }
    let again = driver(conf()).get_or_create(relative("called")).unwrap();
    assert_eq!(again.streaming().recovered_from(), Some(at(1000)));
}
