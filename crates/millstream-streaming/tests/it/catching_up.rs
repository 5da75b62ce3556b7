//! What was missed is caught up in few batches, and each of them is what it would be if there were one for each interval.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use millstream_core::{Conf, Result};
use millstream_streaming::testing::Driver;
use millstream_streaming::{DStream, SaveOptions, State, StateSpec};
use proptest::prelude::*;

use crate::damaged_checkpoints::files;
use crate::recovery::{Directory, SECOND, at, conf, put, times};
use crate::recovery_of_states::kill;
use crate::tables::seconds;

/// By batch and output: what was put out, sorted.
type Seen = BTreeMap<(i64, &'static str), Vec<String>>;

type Pairs = DStream<(u64, u64)>;

fn conf_of(catch_up: &str) -> Conf {
    let conf = conf().set("millstream.streaming.catchUp", catch_up).set("spark.default.parallelism", "2");
    // Files are not remembered for longer than they must be.
    conf.set("spark.streaming.fileStream.minRememberDuration", "1s")
}

/// Puts a file with a pair into the interval of the batch at a second.
fn put_at(input: &Path, second: u64, key: u64, value: u64) {
    put(input, &format!("{second}-{key}"), second * 1000 - 500, &format!("{key} {value}\n"));
}

fn inputs(directory: &Directory, of: &[(u64, u64, u64)]) -> std::path::PathBuf {
    let input = directory.0.join("in");
    std::fs::create_dir_all(&input).unwrap();
    of.iter().for_each(|(second, key, value)| put_at(&input, *second, *key, *value));
    input
}

fn pairs(driver: &Driver, input: &Path) -> Pairs {
    driver.streaming().text_file_stream(input).map(|line| {
        let mut numbers = line.split(' ').map(|number| number.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0_u64), numbers.next().unwrap_or(0_u64))
    })
}

fn sums(pairs: &Pairs) -> Pairs {
    pairs.update_state_by_key(|values: Vec<u64>, sum: Option<u64>| {
        Some(sum.unwrap_or(0) + values.iter().sum::<u64>()).filter(|sum| *sum % 11 != 5)
    })
}

/// The sum of each key, with 1000 added when it times out.
fn sums_with_timeout(idle: u64) -> StateSpec<u64, u64, u64, (u64, u64)> {
    let spec = StateSpec::function(|key: &u64, value: Option<u64>, state: &mut State<'_, u64>| {
        let sum = state.get_option().copied().unwrap_or(0) + value.unwrap_or(1000);
        if !state.is_timing_out() {
            state.update(sum);
        }
        (*key, sum)
    });
    spec.timeout(seconds(idle))
}

fn inverse(pairs: &Pairs, window: u64, slide: u64) -> Pairs {
    pairs.reduce_by_key_and_window_with_inverse(
        u64::wrapping_add,
        u64::wrapping_sub,
        seconds(window),
        seconds(slide),
    )
}

fn in_seconds(times: Vec<i64>) -> Vec<i64> {
    times.into_iter().map(|millis| millis / 1000).collect()
}

/// Runs two batches of an operation, is away for an hour, and goes on; returns which batches there were after that, and what the last
/// has put out.
fn an_hour_away(operation: impl Fn(&Pairs) -> Pairs) -> (Vec<i64>, Vec<(u64, u64)>) {
    let directory = Directory::new();
    let input = inputs(&directory, &[(1, 1, 10), (2, 1, 2), (2, 7, 5)]);
    let start = |now: i64| {
        let driver = Driver::at(conf_of("grouped"), SECOND, at(now)).unwrap();
        let collected = driver.collect(&operation(&pairs(&driver, &input)));
        (driver.get_or_create(directory.0.join("checkpoints")).unwrap().start().unwrap(), collected)
    };
    let (steps, _) = start(0);
    steps.step().unwrap();
    steps.step().unwrap();
    drop(steps);
    let (steps, collected) = start(3_600_100);
    for _ in 0..3 {
        steps.step().unwrap();
    }
    let mut last = collected.batches().pop().unwrap();
    last.sort_unstable();
    (in_seconds(times(&collected)), last)
}

