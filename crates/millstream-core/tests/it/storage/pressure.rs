//! Jobs that run while what they need is pushed out.

use std::sync::atomic::Ordering;

use millstream_core::storage::memory::{Memory, Owner};

use super::*;

/// Pushes out all that can be.
fn push_out(memory: &Memory) {
    let budget = memory.budget();
    let room = (0..).map(|halved| budget >> halved).find_map(|bytes| memory.take(bytes, Owner::Received));
    drop(room);
}

fn conf_of_one_thread() -> Conf {
    Conf::empty().set_master("local[1]").set("spark.driver.memory", "1m")
}

#[test]
fn what_a_job_is_planned_around_is_not_dropped_while_it_runs() {
    for level in [StorageLevel::MEMORY_ONLY, StorageLevel::MEMORY_ONLY_SER, StorageLevel::MEMORY_AND_DISK] {
        let context = Context::new(conf_of_one_thread()).unwrap();
        let source = context.parallelize(0..100, 4).map(|n| (n % 3, n)).reduce_by_key_with(|a, b| a + b, 2);
        let kept = source.persist_with(level).unwrap();
        for _ in 0..3 {
            kept.count().unwrap();
            assert!(kept.any().is_cached());
            // One thread runs the partitions in their order: the first one wants the memory of those that the others
            // were planned around. Its task is not run a second time: what it does might be seen outside.
            let memory = context.memory().clone();
            let runs = Arc::new(AtomicUsize::new(0));
            let there = Arc::clone(&runs);
            let first = context.parallelize([(9, 9)], 1).map(move |pair| {
                there.fetch_add(1, Ordering::Relaxed);
                push_out(&memory);
                pair
            });
            let all = first.union(&kept).collect().unwrap();
            assert_eq!(runs.load(Ordering::Relaxed), 1, "{level}");
            assert_eq!(crate::sorted(all), [(0, 1683), (1, 1617), (2, 1650), (9, 9)], "{level}");
            // Afterwards they may go, and the next job is planned without them.
            push_out(context.memory());
            assert_eq!(kept.any().is_cached(), level.use_disk());
        }
    }
}

#[test]
fn many_shuffles_kept_in_a_memory_of_few_blocks_are_read_by_many_threads() {
    let scratch = Directory::new("threads");
    let conf = conf(12_000, &scratch.0).set_master("local[4]");
    let context = Context::new(conf).unwrap();
    let make = |n: usize| {
        let rdd = context.parallelize(0..2000_u64, 4).map(move |record| (record % 400, record + n as u64));
        let rdd = rdd.reduce_by_key_with(|a, b| a + b, 4);
        rdd.persist_with(LEVELS[(n * 5) % LEVELS.len()]).unwrap()
    };
    let rdds: Vec<_> = (0..6).map(make).collect();
    let expected: Vec<u64> = (0..6).map(|n| 1999 * 1000 + 2000 * n).collect();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (rdds, expected) = (&rdds, &expected);
            scope.spawn(move || {
                for round in 0..10 {
                    let at = (thread * 7 + round * 5) % rdds.len();
                    let other = (at + 1 + round % 5) % rdds.len();
                    let sum = rdds[at].values().reduce(|a, b| a + b).unwrap();
                    assert_eq!(sum, Some(expected[at]));
                    let both = rdds[at].union(&rdds[other]).values().fold(0, |a, b| a + b).unwrap();
                    assert_eq!(both, expected[at] + expected[other]);
                    if thread == 0 && round % 4 == 3 {
                        let level = rdds[at].get_storage_level();
                        rdds[at].unpersist().persist_with(level).unwrap();
                    }
                }
            });
        }
    });
    assert!(context.memory().used() <= 12_000);
    drop(rdds);
    assert_eq!((context.memory().used(), files(&context).len()), (0, 0));
}

#[test]
fn a_partition_that_is_read_while_memory_is_wanted_stays_until_it_was_read() {
    let context = Context::new(conf_of_one_thread().set("spark.memory.fraction", "1")).unwrap();
    let (rdd, computed) = counted(&context);
    let rdd = rdd.persist();
    rdd.count().unwrap();
    let memory = context.memory().clone();
    let read = rdd.map_partitions(move |mut records| {
        let first = records.next();
        push_out(&memory);
        first.into_iter().chain(records)
    });
    assert_eq!(read.collect().unwrap(), expected());
    // The first reader pushed out the other three partitions, each of the others none that lies there but its own.
    assert!(computed.load(Ordering::Relaxed) <= RECORDS + RECORDS * 3 / PARTITIONS);
    rdd.unpersist();
    assert_eq!(context.memory().used(), 0);
}

#[test]
fn what_is_pushed_out_may_drop_records_that_take_memory_themselves() {
    let context = Context::new(conf_of_one_thread()).unwrap();
    // The records hold the RDD's own context: dropping them asks the very memory that had them leave.
    let rdds: Vec<_> = (0..20)
        .map(|_| {
            let rdd = context.parallelize(0..5000_u64, 2).map(|n| vec![n; 2]).persist();
            rdd.count().unwrap();
            rdd
        })
        .collect();
    assert!(context.memory().used() <= context.memory().budget());
    for rdd in &rdds {
        assert_eq!(rdd.count().unwrap(), 5000);
    }
    drop(rdds);
    assert_eq!(context.memory().used(), 0);
}
