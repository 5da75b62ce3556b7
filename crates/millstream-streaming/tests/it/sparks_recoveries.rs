//! The values of Spark's `CheckpointSuite`: an operation is run for some batches, dies, and goes on as if it had not.

use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use millstream_core::Data;
use millstream_streaming::listener::{BatchInfo, StreamingListener};
use millstream_streaming::testing::{Driver, batches};
use millstream_streaming::{DStream, State, StateSpec, checkpoints};

use crate::fed::fed_stream;
use crate::recovery::{Directory, SECOND, at, conf, put, times};
use crate::recovery_of_states::kill;
use crate::state::counts;
use crate::tables::{LONG, millis, pairs, sorted, step, table, words};

/// The batch interval of the suite.
const HALF: Duration = Duration::from_millis(500);

/// Runs an operation on a table, dies after some batches, and goes on; twice: with all that was written until then, and with a batch
/// that was not completed, which runs again.
fn check<T: Data, U: Data + Ord + Debug>(
    input: &[Vec<T>],
    operation: impl Fn(&DStream<T>) -> DStream<U>,
    expected: &[Vec<U>],
    dies_after: usize,
) {
    for fails in [false, true] {
        let directory = Directory::new();
        let place = directory.0.join("checkpoints");
        let dies_at = at(500 * dies_after as i64);
        let run = |now: i64, batches: usize, fails: bool| {
            let driver = Driver::at(conf(), HALF, at(now)).unwrap();
            let out = operation(&driver.input(input.to_vec()));
            let collected = driver.collect(&out);
            out.foreach_rdd_with(move |rdd, time| {
                rdd.count()?;
                if fails && time == dies_at { Err(millstream_core::Error::user("dead")) } else { Ok(()) }
            });
            let steps = driver.get_or_create(&place).unwrap().start().unwrap();
            for batch in 1..=batches {
                assert_eq!(steps.step().is_err(), fails && batch == batches);
            }
            kill(steps, &place);
            let rows: Vec<_> = collected.batches().into_iter().map(sorted).collect();
            (times(&collected), rows)
        };
        let of_batches = |range: std::ops::RangeInclusive<usize>| {
            let times: Vec<_> = range.clone().map(|batch| 500 * batch as i64).collect();
            (times, expected[range.start() - 1..*range.end()].to_vec())
        };
        assert_eq!(run(0, dies_after, fails), of_batches(1..=dies_after));
        let now = 500 * dies_after as i64 + 100;
        let (mut times, mut rows) = run(now, input.len() - dies_after, false);
        // Its end may not have been written yet when the directory was copied.
        if !fails && times.len() == input.len() - dies_after + 1 {
            assert_eq!(rows.remove(0), expected[dies_after - 1]);
            times.remove(0);
        }
        let first = dies_after + usize::from(!fails);
        assert_eq!((times, rows), of_batches(first..=input.len()), "{fails}");
    }
}

fn letters() -> Vec<Vec<String>> {
    ["a a b", "", "", "a a b", "", ""]
        .iter()
        .enumerate()
        .map(|(n, row)| if n % 3 == 1 { vec![String::new(); 2] } else { words(row) })
        .collect()
}

fn counted() -> Vec<Vec<(String, i32)>> {
    table(&[&[("a", 2), ("b", 1)], &[("", 2)], &[], &[("a", 2), ("b", 1)], &[("", 2)], &[]])
}

fn count(letters: &DStream<String>) -> DStream<(String, i32)> {
    letters.map(|letter| (letter, 1)).reduce_by_key(|a, b| a + b)
}

/// Ten batches of a letter.
fn one_letter() -> Vec<Vec<String>> {
    vec![words("a"); 10]
}

fn sums() -> Vec<Vec<(String, i32)>> {
    (1..=10).map(|n| pairs(&[("a", n)])).collect()
}

fn sum(letters: &DStream<String>) -> DStream<(String, i32)> {
    letters.map(|letter| (letter, 1)).update_state_by_key(|values: Vec<i32>, sum: Option<i32>| {
        Some(sum.unwrap_or_default() + values.iter().sum::<i32>())
    })
}