#[test]
fn an_hour_is_caught_up_in_few_batches_with_each_kind_of_operator() {
    let live = |mut before: Vec<i64>| {
        before.extend([3601, 3602, 3603]);
        before
    };
    assert_eq!(an_hour_away(sums), (live(vec![]), vec![(1, 12)]));
    // Those of before, until they have left the windows.
    assert_eq!(an_hour_away(|pairs| inverse(pairs, 4, 1)), (live(vec![3, 4, 5, 6]), vec![(1, 0), (7, 0)]));
    assert_eq!(an_hour_away(|pairs| inverse(pairs, 6, 3)), (vec![3, 6, 9, 3603], vec![(1, 0), (7, 0)]));
    // What a window over a state finds in passed over intervals is the state.
    let windows = |pairs: &Pairs| sums(pairs).window(3 * SECOND, None);
    assert_eq!(an_hour_away(windows), (live(vec![3, 4, 5]), vec![(1, 12); 3]));
    let windows = |pairs: &Pairs| inverse(&sums(pairs), 3, 3);
    assert_eq!(an_hour_away(windows), (vec![3, 6, 3603], vec![(1, 36)]));
    // A batch for each time at which keys time out.
    let mapped = |pairs: &Pairs| pairs.map_with_state(sums_with_timeout(100)).stream();
    assert_eq!(an_hour_away(mapped), (live(vec![102]), vec![]));
    let snapshots = |pairs: &Pairs| pairs.map_with_state(sums_with_timeout(7200)).state_snapshots();
    assert_eq!(an_hour_away(snapshots), (live(vec![]), vec![(1, 12), (7, 5)]));
}

#[test]
fn a_file_that_comes_late_while_nobody_looks_is_in_the_first_batch_after_it() {
    let directory = Directory::new();
    let input = inputs(&directory, &[(1, 1, 1)]);
    let live = |now: i64, count: usize| {
        let driver = Driver::at(conf(), SECOND, at(now)).unwrap();
        let collected = driver.collect(&pairs(&driver, &input));
        let steps = driver.get_or_create(directory.0.join("checkpoints")).unwrap().start().unwrap();
        for _ in 0..count {
            steps.step().unwrap();
        }
        (in_seconds(times(&collected)), collected.batches())
    };
    live(0, 2);
    // Moved here, with the time of a batch that has been: too old for the batches that come after those five minutes.
    put_at(&input, 2, 9, 9);
    assert_eq!(live(300_100, 1), (vec![3, 301], vec![vec![(9, 9)], vec![]]));
}

#[test]
fn a_function_of_a_state_is_called_for_the_batches_that_there_are() {
    for (catch_up, calls) in [("grouped", 3), ("perInterval", 60)] {
        let directory = Directory::new();
        let input = inputs(&directory, &[(1, 1, 1)]);
        let live = |now: i64, count: usize| {
            let driver = Driver::at(conf_of(catch_up), SECOND, at(now)).unwrap();
            let calls = pairs(&driver, &input)
                .update_state_by_key(|_, calls: Option<u64>| Some(calls.unwrap_or(0) + 1));
            let collected = driver.collect(&calls);
            let steps = driver.get_or_create(directory.0.join("checkpoints")).unwrap().start().unwrap();
            for _ in 0..count {
                steps.step().unwrap();
            }
            collected.batches().pop().unwrap()
        };
        assert_eq!(live(0, 2), [(1, 2)]);
        assert_eq!(live(59_100, 1), [(1, calls)], "{catch_up}");
    }
}

