//! `persist`, `unpersist`, `local_checkpoint`, and what is kept of shuffles.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use millstream_core::operator::{self, Operator};
use millstream_core::{Rdd, TaskContext};

use crate::{context, on, sorted};

/// Counts what passes through it.
#[derive(Clone, Default)]
struct Counter(Arc<AtomicUsize>);

impl Counter {
    fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Makes an RDD of the numbers below `n` that counts each one computed.
    fn numbers(&self, n: i32, partitions: usize) -> Rdd<i32> {
        let counter = self.clone();
        on("local[2]").parallelize(0..n, partitions).map(move |n| {
            counter.count();
            n
        })
    }
}

#[test]
fn a_persisted_rdd_is_computed_once() {
    let counter = Counter::default();
    let numbers = counter.numbers(1000, 4);
    numbers.count().unwrap();
    numbers.count().unwrap();
    assert_eq!(counter.get(), 2000);
    let numbers = numbers.persist();
    assert!(numbers.is_persisted());
    for _ in 0..3 {
        assert_eq!(numbers.collect().unwrap(), (0..1000).collect::<Vec<_>>());
        assert_eq!(numbers.filter(|n| n % 2 == 0).count().unwrap(), 500);
    }
    assert_eq!(counter.get(), 3000);
    numbers.unpersist();
    assert_eq!(numbers.count().unwrap(), 1000);
    assert_eq!(counter.get(), 4000);
}

#[test]
fn partitions_are_kept_one_by_one() {
    let counter = Counter::default();
    let numbers = counter.numbers(100, 4).cache();
    assert_eq!(numbers.take(5).unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!(counter.get(), 25);
    assert_eq!(numbers.count().unwrap(), 100);
    assert_eq!(counter.get(), 100);
}

#[test]
fn nothing_is_kept_of_a_partition_that_failed() {
    let healthy = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&healthy);
    let rdd = context()
        .parallelize(0..10_000, 2)
        .map(move |n| if n == 9_999 && !flag.load(Ordering::Relaxed) { panic!("injected") } else { n })
        .persist();
    assert!(rdd.collect().unwrap_err().to_string().contains("injected"));
    healthy.store(true, Ordering::Relaxed);
    assert_eq!(rdd.count().unwrap(), 10_000);
}

#[test]
fn a_persisted_rdd_hides_the_shuffle_before_it() {
    let counter = Counter::default();
    let sums = counter.numbers(100, 4).map(|n| (n % 3, n)).reduce_by_key(|a, b| a + b).persist();
    for _ in 0..3 {
        assert_eq!(sorted(sums.collect().unwrap()), [(0, 1683), (1, 1617), (2, 1650)]);
    }
    assert_eq!(counter.get(), 100);
}

#[test]
fn a_shuffle_is_made_again_once_and_then_kept() {
    let counter = Counter::default();
    let sums = counter.numbers(100, 4).map(|n| (n % 3, n)).reduce_by_key(|a, b| a + b);
    let counts: Vec<usize> = (0..5)
        .map(|_| {
            assert_eq!(sums.count().unwrap(), 3);
            counter.get()
        })
        .collect();
    assert_eq!(counts, [100, 200, 200, 200, 200]);
    assert_eq!(sums.map(|(key, sum)| (sum, key)).group_by_key().count().unwrap(), 3);
    assert_eq!(counter.get(), 200);
}

#[test]
fn freeing_what_a_running_job_needs_plans_it_again() {
    let counter = Counter::default();
    let sums = counter.numbers(100, 4).map(|n| (n % 3, n)).reduce_by_key_with(|a, b| a + b, 2).persist();
    assert_eq!(sums.count().unwrap(), 3);
    // One thread runs the partitions in their order: the first one frees what the others were planned around.
    let slow = on("local[1]");
    let counter_there = Counter::default();
    let there = counter_there.clone();
    let kept = slow
        .parallelize(0..100, 4)
        .map(move |n| {
            there.count();
            (n % 3, n)
        })
        .reduce_by_key_with(|a, b| a + b, 2)
        .persist();
    assert_eq!(kept.count().unwrap(), 3);
    let to_free = kept.clone();
    let first = slow.parallelize([(9, 9)], 1).map(move |pair| {
        to_free.unpersist();
        pair
    });
    let all = first.union(&kept).collect().unwrap();
    assert_eq!(sorted(all), [(0, 1683), (1, 1617), (2, 1650), (9, 9)]);
    assert_eq!(counter_there.get(), 200);
}

