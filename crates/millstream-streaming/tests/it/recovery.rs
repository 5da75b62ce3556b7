//! A program dies and goes on: batches, files, windows, the directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use millstream_core::Conf;
use millstream_streaming::testing::{Collected, Driver, batches};
use millstream_streaming::{DStream, Error, RddQueue, StreamingContext, Time};

use crate::faulty_disk;
use crate::file_streams::wait_until_closed;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A directory of a test, removed with it.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("recovery-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        // One that was killed may have had the number of this process.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn put(&self, name: &str, millis: u64, text: &str) {
        put(&self.0, name, millis, text);
    }

    pub(crate) fn checkpoints(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut found: Vec<_> = entries.filter(|path| name(path).starts_with("checkpoint-")).collect();
        found.sort_by_key(|path| {
            let name = name(path);
            let (time, number) = name["checkpoint-".len()..].split_once('.').unwrap_or((&name[11..], "0"));
            (time.parse::<u64>().unwrap(), number.parse::<u64>().unwrap())
        });
        found
    }
}

/// Moves a file into a directory that was changed at a time on the tests' clock.
pub(crate) fn put(directory: &Path, name: &str, millis: u64, text: &str) {
    let hidden = directory.join(format!("._{name}"));
    fs::write(&hidden, text).unwrap();
    File::open(&hidden).unwrap().set_modified(UNIX_EPOCH + Duration::from_millis(millis)).unwrap();
    wait_until_closed(&hidden);
    fs::rename(&hidden, directory.join(name)).unwrap();
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn conf() -> Conf {
    Conf::empty().set_master("local[2]").set_app_name("the program")
}

pub(crate) fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

pub(crate) fn times<T: Clone>(collected: &Collected<T>) -> Vec<i64> {
    collected.times().into_iter().map(Time::as_millis).collect()
}

/// Runs an operation on the lines of files from `now` for some batches, and dies.
fn run<T: millstream_core::Data>(
    directory: &Directory,
    now: i64,
    batches: usize,
    operation: impl FnOnce(&DStream<String>) -> DStream<T>,
) -> Collected<T> {
    run_with(conf(), directory, now, batches, operation)
}

fn run_with<T: millstream_core::Data>(
    conf: Conf,
    directory: &Directory,
    now: i64,
    batches: usize,
    operation: impl FnOnce(&DStream<String>) -> DStream<T>,
) -> Collected<T> {
    let driver = Driver::at(conf, SECOND, at(now)).unwrap();
    let lines = driver.streaming().text_file_stream(directory.0.join("in"));
    let collected = driver.collect(&operation(&lines));
    let steps = driver.get_or_create(directory.0.join("checkpoints")).unwrap().start().unwrap();
    for _ in 0..batches {
        steps.step().unwrap();
    }
    collected
}

fn inputs(directory: &Directory) -> Directory {
    let inputs = Directory(directory.0.join("in"));
    fs::create_dir_all(&inputs.0).unwrap();
    inputs
}

#[test]
fn goes_on_with_the_batch_after_the_last_one() {
    let directory = Directory::new();
    let input = inputs(&directory);
    (1..=9).for_each(|n| input.put(&n.to_string(), n * 1000 - 500, &format!("{n}\n")));
    let first = run(&directory, 0, 3, Clone::clone);
    assert_eq!(times(&first), [1000, 2000, 3000]);
    let second = run(&directory, 3200, 2, Clone::clone);
    assert_eq!(times(&second), [4000, 5000]);
    assert_eq!(second.batches(), batches![["4"], ["5"]]);
}

#[test]
fn files_are_not_taken_again_however_many_batches_ago_they_were() {
    let directory = Directory::new();
    let input = inputs(&directory);
    input.put("1", 500, "1\n");
    run(&directory, 0, 30, Clone::clone);
    input.put("31", 30_500, "31\n");
    let after = run(&directory, 30_100, 2, Clone::clone);
    assert_eq!(after.batches(), batches![["31"], []]);
}

#[test]
fn what_was_missed_is_caught_up_before_the_clock_goes_on() {
    let directory = Directory::new();
    let input = inputs(&directory);
    run(&directory, 0, 2, Clone::clone);
    input.put("3", 2500, "3\n");
    input.put("5", 4500, "5\n");
    input.put("6", 5500, "6\n");
    // A batch for each interval in which something came; 3000 follows the last batch, which may have been of a window.
    let caught_up = run(&directory, 5200, 1, Clone::clone);
    assert_eq!(times(&caught_up), [3000, 5000, 6000]);
    assert_eq!(caught_up.batches(), batches![["3"], ["5"], ["6"]]);
}

#[test]
fn what_was_missed_is_not_skipped_while_the_directory_can_not_be_listed() {
    faulty_disk::register();
    let directory = Directory::new();
    let input = inputs(&directory);
    let run = |now: i64, batches: usize| {
        let driver = Driver::at(conf(), SECOND, at(now)).unwrap();
        let lines = driver.streaming().text_file_stream(faulty_disk::path(&input.0));
        let collected = driver.collect(&lines);
        let steps = driver.get_or_create(directory.0.join("checkpoints")).unwrap().start().unwrap();
        for _ in 0..batches {
            steps.step().unwrap();
        }
        collected
    };
    run(0, 2);
    input.put("4", 3500, "4\n");
    // So long ago that a batch of now would not take it. It is asked for whether anything came, and for the batch after that.
    let unreadable = faulty_disk::Unreadable::new(&input.0);
    unreadable.set(0, 2);
    let collected = run(90_200, 1);
    assert_eq!(collected.batches().concat(), ["4"]);
}

#[test]
fn each_missed_interval_has_a_batch_if_that_is_asked_for() {
    let directory = Directory::new();
    inputs(&directory);
    run(&directory, 0, 2, Clone::clone);
    let conf = conf().set("millstream.streaming.catchUp", "perInterval");
    let caught_up = run_with(conf, &directory, 5200, 1, Clone::clone);
    assert_eq!(times(&caught_up), [3000, 4000, 5000, 6000]);
}

#[test]
fn windows_over_the_restart_are_right() {
    for catch_up in ["grouped", "perInterval"] {
        let directory = Directory::new();
        let input = inputs(&directory);
        (1..=9).for_each(|n| input.put(&n.to_string(), n * 1000 - 500, &format!("{n}\n")));
        let conf = || conf().set("millstream.streaming.catchUp", catch_up);
        let window = |lines: &DStream<String>| lines.window(3 * SECOND, SECOND);
        run_with(conf(), &directory, 0, 4, window);
        let after = run_with(conf(), &directory, 6200, 2, window);
        assert_eq!(times(&after), [5000, 6000, 7000, 8000], "{catch_up}");
        let mut windows = after.batches();
        windows.iter_mut().for_each(|window| window.sort());
        assert_eq!(windows, [["3", "4", "5"], ["4", "5", "6"], ["5", "6", "7"], ["6", "7", "8"]]);
    }
}

#[test]
fn windows_that_slide_by_several_batches_are_right() {
    let directory = Directory::new();
    let input = inputs(&directory);
    (1..=9).for_each(|n| input.put(&n.to_string(), n * 1000 - 500, &format!("{n}\n")));
    let window = |lines: &DStream<String>| lines.window(4 * SECOND, 2 * SECOND);
    let before = run(&directory, 0, 3, window);
    assert_eq!(times(&before), [2000]);
    let after = run(&directory, 3200, 3, window);
    assert_eq!(times(&after), [4000, 6000]);
    let mut windows = after.batches();
    windows.iter_mut().for_each(|window| window.sort());
    assert_eq!(windows, [["1", "2", "3", "4"], ["3", "4", "5", "6"]]);
}

#[test]
fn a_batch_that_was_not_completed_runs_again_with_exactly_its_files() {
    let directory = Directory::new();
    let input = inputs(&directory);
    input.put("1", 500, "1\n");
    input.put("2", 1500, "2\n");
    let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
    let lines = driver.streaming().text_file_stream(&input.0);
    lines.foreach_rdd_with(|rdd, time| {
        rdd.collect()?;
        let error = || Err(millstream_core::Error::user("the sink is gone"));
        if time == at(2000) { error() } else { Ok(()) }
    });
    let steps = driver.get_or_create(directory.0.join("checkpoints")).unwrap().start().unwrap();
    steps.step().unwrap();
    assert!(steps.step().unwrap_err().to_string().contains("the sink is gone"));
    drop(steps);
    // It came too late for the batch, though its time says otherwise.
    input.put("late", 1600, "late\n");
    let again = run(&directory, 2100, 1, Clone::clone);
    assert_eq!(times(&again), [2000, 3000]);
    assert_eq!(again.batches(), batches![["2"], ["late"]]);
}

#[test]
fn the_batch_interval_may_change() {
    let directory = Directory::new();
    let input = inputs(&directory);
    (1..=9).for_each(|n| input.put(&n.to_string(), n * 1000 - 500, &format!("{n}\n")));
    run(&directory, 0, 3, |lines| lines.window(4 * SECOND, None));
    let driver = Driver::at(conf(), 2 * SECOND, at(3200)).unwrap();
    let lines = driver.streaming().text_file_stream(&input.0).window(4 * SECOND, 2 * SECOND);
    let collected = driver.collect(&lines);
    let steps = driver.get_or_create(directory.0.join("checkpoints")).unwrap().start().unwrap();
    steps.step().unwrap();
    steps.step().unwrap();
    assert_eq!(times(&collected), [4000, 6000]);
    let mut windows = collected.batches();
    windows.iter_mut().for_each(|window| window.sort());
    assert_eq!(windows, [["1", "2", "3", "4"], ["3", "4", "5", "6"]]);
}

#[test]
fn a_torn_checkpoint_falls_back_to_the_one_before() {
    let directory = Directory::new();
    let input = inputs(&directory);
    (1..=9).for_each(|n| input.put(&n.to_string(), n * 1000 - 500, &format!("{n}\n")));
    run(&directory, 0, 3, Clone::clone);
    let checkpoints = Directory(directory.0.join("checkpoints"));
    // The last is of the stop, the one before of the end of batch 3, and one before that of its begin.
    for last in checkpoints.checkpoints().into_iter().rev().take(2) {
        let bytes = fs::read(&last).unwrap();
        fs::write(&last, &bytes[..bytes.len() - 3]).unwrap();
    }
    let again = run(&directory, 3200, 1, Clone::clone);
    assert_eq!(times(&again), [3000, 4000]);
    assert_eq!(again.batches(), batches![["3"], ["4"]]);
    std::mem::forget(checkpoints); // goes with its parent
}

#[test]
fn a_context_of_its_own_begins_anew_and_leaves_the_files_of_others() {
    let directory = Directory::new();
    let input = inputs(&directory);
    (1..=9).for_each(|n| input.put(&n.to_string(), n * 1000 - 500, &format!("{n}\n")));
    run(&directory, 0, 3, Clone::clone);
    let checkpoints = Directory(directory.0.join("checkpoints"));
    let before = checkpoints.checkpoints();
    let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
    driver.streaming().checkpoint(&checkpoints.0);
    let collected = driver.collect(&driver.streaming().text_file_stream(&input.0));
    assert_eq!(driver.streaming().recovered_from(), None);
    driver.run(20).unwrap();
    assert_eq!(collected.times().len(), 20);
    let after = checkpoints.checkpoints();
    assert!(before.iter().all(|path| after.contains(path)), "{before:?} {after:?}");
    assert_eq!(after.len(), before.len() + 10);
    // The newest generation is gone on from.
    let again = run(&directory, 20_100, 1, Clone::clone);
    assert_eq!(times(&again), [21_000]);
    std::mem::forget(checkpoints);
}

#[test]
fn a_directory_is_written_by_one_at_a_time() {
    let directory = Directory::new();
    let driver = |checkpoint: bool| {
        let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
        driver.input(batches![[1]]).print();
        if checkpoint {
            driver.streaming().checkpoint(&directory.0);
        }
        driver
    };
    let running = driver(true).start().unwrap();
    running.step().unwrap();
    let refused = driver(true).start().err().unwrap();
    let by = format!("is in use by `the program`, process {} on ", std::process::id());
    assert!(
        matches!(refused, Error::DirectoryInUse { .. }) && refused.to_string().contains(&by),
        "{refused}"
    );
    let refused = driver(false).get_or_create(&directory.0).err().unwrap();
    assert!(refused.to_string().contains(&by), "{refused}");
    running.running.stop(true, false).unwrap();
    let free = driver(false).get_or_create(&directory.0).unwrap();
    assert_eq!(free.streaming().recovered_from(), Some(at(1000)));
    drop(free); // not started, so the directory is free again
    drop(driver(false).get_or_create(&directory.0).unwrap().start().unwrap());
}

#[test]
fn what_a_directory_holds_decides_whether_is_gone_on_begun_or_refused() {
    let directory = Directory::new();
    // Names that look like those of checkpoints, in the path to them, mislead nobody.
    let place = |name: &str| directory.0.join("checkpoint-01").join(name);
    let input = || {
        let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
        driver.input(batches![[1], [2]]).print();
        driver
    };
    type Spoil = fn(&std::path::Path);
    let nothing: Spoil = |_| ();
    let empty: Spoil = |place| fs::create_dir_all(place).unwrap();
    let foreign: Spoil = |place| {
        fs::create_dir_all(place).unwrap();
        fs::write(place.join("checkpoint-notes.txt"), "not ours").unwrap();
        fs::create_dir_all(place.join("rdd-1")).unwrap();
    };
    let nonsense: Spoil = |place| {
        fs::create_dir_all(place).unwrap();
        fs::write(place.join("checkpoint-1000"), "blah").unwrap();
    };
    let cases: [(&str, Spoil, bool); 4] = [
        ("missing", nothing, true),
        ("empty", empty, true),
        ("foreign", foreign, true),
        ("nonsense", nonsense, false),
    ];
    for (name, spoil, begins) in cases {
        let place = place(name);
        spoil(&place);
        match input().get_or_create(&place) {
            Ok(driver) => {
                assert!(begins, "{name}");
                assert_eq!(driver.streaming().recovered_from(), None, "{name}");
            }
            Err(error) => {
                assert!(!begins, "{name}: {error}");
                assert!(matches!(error, Error::Damaged { .. }), "{name}: {error}");
                assert!(error.to_string().contains("no checkpoint can be read (checkpoint-1000:"), "{error}");
            }
        }
        // To begin anew in spite of it is what a context does that is not asked to go on.
        let anew = input();
        anew.streaming().checkpoint(&place);
        anew.run(1).unwrap();
        let goes_on = input().get_or_create(&place).unwrap();
        assert_eq!(goes_on.streaming().recovered_from(), Some(at(1000)), "{name}");
        assert_eq!(place.join("checkpoint-notes.txt").exists(), name == "foreign");
    }
}

#[test]
fn recover_is_an_error_without_a_checkpoint() {
    let directory = Directory::new();
    let create = || StreamingContext::new(conf(), SECOND);
    let refused = StreamingContext::recover(directory.0.join("missing"), create).err().unwrap();
    assert!(matches!(refused, Error::NoCheckpoint { .. }), "{refused}");
    assert!(refused.to_string().contains("there is no checkpoint in"), "{refused}");
    fs::write(directory.0.join("checkpoint-1000"), "nonsense").unwrap();
    let refused = StreamingContext::recover(&directory.0, create).err().unwrap();
    assert!(refused.to_string().contains("no checkpoint can be read"), "{refused}");
    let refused = StreamingContext::get_or_create(&directory.0, create).err().unwrap();
    assert!(refused.to_string().contains("no checkpoint can be read"), "{refused}");
}

#[test]
fn what_can_not_be_recovered_is_refused_at_the_start() {
    let directory = Directory::new();
    let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
    driver.streaming().checkpoint(&directory.0);
    driver.streaming().queue_stream::<i32>(&RddQueue::new()).print();
    let refused = driver.start().err().unwrap().to_string();
    assert!(refused.contains("queue_stream at ") && refused.contains("a queue is lost"), "{refused}");

    let log = conf().set("spark.streaming.receiver.writeAheadLog.enable", "true");
    let driver = Driver::at(log, SECOND, at(0)).unwrap();
    driver.input(batches![[1]]).print();
    let refused = driver.start().err().unwrap().to_string();
    assert!(refused.contains("there is no directory for the log; call `checkpoint`"), "{refused}");
}

#[test]
fn a_source_that_is_gone_with_unfinished_batches_is_told() {
    let directory = Directory::new();
    let input = inputs(&directory);
    input.put("1", 500, "1\n");
    let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
    let lines = driver.streaming().text_file_stream(&input.0);
    lines.foreach_rdd(|_| Err::<(), _>(millstream_core::Error::user("no")));
    let steps = driver.get_or_create(directory.0.join("checkpoints")).unwrap().start().unwrap();
    steps.step().unwrap_err();
    drop(steps);
    let other = |conf: Conf| {
        let driver = Driver::at(conf, SECOND, at(1500)).unwrap();
        driver.input(batches![[1]]).print();
        driver.get_or_create(directory.0.join("checkpoints")).unwrap().start()
    };
    let refused = other(conf()).err().unwrap();
    assert_eq!(refused.exit_code(), 3);
    let text = refused.to_string();
    assert!(text.contains("`text_file_stream` is gone") && text.contains("(1000 ms)"), "{text}");
    other(conf().set("millstream.recovery.allowStateLoss", "true")).unwrap();
}

#[test]
fn the_setting_names_the_directory_too_and_relative_paths_do() {
    let directory = Directory::new();
    let path = directory.0.join("made/when/missing");
    let conf = conf().set("spark.streaming.checkpoint.directory", path.to_str().unwrap());
    let driver = Driver::at(conf, SECOND, at(0)).unwrap();
    driver.input(batches![[1]]).print();
    driver.run(1).unwrap();
    assert!(path.join("checkpoint-1000").exists());
}

#[test]
fn a_directory_that_can_not_be_written_or_was_deleted_stops_the_streams() {
    for replaced in [true, false] {
        let directory = Directory::new();
        let checkpoints = directory.0.join("checkpoints");
        let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
        driver.streaming().checkpoint(&checkpoints);
        let ran = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&ran);
        driver.input(batches![[1], [2]]).foreach_rdd_with(move |_, time| seen.lock().unwrap().push(time));
        let steps = driver.start().unwrap();
        steps.step().unwrap();
        fs::remove_dir_all(&checkpoints).unwrap();
        if replaced {
            fs::write(&checkpoints, "a file in its place").unwrap();
        }
        let error = steps.step().unwrap_err().to_string();
        assert!(
            error.contains("batch 2000 ms could not be generated") && error.contains("checkpoints"),
            "{error}"
        );
        // Its job was not run: it could not be run again with the same inputs.
        assert_eq!(*ran.lock().unwrap(), [at(1000)]);
        // Nor is something begun there that looks like a checkpoint.
        assert!(!checkpoints.is_dir());
    }
}