#[test]
fn states_go_on_over_what_was_passed_over_with_another_batch_interval() {
    let directory = Directory::new();
    let input = inputs(&directory, &[(1, 1, 1), (5, 2, 2), (104, 1, 10)]);
    let live = |now: i64, interval: u64, count: usize| {
        let driver = Driver::at(conf_of("grouped"), seconds(interval), at(now)).unwrap();
        let sums = sums(&pairs(&driver, &input)).checkpoint(seconds(4));
        let collected = driver.collect(&inverse(&sums, 4, interval));
        let steps = driver.get_or_create(directory.0.join("checkpoints")).unwrap().start().unwrap();
        for _ in 0..count {
            steps.step().unwrap();
        }
        let mut batches = collected.batches();
        batches.iter_mut().for_each(|batch| batch.sort_unstable());
        (in_seconds(times(&collected)), batches)
    };
    live(0, 1, 5);
    let (times, batches) = live(60_100, 2, 1);
    assert_eq!(times, [6, 8, 10, 62]);
    assert_eq!(batches[3], [(1, 2), (2, 4)]);
    // Away once more, and back to batches of a second.
    let (times, batches) = live(109_100, 1, 1);
    let expected: Vec<i64> = (63..=66).chain(104..=110).collect();
    assert_eq!((times.first(), times.last()), (Some(&63), Some(&110)));
    assert!(
        times.len() <= expected.len() + 2 && times.iter().all(|time| !(70..104).contains(time)),
        "{times:?}"
    );
    assert_eq!(batches.last().unwrap(), &[(1, 44), (2, 8)]);
}

/// Outputs of each kind of operator, some of them made of others.
fn describe(driver: &Driver, input: &Path, saved_each: u64) -> Vec<(&'static str, DStream<String>)> {
    let pairs = pairs(driver, input);
    let sums = sums(&pairs).checkpoint(seconds(saved_each));
    let mapped = pairs.map_with_state(sums_with_timeout(9));
    mapped.checkpoint(seconds(2));
    let slid = inverse(&pairs, 6, 3).checkpoint(seconds(3));
    let slid_of_states = inverse(&sums, 4, 2).checkpoint(seconds(2 * saved_each));
    let largest =
        sums.window(4 * SECOND, None).update_state_by_key(|values: Vec<u64>, largest: Option<u64>| {
            values.into_iter().chain(largest).max()
        });
    let text = |stream: &Pairs| stream.map(|pair| format!("{pair:?}"));
    vec![
        ("pairs", text(&pairs)),
        ("sums", text(&sums)),
        ("mapped", text(&mapped.stream())),
        ("inverse", text(&slid)),
        ("inverse of states", text(&slid_of_states)),
        ("largest", text(&largest)),
        ("windows of mapped", text(&mapped.stream().window(4 * SECOND, 2 * SECOND))),
        ("windows of snapshots", text(&mapped.state_snapshots().window(5 * SECOND, 5 * SECOND))),
        ("windows of inverse", text(&slid.window(6 * SECOND, None))),
        ("windows of the inverse of states", text(&slid_of_states.window(4 * SECOND, 4 * SECOND))),
    ]
}

/// How a life of a program ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Stopped,
    Killed,
    /// Its so many-th batch fails, and then it is killed.
    Fails(usize),
}

/// Where a program lives, and what it has put out.
struct Place<'a> {
    checkpoints: &'a Path,
    input: &'a Path,
    saved_each: u64,
    seen: Arc<Mutex<Seen>>,
}

impl<'a> Place<'a> {
    fn new(checkpoints: &'a Path, input: &'a Path, saved_each: u64) -> Self {
        Place { checkpoints, input, saved_each, seen: Arc::default() }
    }

    /// Lives from `now` on for some batches of the clock, after those it has missed.
    fn live(&self, now: i64, batches: u64, end: End) {
        let driver = Driver::at(conf_of("grouped"), SECOND, at(now)).unwrap();
        let outputs = describe(&driver, self.input, self.saved_each);
        let sums = outputs[1].1.clone();
        for (name, stream) in outputs {
            let seen = Arc::clone(&self.seen);
            stream.foreach_rdd_with(move |rdd, time| -> Result<()> {
                let mut row = rdd.collect()?;
                row.sort();
                let before = seen.lock().unwrap().insert((time.as_millis() / 1000, name), row.clone());
                assert!(
                    before.is_none_or(|before| before == row),
                    "{name} of {time} is another one than before"
                );
                Ok(())
            });
        }
        let left = Mutex::new(if let End::Fails(at) = end { Some(at) } else { None });
        sums.foreach_rdd_with(move |_, _| {
            let mut left = left.lock().unwrap();
            *left = left.map(|left| left.wrapping_sub(1));
            if *left == Some(0) { Err(millstream_core::Error::user("the sink is gone")) } else { Ok(()) }
        });
        let steps = driver.get_or_create(self.checkpoints).unwrap().start().unwrap();
        for _ in 0..batches {
            if let Err(error) = steps.step() {
                assert!(
                    matches!(end, End::Fails(_)) && error.to_string().contains("the sink is gone"),
                    "{error}"
                );
            }
        }
        match end {
            End::Stopped => steps.running.stop(true, true).unwrap(),
            End::Killed | End::Fails(_) => kill(steps, self.checkpoints),
        }
    }

    fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

/// Checks that what was seen is what a run without faults and with a batch in each interval gives, and that what was passed over was
/// nothing.
fn check(seen: &Seen, expected: &Seen) {
    for (at, row) in seen {
        assert_eq!(Some(row), expected.get(at), "{at:?}");
    }
    for ((second, name), row) in expected {
        let has_nothing = row.is_empty() || !["pairs", "mapped", "windows of mapped"].contains(name);
        assert!(has_nothing || seen.contains_key(&(*second, name)), "{name} of {second}: {row:?}");
    }
}

#[test]
fn whenever_it_dies_while_it_catches_up_all_is_what_a_batch_each_interval_gives() {
    const LAST: u64 = 130;
    let directory = Directory::new();
    let input = inputs(
        &directory,
        &[(1, 1, 1), (2, 2, 20), (4, 1, 5), (5, 3, 7), (61, 2, 2), (95, 4, 4), (LAST - 1, 1, 100)],
    );
    let whole = directory.0.join("whole");
    let expected = Place::new(&whole, &input, 10);
    expected.live(0, LAST, End::Stopped);
    let expected = expected.seen();
    let (killed, stopped) = (End::Killed, End::Stopped);
    for (saved_each, first_ends, dies_at) in [
        (1, killed, 1),
        (1, stopped, 2),
        (3, stopped, 3),
        (1, killed, 9),
        (3, killed, 20),
        (10, stopped, 1000),
    ] {
        let checkpoints = directory.0.join(format!("{saved_each}-{dies_at}"));
        let place = Place::new(&checkpoints, &input, saved_each);
        place.live(0, 6, first_ends);
        place.live(120_100, 1, End::Fails(dies_at));
        let has_died = place.seen().keys().all(|(second, _)| *second < 121);
        assert_eq!(has_died, dies_at < 1000, "{dies_at}");
        // If it has died there is more to catch up with; then there are some batches of the clock.
        place.live(122_100, LAST - 122, End::Killed);
        let seen = place.seen();
        check(&seen, &expected);
        let batches = seen.keys().filter(|(_, name)| *name == "sums").count();
        assert!(batches < 100, "{batches} batches");
    }
}

#[test]
fn a_state_file_that_is_torn_is_made_again_of_the_batches_on_both_sides_of_what_was_passed_over() {
    let directory = Directory::new();
    let input = inputs(&directory, &[(1, 1, 1), (5, 2, 20), (61, 3, 5)]);
    let (whole, checkpoints) = (directory.0.join("whole"), directory.0.join("checkpoints"));
    let place = Place::new(&checkpoints, &input, 10);
    place.live(0, 6, End::Stopped);
    place.live(60_100, 2, End::Stopped);
    let torn = files(&checkpoints.join("state"));
    let torn = torn.into_iter().filter(|file| file.to_string_lossy().contains("-62000-"));
    let torn = torn.map(|file| std::fs::write(file, "torn").unwrap()).count();
    assert!(torn > 0);
    place.live(62_100, 3, End::Killed);
    let expected = Place::new(&whole, &input, 10);
    expected.live(0, 65, End::Stopped);
    check(&place.seen(), &expected.seen());
}

fn ends() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Stopped), Just(End::Killed), (1_usize..40).prop_map(End::Fails)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_program_that_is_away_at_any_time_gives_what_one_gives_that_never_is(
        input in prop::collection::vec((1_u64..200, 0_u64..4, 1_u64..100), 0..12),
        lives in prop::collection::vec((0_i64..70, 1_u64..5, ends()), 1..5),
        saved_each in 1_u64..6,
    ) {
        let directory = Directory::new();
        let input = inputs(&directory, &input);
        let (whole, checkpoints) = (directory.0.join("whole"), directory.0.join("checkpoints"));
        let place = Place::new(&checkpoints, &input, saved_each);
        let mut now = 0;
        place.live(0, 3, End::Killed);
        now += 3;
        for (away, batches, end) in lives {
            now += away;
            place.live(now * 1000 + 100, batches, end);
            now += batches as i64;
        }
        place.live(now * 1000 + 100, 2, End::Stopped);
        let expected = Place::new(&whole, &input, saved_each);
        expected.live(0, now as u64 + 2, End::Stopped);
        check(&place.seen(), &expected.seen());
    }
}

