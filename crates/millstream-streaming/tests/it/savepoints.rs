//! A program that begins with a savepoint gives what the one that wrote it gives.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use millstream_core::{Conf, Context};
use millstream_streaming::testing::{Collected, Driver, Steps, batches};
use millstream_streaming::{DStream, ReceiverHandle, State, StateSpec, checkpoints};

use crate::damaged_checkpoints::{Damage, copy, files};
use crate::fed::fed_stream;
use crate::recovery::{Directory, SECOND, at, conf};
use crate::tables::step;

fn with_log() -> Conf {
    conf().set("spark.streaming.receiver.writeAheadLog.enable", "true")
}

/// A program with all that is kept: states, windows, received blocks, a named accumulator.
fn describe(conf: Conf, now: i64) -> (Driver, impl FnOnce() -> ReceiverHandle<u64>, Collected<String>) {
    let driver = Driver::at(conf, SECOND, at(now)).unwrap();
    let context = driver.context().clone();
    let (numbers, feed) = fed_stream::<u64>(driver.streaming());
    let pairs = numbers.map(|n| (n % 3, n));
    let sums = pairs.update_state_by_key(|values: Vec<u64>, sum: Option<u64>| {
        Some(sum.unwrap_or_default() + values.iter().sum::<u64>())
    });
    let spec = StateSpec::function(|key: &u64, value: Option<u64>, last: &mut State<'_, u64>| {
        let before = last.get_option().copied().unwrap_or_default();
        if !last.is_timing_out() {
            last.update(value.unwrap_or_default());
        }
        (*key, before)
    });
    let lasts = pairs.map_with_state(spec.timeout(3 * SECOND));
    let inverse = pairs.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, 3 * SECOND, None);
    let shown =
        |stream: &DStream<(u64, u64)>, name: &'static str| stream.map(move |pair| format!("{name} {pair:?}"));
    let window = numbers.window(4 * SECOND, None).map(|n| format!("window {n}"));
    let all = window.union(&shown(&sums, "sum")).union(&shown(&lasts.stream(), "before"));
    let all = all.union(&shown(&inverse, "inverse"));
    numbers.foreach_rdd(move |rdd| {
        let records = context.long_accumulator_named("records")?;
        rdd.foreach_env(records, |records, _| records.add(1))
    });
    let context = driver.context().clone();
    let all = all.transform(move |rdd| {
        let records = context.long_accumulator_named("records").map_or(-1, |records| records.value());
        rdd.union(&context.parallelize([format!("records before {records}")], 1))
    });
    let collected = driver.collect(&all);
    (driver, move || feed.handle(), collected)
}

/// Feeds a number a batch.
fn feed(steps: &Steps, handle: &ReceiverHandle<u64>, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        handle.store_many(vec![number]).unwrap();
        steps.step().unwrap();
    }
}

/// Runs some batches of a number each with checkpoints in the directory; then 50 is received, which no batch has.
fn run_and_receive(directory: &Directory, batches: u64) -> (Steps, ReceiverHandle<u64>, Collected<String>) {
    let (driver, handle, collected) = describe(with_log(), 0);
    driver.streaming().checkpoint(directory.0.join("checkpoints"));
    let steps = driver.start().unwrap();
    let handle = handle();
    feed(&steps, &handle, 1..=batches);
    handle.store_many(vec![50]).unwrap();
    (steps, handle, collected)
}

/// What was put out of the last batches, sorted.
fn last(collected: &Collected<String>, batches: usize) -> Vec<(i64, Vec<String>)> {
    let times = collected.times().into_iter().map(|time| time.as_millis());
    let mut rows: Vec<_> = times.zip(collected.batches()).collect();
    rows.iter_mut().for_each(|(_, row)| row.sort());
    rows.split_off(rows.len() - batches)
}

