//! Batches of stateful operators that are computed again: each sees the state of its own past.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use millstream_core::scheduler::faulty::{Faults, FaultyExecutor};
use millstream_core::scheduler::local::LocalExecutor;
use millstream_core::{Conf, Context, Rdd, TaskContext};
use millstream_streaming::testing::Driver;
use millstream_streaming::{DStream, State, StateSpec};

use crate::tables::{SECOND, millis, run_on, seconds, sorted, step};

type Shared<T> = Arc<Mutex<Vec<T>>>;
type Pairs = DStream<(i64, i64)>;

fn input() -> Vec<Vec<(i64, i64)>> {
    (0..20).map(|row| (0..30).map(|n| ((n * row) % 11, row + n)).collect()).collect()
}

/// Fails the first attempts of tasks in the middle of their work.
fn stumble(key: i64) {
    let first = TaskContext::get().is_some_and(|task| task.attempt_number() == 0);
    assert!(!(first && key == 7), "on purpose");
}

fn updated(s: &Pairs) -> Pairs {
    s.update_state_by_key(|values: Vec<i64>, state: Option<i64>| {
        let sum = values.iter().sum::<i64>() + state.unwrap_or(0);
        // Keys leave, so that numbers are used again.
        (sum % 13 != 0).then_some(sum)
    })
}

fn spec(stumbles: bool) -> StateSpec<i64, i64, i64, (i64, i64)> {
    let spec = StateSpec::function(move |key: &i64, value: Option<i64>, state: &mut State<'_, i64>| {
        if stumbles {
            stumble(*key);
        }
        let sum = value.unwrap_or(-1) + state.get_option().copied().unwrap_or(0);
        if sum % 17 == 0 && !state.is_timing_out() {
            state.remove();
        } else if !state.is_timing_out() {
            state.update(sum);
        }
        (*key, sum)
    });
    spec.timeout(seconds(2))
}

fn windowed(s: &Pairs) -> Pairs {
    s.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, seconds(5), seconds(1))
}

const OPERATIONS: [fn(&Pairs) -> Pairs; 4] = [
    updated,
    |s| s.map_with_state(spec(false)).stream(),
    |s| s.map_with_state(spec(false)).state_snapshots(),
    windowed,
];

fn all_rows(context: &Context, operation: impl FnOnce(&Pairs) -> Pairs) -> Vec<(i64, Vec<(i64, i64)>)> {
    let rows = run_on(context, SECOND, input(), operation, 24);
    rows.into_iter().map(|(time, row)| (time, sorted(row))).collect()
}

fn good() -> Context {
    Context::new(Conf::empty().set_master("local[3]")).unwrap()
}

#[test]
fn results_that_are_lost_late_or_repeated() {
    for (seed, operation) in OPERATIONS.into_iter().enumerate() {
        let faults = Faults { seed: seed as u64, lose: 0.1, delay: 0.1, by: millis(2), repeat: 0.1 };
        let executor = FaultyExecutor::new(LocalExecutor::new(3).unwrap(), faults);
        let faulty = Context::with_executor(Conf::empty(), executor).unwrap();
        assert_eq!(all_rows(&faulty, operation), all_rows(&good(), operation));
    }
}

#[test]
fn functions_that_panic_half_way() {
    let context = Context::new(Conf::empty().set_master("local[2,4]")).unwrap();
    let stumbling = all_rows(&context, |s| s.map_with_state(spec(true)).stream());
    assert_eq!(stumbling, all_rows(&good(), OPERATIONS[1]));
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let stumbling = all_rows(&context, move |s| {
        s.update_state_by_key_with(
            move |_, key, values: Vec<i64>, state: Option<i64>| {
                counter.fetch_add(1, Ordering::Relaxed);
                stumble(*key);
                let sum = values.iter().sum::<i64>() + state.unwrap_or(0);
                (sum % 13 != 0).then_some(sum)
            },
            Default::default(),
        )
    });
    assert_eq!(stumbling, all_rows(&good(), updated));
    assert!(calls.load(Ordering::Relaxed) > 300);
}

/// Reads the RDDs of all batches when all are done, in any order, twice.
#[test]
fn batches_that_are_read_late() {
    for operation in OPERATIONS {
        let driver = Driver::on(&good(), SECOND).unwrap();
        let kept: Shared<Rdd<(i64, i64)>> = Arc::default();
        let keep = Arc::clone(&kept);
        let stream = operation(&driver.input(input()));
        let collected = driver.collect(&stream);
        stream.foreach_rdd(move |rdd| keep.lock().unwrap().push(rdd));
        let steps = driver.start().unwrap();
        step(&steps, 24);
        for (rdd, expected) in kept.lock().unwrap().iter().zip(collected.batches()).rev() {
            assert_eq!(rdd.collect().unwrap(), expected);
            assert_eq!(rdd.count().unwrap() as usize, expected.len());
        }
    }
}

/// An output that takes one record only leaves most of the batch to be computed by others.
#[test]
fn outputs_that_take_few_records_and_slices() {
    let driver = Driver::on(&good(), SECOND).unwrap();
    let stream = updated(&driver.input(input()));
    let windows = stream.window(seconds(3), None);
    let slices: Shared<Vec<(i64, i64)>> = Arc::default();
    let (out, sliced) = (Arc::clone(&slices), stream.clone());
    stream.foreach_rdd(|rdd| rdd.take(1).map(drop));
    windows.foreach_rdd_with(move |_, time| {
        let rdds = sliced.slice(time - seconds(2), time)?;
        let records: Result<Vec<_>, _> = rdds.iter().map(Rdd::collect).collect();
        out.lock().unwrap().push(sorted(records?.concat()));
        Ok::<_, millstream_streaming::Error>(())
    });
    driver.run(24).unwrap();
    let expected = all_rows(&good(), |s| updated(s).window(seconds(3), None));
    assert_eq!(*slices.lock().unwrap(), expected.into_iter().map(|(_, row)| row).collect::<Vec<_>>());
}

#[test]
fn jobs_of_several_batches_at_once() {
    for operation in OPERATIONS {
        let conf = Conf::empty().set_master("local[3]").set("spark.streaming.concurrentJobs", "3");
        let context = Context::new(conf).unwrap();
        let slowly = |s: &Pairs| {
            operation(&s.map(|(key, n)| {
                if n % 9 == 0 {
                    std::thread::yield_now();
                }
                (key, n)
            }))
        };
        assert_eq!(all_rows(&context, slowly), all_rows(&good(), operation));
    }
}