#[test]
fn named_variables_are_as_of_the_last_completed_batch() {
    let directory = Directory::new();
    let start = |now, fails_at: i64| {
        let driver = Driver::at(conf(), SECOND, at(now)).unwrap();
        let context = driver.context().clone();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let values = Arc::clone(&seen);
        driver.input(batches![[1, 2], [3], [4]]).foreach_rdd_with(move |rdd, time| {
            let sum = context.long_accumulator_named("sum")?;
            rdd.foreach_env(sum.clone(), |sum, n| sum.add(n))?;
            let first = context.broadcast_named("first", || time.as_millis())?;
            if time == at(fails_at) {
                return Err(millstream_core::Error::user("the sink is gone"));
            }
            values.lock().unwrap().push((time.as_millis(), sum.value(), *first));
            Ok(())
        });
        (driver.get_or_create(&directory.0).unwrap().start().unwrap(), seen)
    };
    let (steps, seen) = start(0, 2000);
    steps.step().unwrap();
    steps.step().unwrap_err();
    assert_eq!(*seen.lock().unwrap(), [(1000, 3, 1000)]);
    drop(steps);
    // Batch 2000 has added its 3 once, though it was run twice.
    let (steps, seen) = start(2100, 0);
    steps.step().unwrap();
    assert_eq!(*seen.lock().unwrap(), [(2000, 6, 1000), (3000, 10, 1000)]);
}