#[test]
fn a_program_that_begins_with_it_goes_on_like_the_one_that_wrote_it() {
    let directory = Directory::new();
    let savepoint = directory.0.join("savepoint");
    let (steps, handle, collected) = run_and_receive(&directory, 4);
    assert_eq!(steps.running.savepoint(&savepoint).unwrap(), at(4000));
    steps.step().unwrap();
    feed(&steps, &handle, 6..=9);
    let expected = last(&collected, 5);
    assert!(expected[0].1.contains(&"window 50".to_owned()), "{expected:?}");
    assert!(expected[0].1.contains(&"records before 4".to_owned()), "{expected:?}");
    assert!(expected[0].1.contains(&"sum (2, 52)".to_owned()), "{expected:?}");
    drop((handle, steps));

    // Whether it has a log of its own or not; and once more from the checkpoint of that one.
    for (name, conf) in [("with a log", with_log()), ("without a log", conf())] {
        let (driver, handle, collected) = describe(conf.clone(), 4100);
        driver.streaming().checkpoint(directory.0.join(name));
        let steps = driver.from_savepoint(&savepoint).unwrap().start().unwrap();
        steps.step().unwrap();
        let handle = handle();
        feed(&steps, &handle, [6, 7]);
        drop((handle, steps));
        assert_eq!(last(&collected, 3), expected[..3], "{name}");

        let (driver, handle, collected) = describe(conf, 7100);
        let steps = driver.get_or_create(directory.0.join(name)).unwrap().start().unwrap();
        feed(&steps, &handle(), [8, 9]);
        assert_eq!(last(&collected, 2), expected[3..], "{name}");
    }

    let (driver, _handle, _) =
        describe(with_log().set("spark.streaming.receiver.writeAheadLog.enable", "false"), 4100);
    let refused = driver.from_savepoint(&savepoint).unwrap().start().err().unwrap().to_string();
    assert!(
        refused.contains("there is no place to log it") && refused.contains("call `checkpoint`"),
        "{refused}"
    );
}

/// Takes away the checkpoints of a directory: what is left is what a program leaves that dies just before it publishes the first.
fn die_before_the_first_checkpoint(directory: &Path) {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let checkpoints = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("checkpoint-"));
    checkpoints.for_each(|checkpoint| std::fs::remove_file(checkpoint.path()).unwrap());
}

#[test]
fn what_was_received_comes_once_if_the_program_dies_while_it_writes_it_or_begins_with_it() {
    let directory = Directory::new();
    let (savepoint, other) = (directory.0.join("savepoint"), directory.0.join("other"));
    let (steps, handle, _) = run_and_receive(&directory, 2);
    for dies in [true, true, false] {
        steps.running.savepoint(&savepoint).unwrap();
        if dies {
            die_before_the_first_checkpoint(&savepoint);
        }
    }
    drop((handle, steps));
    for dies in [true, true, false] {
        let (driver, handle, collected) = describe(with_log(), 2100);
        driver.streaming().checkpoint(&other);
        let steps = driver.from_savepoint(&savepoint).unwrap().start().unwrap();
        if dies {
            drop(steps);
            die_before_the_first_checkpoint(&other);
            continue;
        }
        steps.step().unwrap();
        drop((handle(), steps));
        let (_, third) = last(&collected, 1).remove(0);
        let windows: Vec<_> = third.iter().filter(|line| line.starts_with("window")).collect();
        assert_eq!(windows, ["window 1", "window 2", "window 50"]);
        assert!(third.contains(&"sum (2, 52)".to_owned()), "{third:?}");
    }
}