#[test]
fn map_and_reduce_by_key_operations() {
    check(&letters(), count, &counted(), 3);
}

#[test]
fn invertible_reduce_by_key_and_window_operation() {
    let operation = |letters: &DStream<String>| {
        let ones = letters.map(|letter| (letter, 1));
        let window = ones.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, 4 * HALF, HALF);
        window.checkpoint(2 * HALF)
    };
    let expected: Vec<_> = (1..=10).map(|n| pairs(&[("a", n.min(4))])).collect();
    check(&one_letter(), operation, &expected, 7);
}

#[test]
fn update_state_by_key_operation() {
    check(&one_letter(), |letters| sum(letters).checkpoint(2 * HALF).map(|pair| pair), &sums(), 7);
}

/// The case of `MapWithStateSuite`; the first batches leave a state without keys, which is saved too.
#[test]
fn map_with_state_operation() {
    let input: Vec<_> = ["", "a", "a b", "a b c", "a b", "a", ""].map(words).to_vec();
    let operation = |interval: Duration| {
        move |letters: &DStream<String>| {
            let count = StateSpec::function(|_: &String, one: Option<i32>, state: &mut State<'_, i32>| {
                let count = state.get_option().copied().unwrap_or(0) + one.unwrap_or(0);
                state.update(count);
            });
            let counts = letters.map(|letter| (letter, 1)).map_with_state(count);
            counts.checkpoint(interval);
            counts.state_snapshots()
        }
    };
    check(&input, operation(3 * HALF), &counts(), 3);
    check(&input, operation(HALF), &counts(), 1);
}

fn saved(directory: &Path, millis: usize) -> Vec<String> {
    let batch = directory.join(format!("result-{millis}"));
    assert!(batch.join("_SUCCESS").exists(), "{millis}");
    let files = fs::read_dir(batch).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.map(|file| fs::read_to_string(file).unwrap());
    sorted(texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect())
}

#[test]
fn what_was_saved_by_a_batch_that_runs_again_is_saved_again() {
    let directory = Directory::new();
    for inside_transform in [false, true] {
        let place = directory.0.join(format!("{inside_transform}"));
        let to = place.clone();
        check(
            &letters(),
            move |letters| {
                let to = to.clone();
                if inside_transform {
                    return letters.transform_timed(move |rdd, time| {
                        let counted = rdd.map(|letter| (letter, 1)).reduce_by_key(|a, b| a + b);
                        let to = to.join(format!("result-{}", time.as_millis()));
                        counted.map(|(letter, n)| format!("{letter} {n}")).save_as_text_file(to)?;
                        Ok::<_, millstream_core::Error>(counted)
                    });
                }
                let counted = count(letters);
                let prefix = to.join("result").to_string_lossy().into_owned();
                counted.map(|(letter, n)| format!("{letter} {n}")).save_as_text_files(prefix, "");
                counted
            },
            &counted(),
            3,
        );
        for (batch, row) in counted().into_iter().enumerate() {
            let lines: Vec<_> = row.iter().map(|(letter, n)| format!("{letter} {n}")).collect();
            assert_eq!(saved(&place, (batch + 1) * 500), lines, "{inside_transform}");
        }
    }
}

/// Names of the files of states.
fn states(place: &Path) -> Vec<String> {
    let generations = fs::read_dir(place.join("state")).into_iter().flatten();
    let files = generations.flat_map(|entry| fs::read_dir(entry.unwrap().path()).unwrap());
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    sorted(names.filter(|name| !name.starts_with("variables") && !name.starts_with('.')).collect())
}

