//! Sources of one's own that need no receiver.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use millstream_core::{Context, Rdd};
use millstream_streaming::testing::Driver;
use millstream_streaming::{DirectSource, Result, Time};

use crate::recovery::{Directory, SECOND, at, conf};

type Outcome<T> = std::result::Result<T, Box<dyn StdError + Send + Sync>>;

/// The batches that were planned, and where the ones before them had ended.
type Planned = Vec<(i64, Option<u64>)>;

/// What was put out, by the batch.
type Seen = BTreeMap<i64, Vec<u64>>;

/// Numbers that come one after the other, as many as there are when a batch is planned.
#[derive(Default)]
struct Numbers {
    there: Arc<AtomicU64>,
    planned: Arc<Mutex<Planned>>,
}

impl DirectSource for Numbers {
    type Record = u64;
    type Plan = Range<u64>;

    fn plan(&self, batch: Time, before: Option<&Range<u64>>) -> Outcome<Range<u64>> {
        let from = before.map(|before| before.end);
        self.planned.lock().unwrap().push((batch.as_millis(), from));
        let until = self.there.load(Ordering::SeqCst);
        if until == 13 { Err("unlucky".into()) } else { Ok(from.unwrap_or(0)..until) }
    }

    fn rdd(&self, context: &Context, plan: &Range<u64>) -> Outcome<Rdd<u64>> {
        Ok(context.parallelize(plan.clone().collect::<Vec<_>>(), 2))
    }

    fn records(&self, plan: &Range<u64>) -> Option<u64> {
        Some(plan.end - plan.start)
    }
}

/// Runs a batch for each number of records that are there; the output fails on the batch that is told.
fn run(
    directory: &std::path::Path,
    now: i64,
    there: &[u64],
    fails: Option<i64>,
) -> (Result<()>, Seen, Planned) {
    let driver = Driver::at(conf(), SECOND, at(now)).unwrap();
    let source = Numbers::default();
    let (now_there, planned) = (Arc::clone(&source.there), Arc::clone(&source.planned));
    let seen = Arc::new(Mutex::new(BTreeMap::new()));
    let into = Arc::clone(&seen);
    let windows = driver.streaming().direct_stream(source).window(2 * SECOND, None);
    windows.foreach_rdd_with(move |rdd, time| {
        if fails == Some(time.as_millis()) {
            return Err(millstream_core::Error::user("told to fail"));
        }
        into.lock().unwrap().insert(time.as_millis(), rdd.collect()?);
        Ok(())
    });
    let outcome = driver.get_or_create(directory).and_then(|driver| {
        let steps = driver.start()?;
        there.iter().try_for_each(|n| {
            now_there.store(*n, Ordering::SeqCst);
            steps.step().map(drop)
        })
    });
    let planned = planned.lock().unwrap().clone();
    let seen = seen.lock().unwrap().clone();
    (outcome, seen, planned)
}

#[test]
fn a_batch_is_made_of_the_same_after_a_restart_and_the_next_goes_on_behind_it() {
    let directory = Directory::new();
    let checkpoints = directory.0.join("checkpoints");
    let (outcome, seen, planned) = run(&checkpoints, 0, &[2, 3, 7], Some(3000));
    assert!(outcome.unwrap_err().to_string().contains("told to fail"));
    assert_eq!(seen, BTreeMap::from([(1000, vec![0, 1]), (2000, vec![0, 1, 2])]));
    assert_eq!(planned, [(1000, None), (2000, Some(2)), (3000, Some(3))]);

    // More is there by now: the third batch is made of what it was made of, also within the window of the fourth.
    let (outcome, seen, planned) = run(&checkpoints, 3100, &[9], None);
    outcome.unwrap();
    assert_eq!(seen, BTreeMap::from([(3000, vec![2, 3, 4, 5, 6]), (4000, vec![3, 4, 5, 6, 7, 8])]));
    assert_eq!(planned, [(4000, Some(7))]);

    // Also when all batches were completed.
    let (outcome, seen, planned) = run(&checkpoints, 4100, &[10], None);
    outcome.unwrap();
    assert_eq!(seen, BTreeMap::from([(5000, vec![7, 8, 9])]));
    assert_eq!(planned, [(5000, Some(9))]);
}

#[test]
fn a_source_that_can_not_plan_ends_the_streams_with_its_reason() {
    let directory = Directory::new();
    let (outcome, seen, _) = run(&directory.0.join("checkpoints"), 0, &[1, 13], None);
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("direct_stream at ") && error.contains("unlucky"), "{error}");
    assert_eq!(seen, BTreeMap::from([(1000, vec![0])]));
}

#[test]
fn a_window_that_is_new_takes_nothing_from_the_batches_to_come() {
    let directory = Directory::new();
    let run = |now: i64, there: &[u64], window: Option<u32>| {
        let driver = Driver::at(conf(), SECOND, at(now)).unwrap();
        let source = Numbers::default();
        let (now_there, planned) = (Arc::clone(&source.there), Arc::clone(&source.planned));
        let numbers = driver.streaming().direct_stream(source);
        let windows = window.map(|window| driver.collect(&numbers.window(window * SECOND, None)));
        let collected = driver.collect(&numbers);
        let steps = driver.get_or_create(&directory.0).unwrap().start().unwrap();
        for n in there {
            now_there.store(*n, Ordering::SeqCst);
            steps.step().unwrap();
        }
        let planned = planned.lock().unwrap().clone();
        (collected.batches(), windows.map(|windows| windows.batches()), planned)
    };
    assert_eq!(run(0, &[1, 2, 3, 4, 5], None).0.concat(), [0, 1, 2, 3, 4]);
    // Of the batches before the last one nothing is known any more: the window fills.
    let (numbers, windows, planned) = run(5100, &[6, 8], Some(4));
    assert_eq!(numbers, [vec![5], vec![6, 7]]);
    assert_eq!(planned, [(6000, Some(5)), (7000, Some(6))]);
    let windows = windows.unwrap();
    assert!(
        windows.iter().zip([5, 7]).all(|(window, last)| window.is_sorted() && window.last() == Some(&last))
    );
}
