//! Actions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use millstream_core::{Conf, Context, Error};

use crate::{context, on};

#[test]
fn all_records_are_collected_in_order() {
    let numbers: Vec<i32> = (0..10_000).collect();
    for partitions in [1, 3, 100] {
        assert_eq!(context().parallelize(numbers.clone(), partitions).collect().unwrap(), numbers);
    }
}

#[test]
fn records_are_counted() {
    assert_eq!(context().parallelize(0..10_000, 7).count().unwrap(), 10_000);
    assert_eq!(context().parallelize(0..0, 7).count().unwrap(), 0);
    assert_eq!(context().empty_rdd::<u8>().count().unwrap(), 0);
}

/// Takes `n` of the numbers below `records`; returns how many there were, and how many partitions were read.
fn take(records: usize, partitions: usize, n: usize) -> (usize, usize) {
    take_on(&on("local[1]"), records, partitions, n)
}

fn take_on(context: &Context, records: usize, partitions: usize, n: usize) -> (usize, usize) {
    let read = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&read);
    let rdd = context.parallelize(0..records, partitions).map_partitions(move |records| {
        counter.fetch_add(1, Ordering::Relaxed);
        records
    });
    let taken = rdd.take(n).unwrap();
    assert_eq!(taken, (0..taken.len()).collect::<Vec<_>>());
    (taken.len(), read.load(Ordering::Relaxed))
}

#[test]
fn no_more_partitions_are_read_than_must_be() {
    assert_eq!(take(100, 10, 0), (0, 0));
    assert_eq!(take(100, 10, 1), (1, 1));
    assert_eq!(take(100, 10, 10), (10, 1));
    assert_eq!(take(100, 10, 11), (11, 5));
    assert_eq!(take(100, 10, 50), (50, 5));
    assert_eq!(take(100, 10, 51), (51, 10));
    assert_eq!(take(100, 10, 1000), (100, 10));
    assert_eq!(take(100, 10, usize::MAX), (100, 10));
    assert_eq!(take(0, 10, 5), (0, 10));
    assert_eq!(context().empty_rdd::<u8>().take(3).unwrap(), []);
}

#[test]
fn how_many_partitions_are_read_at_first_and_then_can_be_set() {
    let with = |first: &str, scale_up: &str| {
        let conf = Conf::empty().set("spark.rdd.limit.initialNumPartitions", first);
        Context::new(conf.set("spark.rdd.limit.scaleUpFactor", scale_up)).unwrap()
    };
    // Spark's case: 50 of 100 records in as many partitions.
    assert_eq!(take(100, 100, 50), (50, 100));
    assert_eq!(take_on(&with("1000", "4"), 100, 100, 50), (50, 100));
    assert_eq!(take_on(&with("10", "2"), 100, 100, 10), (10, 10));
    assert_eq!(take_on(&with("10", "2"), 100, 100, 11), (11, 30));
    assert_eq!(take_on(&with("10", "2"), 100, 100, 31), (31, 90));
    let most = usize::MAX.to_string();
    assert_eq!(take_on(&with("1", &most), 100, 100, 2), (2, 100));
    let error = Context::new(Conf::empty().set("spark.rdd.limit.initialNumPartitions", "0"));
    let error = error.map(drop).unwrap_err().to_string();
    assert!(
        error.contains("spark.rdd.limit.initialNumPartitions") && error.contains("at least 1"),
        "{error}"
    );
}

#[test]
fn a_partition_is_read_only_as_far_as_needed() {
    let read = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&read);
    let rdd = context().parallelize(0..1_000_000, 1).map(move |n| {
        counter.fetch_add(1, Ordering::Relaxed);
        n
    });
    assert_eq!(rdd.take(3).unwrap(), [0, 1, 2]);
    assert!(read.load(Ordering::Relaxed) < 10_000);
}

#[test]
fn records_are_merged_in_order() {
    let letters = |partitions| context().parallelize('a'..='z', partitions).map(|c| c.to_string());
    for partitions in [1, 2, 5, 40] {
        let all = letters(partitions).reduce(|a, b| a + &b).unwrap();
        assert_eq!(all.as_deref(), Some("abcdefghijklmnopqrstuvwxyz"));
    }
    assert_eq!(letters(3).filter(|_| false).reduce(|a, _| a).unwrap(), None);
    assert_eq!(context().empty_rdd::<u8>().reduce(|a, _| a).unwrap(), None);
}

#[test]
fn every_record_and_partition_is_visited() {
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    context()
        .parallelize(1..=1000, 8)
        .foreach(move |n| {
            counter.fetch_add(n, Ordering::Relaxed);
        })
        .unwrap();
    assert_eq!(seen.swap(0, Ordering::Relaxed), 500_500);
    let counter = Arc::clone(&seen);
    context()
        .parallelize([1], 8)
        .foreach_partition(move |records| {
            counter.fetch_add(100 + records.count(), Ordering::Relaxed);
        })
        .unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), 801);
    context().empty_rdd::<u8>().foreach(|n| assert_eq!(n, 0, "there is no record")).unwrap();
    context().empty_rdd::<u8>().foreach_partition(|records| assert_eq!(records.count(), 9)).unwrap();
}

#[test]
fn an_error_that_a_closure_returns_fails_the_job() {
    let numbers = context().parallelize(0..10, 2);
    let texts = numbers.foreach(|n| if n == 7 { Err("seven") } else { Ok(()) });
    let errors =
        numbers.foreach(|n| n.to_string().parse::<u64>().map(|_| ()).and("x".parse::<u64>().map(drop)));
    let partitions = numbers.foreach_partition(|records| match records.max() {
        Some(9) => Err(std::io::Error::other("nine")),
        _ => Ok(()),
    });
    let along = numbers.foreach_env(3, |limit, n| if n > *limit { Err("too large") } else { Ok(()) });
    let along_too =
        numbers.foreach_partition_env(
            5,
            |most, records| {
                if records.count() > *most { Err("too many") } else { Ok(()) }
            },
        );
    along_too.unwrap();
    let cases = [
        (texts, "foreach", "seven"),
        (errors, "foreach", "invalid digit found in string"),
        (partitions, "foreach_partition", "nine"),
        (along, "foreach_env", "too large"),
    ];
    for (result, operator, cause) in cases {
        let Err(Error::JobFailed(failure)) = result else { panic!("{operator} found nothing wrong") };
        assert!(failure.operator.starts_with(&format!("{operator} at ")), "{failure}");
        assert!(failure.operator.contains("actions.rs:"), "{failure}");
        assert!(matches!(failure.cause, Error::User(_)) && failure.cause.to_string() == cause, "{failure}");
    }
}