#[test]
fn several_programs_begin_with_a_savepoint() {
    let directory = Directory::new();
    let input = inputs(&directory);
    (1..=9).for_each(|n| input.put(&n.to_string(), n * 1000 - 500, &format!("{n}\n")));
    let driver = || Driver::at(conf(), SECOND, at(0)).unwrap();
    let first = driver();
    first.streaming().checkpoint(directory.0.join("checkpoints"));
    let lines = first.streaming().text_file_stream(&input.0);
    first.collect(&lines.window(2 * SECOND, None));
    let steps = first.start().unwrap();
    let savepoint = directory.0.join("savepoint");
    assert!(steps.running.savepoint(&savepoint).is_err(), "no batch was completed");
    crate::tables::step(&steps, 3);
    assert_eq!(steps.running.savepoint(&savepoint).unwrap(), at(3000));
    steps.step().unwrap();
    for copy in ["one", "two"] {
        let clock = millstream_streaming::clock::ManualClock::new(3200);
        let mut collected = None;
        let streaming = StreamingContext::from_savepoint(&savepoint, || {
            let streaming = StreamingContext::with_clock(conf(), SECOND, Arc::new(clock.clone()))?;
            streaming.checkpoint(directory.0.join(copy));
            let lines = streaming.text_file_stream(&input.0).window(2 * SECOND, None);
            let seen = Arc::new(Mutex::new(Vec::new()));
            let into = Arc::clone(&seen);
            lines.foreach_rdd(move |rdd| {
                let mut lines = rdd.collect()?;
                lines.sort();
                into.lock().unwrap().push(lines);
                Ok::<_, millstream_core::Error>(())
            });
            collected = Some(seen);
            Ok::<_, Error>(streaming)
        })
        .unwrap();
        assert_eq!(streaming.recovered_from(), Some(at(3000)));
        let running = streaming.start().unwrap();
        clock.advance(SECOND);
        assert!(running.await_batch(at(4000), Duration::from_secs(60)).unwrap());
        assert_eq!(*collected.unwrap().lock().unwrap(), [["3", "4"]]);
        assert!(directory.0.join(copy).join("checkpoint-4000").exists());
    }
}