#[test]
fn any_file_of_one_may_be_cut_or_changed_at_any_place_or_missing() {
    let directory = Directory::new();
    let savepoint = directory.0.join("savepoint");
    let (steps, handle, collected) = run_and_receive(&directory, 2);
    steps.running.savepoint(&savepoint).unwrap();
    steps.step().unwrap();
    let expected = last(&collected, 1);
    drop((handle, steps));
    let mut refused = 0;
    for file in files(&savepoint) {
        let name = file.strip_prefix(&savepoint).unwrap();
        for damage in Damage::all_of(std::fs::read(&file).unwrap().len()) {
            let (damaged, own) = (directory.0.join("damaged"), directory.0.join("own"));
            copy(&savepoint, &damaged);
            damage.do_to(&damaged.join(name));
            let (driver, _handle, collected) = describe(with_log(), 2100);
            driver.streaming().checkpoint(&own);
            let went_on = driver.from_savepoint(&damaged).and_then(|driver| driver.start()?.step().map(drop));
            match went_on {
                Ok(()) => assert_eq!(last(&collected, 1), expected, "{name:?} {damage:?}"),
                Err(error) => {
                    refused += 1;
                    let error = error.to_string();
                    assert!(error.contains(&*damaged.to_string_lossy()), "{name:?} {damage:?}: {error}");
                }
            }
            std::fs::remove_dir_all(&damaged).unwrap();
            let _ = std::fs::remove_dir_all(&own);
        }
    }
    // Nearly nothing in it is not needed: where a block lies is known without the head of its segment.
    assert!(refused > 6 * files(&savepoint).len(), "{refused}");
}

#[test]
fn one_that_is_torn_is_refused() {
    let directory = Directory::new();
    let savepoint = directory.0.join("savepoint");
    let (driver, handle, _) = describe(with_log(), 0);
    driver.streaming().checkpoint(directory.0.join("checkpoints"));
    let steps = driver.start().unwrap();
    feed(&steps, &handle(), 1..=2);
    steps.running.savepoint(&savepoint).unwrap();
    drop(steps);
    let state = std::fs::read_dir(savepoint.join("state/1")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&state, "torn").unwrap();
    let (driver, _handle, _) = describe(with_log(), 2100);
    driver.streaming().checkpoint(directory.0.join("other"));
    let refused = driver.from_savepoint(&savepoint).err().unwrap().to_string();
    let name = state.file_name().unwrap().to_string_lossy();
    assert!(refused.contains(&*name) && refused.contains("bring the file back"), "{refused}");
}

#[test]
fn one_in_a_directory_that_holds_checkpoints_or_is_in_use_is_refused() {
    let directory = Directory::new();
    let start = |name: &str| {
        let (driver, handle, _) = describe(with_log(), 0);
        driver.streaming().checkpoint(directory.0.join(name));
        let steps = driver.start().unwrap();
        feed(&steps, &handle(), 1..=2);
        steps
    };
    let (own, other) = (start("own"), start("other"));
    let savepoint = |name: &str| own.running.savepoint(directory.0.join(name));
    savepoint("mine").unwrap();
    for taken in ["own", "other", "mine"] {
        let refused = savepoint(taken).unwrap_err().to_string();
        assert!(refused.contains("holds checkpoints or another savepoint"), "{taken}: {refused}");
    }
    // Nothing was written that one would go on from.
    drop((own, other));
    let (driver, ..) = describe(with_log(), 2100);
    let goes_on = driver.get_or_create(directory.0.join("other")).unwrap();
    assert_eq!(goes_on.streaming().recovered_from(), Some(at(2000)));
    assert_eq!(std::fs::read_dir(directory.0.join("other/state")).unwrap().count(), 1);
}

/// Asks for a savepoint from a thread of its own, while the program runs batches until there is an answer.
fn ask(
    steps: &Steps,
    checkpoints: &Path,
    directory: &Path,
) -> millstream_streaming::Result<millstream_streaming::Time> {
    let files = Context::new(conf()).unwrap().file_systems();
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            checkpoints::request_savepoint(&files, checkpoints, directory, Duration::from_secs(60))
        });
        while !asked.is_finished() {
            step(steps, 1);
        }
        asked.join().unwrap()
    })
}