#[test]
fn files_of_a_batch_that_could_not_be_described_are_not_lost() {
    let directory = Directory::new();
    let (input, place) = (inputs(&directory, &[(1, 1, 1), (2, 2, 2)]), directory.0.join("checkpoints"));
    let run = |now: i64, fails: bool, seen: &Arc<Mutex<Vec<(i64, u64)>>>| {
        let driver = Driver::at(conf_of("grouped"), SECOND, at(now)).unwrap();
        let (let_go, wait) = std::sync::mpsc::channel::<()>();
        let (pairs, wait, seen) = (pairs(&driver, &input), Mutex::new(wait), Arc::clone(seen));
        pairs.foreach_rdd_with(move |rdd, time| -> Result<()> {
            // Until the next batch has failed.
            let _ = wait.lock().unwrap().recv();
            let records = rdd.collect()?.into_iter().map(|(key, _)| (time.as_millis() / 1000, key));
            seen.lock().unwrap().extend(records);
            Ok(())
        });
        let described = pairs.transform_timed(move |rdd, time| {
            assert!(!fails || time < at(2000), "no more");
            rdd
        });
        described.foreach_rdd(|_| ());
        (driver.get_or_create(&place).unwrap().start().unwrap(), let_go)
    };
    let seen = Arc::default();
    let (steps, let_go) = run(0, true, &seen);
    steps.clock.set_time(at(2000));
    let failed = steps.running.await_batch(at(2000), crate::tables::LONG).unwrap_err();
    assert!(failed.to_string().contains("no more"), "{failed}");
    drop(let_go);
    let files = steps.running.context().file_systems();
    let is_completed = || {
        let text = millstream_streaming::checkpoints::explain(&files, &place, at(2000)).unwrap();
        text.contains("last batch 1000 ms") && !text.contains("was not completed")
    };
    let began = std::time::Instant::now();
    while !is_completed() {
        assert!(began.elapsed() < crate::tables::LONG);
        std::thread::yield_now();
    }
    kill(steps, &place);
    let (steps, let_go) = run(2100, false, &seen);
    drop(let_go);
    steps.step().unwrap();
    assert_eq!(*seen.lock().unwrap(), [(1, 1), (2, 2)]);
}

#[test]
fn a_directory_whose_last_batch_had_nothing_to_do_is_completed_by_the_next_one() {
    let directory = Directory::new();
    let input = inputs(&directory, &[(1, 1, 10)]);
    let start = |now: i64| {
        let driver = Driver::at(conf_of("grouped"), SECOND, at(now)).unwrap();
        let prefix = directory.0.join("sums").display().to_string();
        let rolled = SaveOptions::default().roll_time(seconds(4));
        sums(&pairs(&driver, &input)).save_as_text_files_with(prefix, "", rolled);
        driver.get_or_create(directory.0.join("checkpoints")).unwrap().start().unwrap()
    };
    start(0).step().unwrap();
    let completed = |second: u64| directory.0.join(format!("sums-{second}000/_SUCCESS")).exists();
    assert!(!completed(1));
    let steps = start(10_100);
    steps.step().unwrap();
    assert_eq!([1, 9].map(completed), [true, false]);
    steps.step().unwrap();
    assert!(completed(9));
    // Between them nothing was saved.
    assert!(!directory.0.join("sums-5000").exists());
}