#[test]
fn states_are_saved_deleted_and_gone_on_from_twice() {
    let directory = Directory::new();
    let place = directory.0.join("checkpoints");
    let run = |now: i64, batches: usize| {
        let driver = Driver::at(conf(), HALF, at(now)).unwrap();
        let collected = driver.collect(&sum(&driver.input(one_letter())).checkpoint(SECOND));
        let driver = driver.get_or_create(&place).unwrap();
        let steps = driver.start().unwrap();
        step(&steps, batches);
        steps.running.stop(true, true).unwrap();
        (times(&collected), collected.batches().concat())
    };
    let expected = |range: std::ops::RangeInclusive<i32>| {
        let sums = range.clone().map(|n| ("a".to_owned(), n)).collect::<Vec<_>>();
        (range.map(|n| i64::from(n) * 500).collect::<Vec<_>>(), sums)
    };
    assert_eq!(run(0, 4), expected(1..=4));
    let first = states(&place);
    assert!(!first.is_empty());
    assert_eq!(run(2000, 1), expected(5..=5));
    assert!(states(&place).iter().any(|name| !first.contains(name)));
    // After a delay of three batches, which are run as well.
    let (times, sums) = run(4100, 2);
    assert_eq!((times[0], times[times.len() - 1]), (3000, 5000));
    assert_eq!(sums, expected(6..=10).1);
    // The newest checkpoints have no need of the first states any more.
    let (_, sums) = run(5000, 30);
    assert_eq!(sums.last(), Some(&("a".to_owned(), 10)));
    assert!(first.iter().all(|name| !states(&place).contains(name)), "{first:?}");
}

#[test]
fn several_outputs_of_a_stream_each_run_once_in_a_batch_before_and_after() {
    let directory = Directory::new();
    let run = |now: i64| {
        let driver = Driver::at(conf(), HALF, at(now)).unwrap();
        let mapped = driver.input(vec![vec![1]; 10]).map(|n| n + 100);
        let collected = driver.collect(&mapped);
        let counts = Arc::new(Mutex::new(Vec::new()));
        for _ in 0..2 {
            let counts = Arc::clone(&counts);
            mapped.foreach_rdd(move |rdd| rdd.count().map(|n| counts.lock().unwrap().push(n)));
        }
        step(&driver.get_or_create(&directory.0).unwrap().start().unwrap(), 3);
        assert_eq!(*counts.lock().unwrap(), [1; 6]);
        collected.batches().concat()
    };
    assert_eq!(run(0), [101, 101, 101]);
    assert_eq!(run(1500), [101, 101, 101]);
}

#[test]
fn file_input_stream() {
    const BATCH: Duration = Duration::from_secs(2);
    let directory = Directory::new();
    let input = directory.0.join("in");
    fs::create_dir_all(&input).unwrap();
    let place = directory.0.join("checkpoints");
    // In the middle of the interval of a batch.
    let write = |n: u64| put(&input, &n.to_string(), n * 2000 - 1000, &format!("{n}\n"));
    let driver = |now: i64, dies: bool| {
        let driver = Driver::at(conf(), BATCH, at(now)).unwrap();
        let numbers = driver.streaming().text_file_stream(&input).map(|line| line.parse::<i32>().unwrap());
        // It dies while the third batch is processed.
        let numbers = numbers.map(move |n| {
            assert!(!dies || n != 3, "dead");
            n
        });
        let collected = driver.collect(&numbers.reduce_by_window(|a, b| a + b, 30 * BATCH, BATCH));
        (driver.get_or_create(&place).unwrap(), collected)
    };
    let (first, before) = driver(0, true);
    let steps = first.start().unwrap();
    for n in 1..=3 {
        write(n);
        assert_eq!(steps.step().is_err(), n == 3);
    }
    kill(steps, &place);
    assert_eq!(before.batches(), [[1], [3]]);
    // While it is down.
    (4..=6).for_each(write);
    let text = checkpoints::explain(
        &millstream_core::Context::new(conf()).unwrap().file_systems(),
        &place,
        at(13_000),
    );
    assert!(text.unwrap().contains("batch 6000 ms was not completed"));
    let (second, after) = driver(13_000, false);
    let steps = second.start().unwrap();
    for n in 7..=9 {
        write(n);
        steps.step().unwrap();
    }
    assert_eq!(times(&after), [6000, 8000, 10_000, 12_000, 14_000, 16_000, 18_000]);
    assert_eq!(after.batches().concat(), [6, 10, 15, 21, 28, 36, 45]);
}