#[test]
fn freeing_what_needs_no_shuffle_needs_no_new_plan() {
    let context = on("local[1]");
    let numbers = context.parallelize(0..10, 2).map(|n| n * 2).persist();
    numbers.count().unwrap();
    let to_free = numbers.clone();
    let first = context.parallelize([1], 1).map(move |n| {
        to_free.unpersist();
        n
    });
    assert_eq!(first.union(&numbers).count().unwrap(), 11);
}

/// Tells when it is dropped.
struct Flag(Arc<AtomicBool>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Makes an RDD of two partitions; the second value says whether its closure has been dropped.
fn noticed() -> (Rdd<i32>, Arc<AtomicBool>) {
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = Flag(Arc::clone(&dropped));
    let rdd = context().parallelize(0..10, 2).map(move |n| {
        let _alive = &flag;
        n
    });
    (rdd, dropped)
}

#[test]
fn a_local_checkpoint_forgets_what_it_was_made_of() {
    let (source, forgotten) = noticed();
    let rdd = source.map(|n| n + 1).local_checkpoint();
    drop(source);
    assert_eq!(rdd.take(1).unwrap(), [1]);
    assert!(!forgotten.load(Ordering::Relaxed), "the second partition is still to be computed");
    assert_eq!(rdd.count().unwrap(), 10);
    assert!(forgotten.load(Ordering::Relaxed));
    assert_eq!(rdd.filter(|n| n % 2 == 0).collect().unwrap(), [2, 4, 6, 8, 10]);
    rdd.unpersist();
    let error = rdd.count().unwrap_err().to_string();
    assert!(error.contains("`local_checkpoint`") && error.contains("use `persist` instead"), "{error}");
}

#[test]
fn a_local_checkpoint_forgets_what_an_operator_was_applied_to() {
    let (source, forgotten) = noticed();
    let operator = Operator::call("state", std::panic::Location::caller());
    let rdd = operator::apply(&Arc::new(operator), vec![source.any()], || source.map(|n| n + 1));
    let rdd = rdd.local_checkpoint();
    drop(source);
    assert_eq!(rdd.count().unwrap(), 10);
    assert!(forgotten.load(Ordering::Relaxed));
}

#[test]
fn a_local_checkpoint_that_was_taken_back_forgets_nothing() {
    let (source, forgotten) = noticed();
    let rdd = source.map(|n| n + 1).local_checkpoint();
    rdd.unpersist();
    assert_eq!(rdd.count().unwrap(), 10);
    rdd.persist();
    assert_eq!(rdd.count().unwrap(), 10);
    rdd.unpersist();
    assert_eq!(rdd.count().unwrap(), 10);
    assert!(!forgotten.load(Ordering::Relaxed));
}

#[test]
fn a_shuffled_rdd_can_be_checkpointed() {
    let (source, forgotten) = noticed();
    let rdd = source.map(|n| (n % 2, n)).reduce_by_key_with(|a, b| a + b, 2).local_checkpoint();
    drop(source);
    assert_eq!(sorted(rdd.collect().unwrap()), [(0, 20), (1, 25)]);
    assert!(forgotten.load(Ordering::Relaxed));
    let again = rdd.reduce_by_key_with(|a, b| a + b, 2);
    assert_eq!(sorted(again.collect().unwrap()), [(0, 20), (1, 25)]);
}

#[test]
fn what_is_kept_goes_with_the_last_handle() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct Record(u8);
    impl Drop for Record {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
    let rdd = context().parallelize(0..100, 2).map(Record).persist();
    assert_eq!(rdd.count().unwrap(), 100);
    assert_eq!(DROPPED.load(Ordering::Relaxed), 0);
    drop(rdd);
    assert_eq!(DROPPED.load(Ordering::Relaxed), 100);
}

#[test]
fn tasks_that_want_the_same_partition_at_once_all_get_it() {
    static FIRST: OnceLock<u32> = OnceLock::new();
    let kept = on("local[4]").parallelize(0..1000, 1).persist();
    let union = kept.context().union([kept.clone(), kept.clone(), kept.clone(), kept.clone()]);
    assert_eq!(union.count().unwrap(), 4000);
    let attempt = kept.map(|_| *FIRST.get_or_init(|| TaskContext::get().unwrap().attempt_number()));
    assert_eq!(attempt.reduce(u32::max).unwrap(), Some(0));
}
