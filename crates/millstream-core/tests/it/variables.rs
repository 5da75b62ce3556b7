//! Broadcasts and accumulators where results are lost, attempts fail and tasks run in other processes.

use std::time::Duration;

use millstream_core::scheduler::faulty::{Faults, FaultyExecutor};
use millstream_core::scheduler::local::LocalExecutor;
use millstream_core::{Conf, Context, TaskContext};

use crate::processes::elsewhere;

#[test]
fn lost_repeated_and_late_results_are_counted_once() {
    for seed in 0..20 {
        let faults = Faults { seed, lose: 0.3, repeat: 0.3, delay: 0.3, by: Duration::from_millis(1) };
        let executor = FaultyExecutor::new(LocalExecutor::new(2).unwrap(), faults);
        let context = Context::with_executor(Conf::empty(), executor).unwrap();
        let mapped = context.long_accumulator(Some("mapped"));
        let reduced = context.long_accumulator(Some("reduced"));
        let (in_map, in_action) = (mapped.clone(), reduced.clone());
        let sums = context.parallelize(0..100, 8).map(move |n| {
            in_map.add(1);
            (n % 7, n)
        });
        let sums = sums.reduce_by_key_with(|a, b| a + b, 3);
        sums.foreach(move |(_, sum)| in_action.add(i64::from(sum))).unwrap();
        assert_eq!((mapped.value(), reduced.value()), (100, 4950), "seed {seed}");
        // A second job may have to make the buckets again; what they were made from was counted before.
        sums.count().unwrap();
        assert_eq!(mapped.value(), 100, "seed {seed}");
    }
}

/// Spark's SPARK-41497: the attempt that fails has made a partition that the next one finds.
#[test]
fn what_a_failed_attempt_has_left_in_the_cache_is_counted() {
    let context = Context::new(Conf::empty().set_master("local[2,4]")).unwrap();
    let added = context.long_accumulator(None);
    let adds = added.clone();
    let kept = context.parallelize(0..10, 1).map_partitions(move |records| {
        adds.add(100);
        records.map(|n| n + 1).collect::<Vec<_>>()
    });
    let fails_once = kept.persist().filter(|n| {
        assert!(TaskContext::get().is_some_and(|task| task.attempt_number() > 0), "the first attempt fails");
        *n >= 0
    });
    for _ in 0..2 {
        assert_eq!(fails_once.count().unwrap(), 10);
        assert_eq!(added.value(), 100);
    }
}

#[test]
fn attempts_that_fail_do_not_count() {
    let context = Context::new(Conf::empty().set_master("local[2,4]")).unwrap();
    let seen = context.long_accumulator(None);
    let counter = seen.clone();
    let numbers = context.parallelize(0..40, 4).map(move |n| {
        counter.add(1);
        let first = TaskContext::get().is_some_and(|task| task.attempt_number() == 0);
        assert!(!(first && n % 10 == 9), "the first attempt fails at the last record");
        n
    });
    assert_eq!(numbers.count().unwrap(), 40);
    assert_eq!(seen.value(), 40);
}

#[test]
fn both_travel_along_to_other_processes() {
    let context = elsewhere();
    let wanted = context.broadcast(vec![2, 3, 5, 7]);
    let dropped = context.long_accumulator(Some("dropped"));
    let names = context.collection_accumulator::<String>(None);
    let env = (wanted.clone(), (dropped.clone(), names.clone()));
    let kept = context.parallelize(0..10, 3).filter_env(env, |(wanted, (dropped, names)), n| {
        let keep = wanted.value().contains(n);
        if !keep {
            dropped.add(1);
            names.add(n.to_string());
        }
        keep
    });
    assert_eq!(kept.collect().unwrap(), [2, 3, 5, 7]);
    assert_eq!(dropped.value(), 6);
    let mut names = names.value();
    names.sort();
    assert_eq!(names, ["0", "1", "4", "6", "8", "9"]);
}

#[test]
fn a_destroyed_broadcast_says_so() {
    let context = elsewhere();
    let gone = context.broadcast(1);
    let rdd = context.parallelize([1, 2], 1).map_env(gone.clone(), |one, n| n + one.value());
    assert_eq!(rdd.collect().unwrap(), [2, 3]);
    gone.destroy().unwrap();
    assert!(gone.try_value().unwrap_err().to_string().contains("destroy"));
    let error = rdd.collect().unwrap_err().to_string();
    assert!(error.contains("destroy"), "{error}");
}

#[test]
fn a_cancelled_group_leaves_the_others_alone() {
    let context = Context::new(Conf::empty().set_master("local[2]")).unwrap();
    let (started, begun) = std::sync::mpsc::channel();
    let slow = context.clone();
    let job = std::thread::spawn(move || {
        slow.set_job_group("slow", "runs until it is cancelled", false);
        let endless = slow.parallelize([0], 1).map_partitions(move |_| {
            started.send(()).ok();
            0_u64..
        });
        endless.count()
    });
    begun.recv().unwrap();
    assert_eq!(context.parallelize(0..10, 2).count().unwrap(), 10);
    context.cancel_job_group("slow");
    let error = job.join().unwrap().unwrap_err().to_string();
    assert!(error.contains("cancelled") && error.contains("slow"), "{error}");
    assert_eq!(context.parallelize(0..10, 2).count().unwrap(), 10);
}