#[test]
fn what_came_while_the_directory_could_not_be_read_is_taken_after_a_restart() {
    let directory = Directory::new();
    let input = inputs(&directory);
    input.put("1", 500, "1\n");
    run(&directory, 0, 2, Clone::clone);
    let away = Directory(directory.0.join("away"));
    fs::rename(&input.0, &away.0).unwrap();
    // For longer than files are remembered, by those of before too.
    run(&directory, 2_100, 80, Clone::clone);
    away.put("20", 19_500, "20\n");
    fs::rename(&away.0, &input.0).unwrap();
    let after = run(&directory, 82_100, 2, Clone::clone);
    assert_eq!(after.batches(), batches![["20"], []]);
    let later = run(&directory, 84_100, 2, Clone::clone).batches();
    assert!(later.concat().is_empty(), "{later:?}");
}

#[test]
fn a_file_that_was_put_back_from_a_copy_is_the_one_of_before_the_restart() {
    let directory = Directory::new();
    let input = inputs(&directory);
    for (name, millis) in [("1", 500), ("2", 600)] {
        input.put(name, millis, &format!("{name}\n"));
    }
    let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
    let lines = driver.streaming().text_file_stream(&input.0);
    lines.foreach_rdd(|_| Err("the disk has gone"));
    driver.get_or_create(directory.0.join("checkpoints")).unwrap().start().unwrap().step().unwrap_err();
    // Two more files, which have other numbers than the first two as long as these are there.
    let away = Directory(directory.0.join("away"));
    fs::rename(&input.0, &away.0).unwrap();
    let back = inputs(&directory);
    let again = |changed| {
        back.put("1", 500, "1\n");
        back.put("2", changed, "3\n");
        let driver = Driver::at(conf(), SECOND, at(1_100)).unwrap();
        let lines = driver.collect(&driver.streaming().text_file_stream(&back.0));
        let ended = driver.get_or_create(directory.0.join("checkpoints")).unwrap().start().unwrap().step();
        ended.map(|_| lines.batches()).map_err(|error| error.to_string())
    };
    let refused = again(601).unwrap_err();
    assert!(refused.contains("was replaced by another file") && refused.contains("in/2"), "{refused}");
    assert_eq!(again(600).unwrap()[0], ["1", "3"]);
}