/// Tells when the rates of a batch have been computed: it hears of the batch after those who compute them.
struct Told(Mutex<mpsc::Sender<()>>);

impl StreamingListener for Told {
    fn on_batch_completed(&self, _: &BatchInfo) {
        // Nobody listens at the end.
        let _ = self.0.lock().unwrap().send(());
    }
}

#[test]
fn the_rate_of_a_receiver_is_adapted_after_a_restart_too() {
    let directory = Directory::new();
    // An estimator that says the same of every batch: no batch is so fast that it could say more.
    const RATE: u64 = 1_000_000_000;
    let conf = || {
        conf()
            .set("spark.streaming.backpressure.enabled", "true")
            .set("spark.streaming.backpressure.initialRate", "1")
            .set("spark.streaming.backpressure.pid.minRate", RATE.to_string())
    };
    for now in [0, 10_000] {
        let driver = Driver::at(conf(), HALF, at(now)).unwrap();
        let (numbers, feed) = fed_stream::<u64>(driver.streaming());
        let collected = driver.collect(&numbers.count());
        let driver = driver.get_or_create(&directory.0).unwrap();
        assert_eq!(driver.streaming().recovered_from().is_some(), now > 0);
        let steps = driver.start().unwrap();
        let (told, batches) = mpsc::channel();
        steps.running.add_streaming_listener(Arc::new(Told(Mutex::new(told)))).unwrap();
        let handle = feed.handle();
        let (stored, is_stored) = mpsc::channel();
        // At one record a second this takes longer than there are batches.
        std::thread::spawn(move || {
            for n in 0..500 {
                if handle.store(n).is_err() {
                    return;
                }
            }
            let _ = stored.send(());
        });
        let mut cut = 0;
        let begin = std::time::Instant::now();
        while is_stored.try_recv().is_err() {
            assert!(cut < 100 && begin.elapsed() < LONG, "the rate stays what it was at the start");
            // Who waits for the clock: the timers of batches and blocks, and whoever stores too fast.
            if steps.clock.wait_for_waiters(3, millis(10)) {
                steps.step().unwrap();
                batches.recv_timeout(LONG).unwrap();
                cut += 1;
            }
        }
        assert!(cut > 1, "the first rate was not kept to");
        step(&steps, 2);
        assert!(collected.batches().concat().iter().sum::<u64>() == 500);
        steps.running.stop(true, true).unwrap();
    }
}

#[test]
fn settings_of_the_new_run_count_and_those_of_the_old_one_are_known() {
    let directory = Directory::new();
    let run = |now: i64, master: &str, value: Option<&str>| {
        let conf = conf().set_master(master);
        let conf = value.iter().fold(conf, |conf, value| conf.set("spark.mykey", *value));
        let driver = Driver::at(conf, HALF, at(now)).unwrap();
        driver.input(batches![[1], [2], [3]]).print();
        let driver = driver.get_or_create(&directory.0).unwrap();
        let conf = driver.context().conf().all().into_iter().collect::<std::collections::BTreeMap<_, _>>();
        step(&driver.start().unwrap(), 1);
        (conf.get("spark.master").cloned(), conf.get("spark.mykey").cloned())
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(run(0, "local[2]", Some("myvalue")), (text("local[2]"), text("myvalue")));
    let of_manifest = || {
        let newest = Directory(directory.0.clone());
        let paths = newest.checkpoints();
        std::mem::forget(newest);
        fs::read_to_string(paths.last().unwrap()).unwrap()
    };
    assert!(of_manifest().contains(r#""spark.mykey":"myvalue""#));
    assert_eq!(run(500, "local[100]", None), (text("local[100]"), None));
    assert!(of_manifest().contains(r#""spark.master":"local[100]""#) && !of_manifest().contains("myvalue"));
}