#[test]
fn another_process_asks_for_one_by_a_file() {
    let directory = Directory::new();
    let (checkpoints, savepoint) = (directory.0.join("checkpoints"), directory.0.join("savepoint"));
    let (driver, handle, _) = describe(with_log(), 0);
    driver.streaming().checkpoint(&checkpoints);
    let steps = driver.start().unwrap();
    let handle = handle();
    feed(&steps, &handle, 1..=2);
    let time = ask(&steps, &checkpoints, &savepoint).unwrap();
    let (driver, ..) = describe(with_log(), 0);
    assert_eq!(driver.from_savepoint(&savepoint).unwrap().streaming().recovered_from(), Some(time));
    // What stops it is told to whoever asks, and stops nothing else.
    let taken = directory.0.join("taken");
    std::fs::write(&taken, "a file in the place of a directory").unwrap();
    let refused = ask(&steps, &checkpoints, &taken).unwrap_err().to_string();
    assert!(refused.contains("the program could not write it") && refused.contains("taken"), "{refused}");
    feed(&steps, &handle, 3..=4);
    // No batch, no answer; what was asked for is taken back.
    let files = Context::new(conf()).unwrap().file_systems();
    let ask = || checkpoints::request_savepoint(&files, &checkpoints, &savepoint, Duration::from_millis(1));
    let refused = ask().unwrap_err().to_string();
    assert!(refused.contains("has not answered within 1ms"), "{refused}");
    // Someone else's request stays.
    std::fs::write(checkpoints.join("savepoint-request"), "{}").unwrap();
    let refused = ask().unwrap_err().to_string();
    assert!(refused.contains("another savepoint is being asked for"), "{refused}");
    std::fs::remove_file(checkpoints.join("savepoint-request")).unwrap();
    drop((handle, steps));
    let left: Vec<_> =
        std::fs::read_dir(&checkpoints).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("savepoint")), "{left:?}");
    let refused = ask().unwrap_err().to_string();
    assert!(refused.contains("no running program writes into"), "{refused}");
}

#[test]
fn checkpoints_are_not_written_into_the_savepoint_that_is_begun_with() {
    let directory = Directory::new();
    let (driver, handle, _) = describe(with_log(), 0);
    driver.streaming().checkpoint(directory.0.join("checkpoints"));
    let steps = driver.start().unwrap();
    feed(&steps, &handle(), 1..=2);
    let savepoint = directory.0.join("savepoint");
    steps.running.savepoint(&savepoint).unwrap();
    drop(steps);
    let files = || crate::damaged_checkpoints::files(&savepoint);
    let before = files();
    let (driver, ..) = describe(with_log(), 2100);
    driver.streaming().checkpoint(&savepoint);
    let refused = driver.from_savepoint(&savepoint).unwrap().start().err().unwrap().to_string();
    assert!(
        refused.contains("which is the savepoint; call `checkpoint` with a directory of its own"),
        "{refused}"
    );
    assert_eq!(files(), before);
}

/// It would wait for its own batch.
#[test]
fn a_transformation_or_a_task_of_one_that_asks_for_one_is_refused() {
    for in_task in [false, true] {
        let directory = Directory::new();
        let savepoint = directory.0.join("savepoint");
        let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
        let steps: Arc<OnceLock<Weak<Steps>>> = Arc::default();
        let (own, refusals) = (Arc::clone(&steps), Arc::new(Mutex::new(Vec::new())));
        let told = Arc::clone(&refusals);
        let ask = move || {
            let refused =
                own.get().and_then(Weak::upgrade).unwrap().running.savepoint(&savepoint).unwrap_err();
            told.lock().unwrap().push(refused.to_string());
        };
        let numbers = driver.input(batches![[1], [2]]).transform(move |rdd| {
            let ask = ask.clone();
            match in_task {
                true => rdd.foreach(move |_| ask())?,
                false => ask(),
            }
            Ok::<_, millstream_core::Error>(rdd)
        });
        let numbers = driver.collect(&numbers);
        driver.streaming().checkpoint(directory.0.join("checkpoints"));
        let running = Arc::new(driver.start().unwrap());
        steps.set(Arc::downgrade(&running)).unwrap();
        step(&running, 2);
        assert_eq!(numbers.batches(), [[1], [2]]);
        let refusals = refusals.lock().unwrap();
        assert_eq!(refusals.len(), 2);
        assert!(refusals[0].contains("not in a transformation"), "{refusals:?}");
        running.running.stop(true, false).unwrap();
    }
}
