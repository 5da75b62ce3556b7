//! Cases of Spark's RDDSuite, PairRDDFunctionsSuite, AccumulatorSuite, BroadcastSuite and JobCancellationSuite: their
//! inputs and what comes out.

use std::collections::{BTreeSet, HashMap};
use std::sync::mpsc;
use std::thread::JoinHandle;

use millstream_core::{Conf, Context, Error, Result, TaskContext};

use crate::{context, on, partitions, sorted};

fn error(estimate: u64, size: u64) -> f64 {
    (estimate as f64 - size as f64).abs() / size as f64
}

#[test]
fn approximate_distinct_counts() {
    let context = context();
    let size = 1000;
    let uniform = context.parallelize((1..=5000).map(|n| n % size), 10);
    // The deviations of Spark's p = 8 and p = 12, then those it gives; the last one means 16 registers, thrice whose
    // deviation is the bound.
    for (relative_sd, bound) in [(0.065, 0.2), (0.016, 0.1), (0.02, 0.1), (0.5, 0.8)] {
        let estimate = uniform.count_approx_distinct_with(relative_sd).unwrap();
        assert!(error(estimate, size) < bound, "{estimate} at {relative_sd}");
    }
    let stacked = (1..=100_u64).flat_map(|i| (1..=i).map(move |j| (i, j)));
    let counted = context.parallelize(stacked, 2).count_approx_distinct_by_key_with(0.01, 4);
    for (key, count) in counted.collect().unwrap() {
        assert!(error(count, key) < 0.01, "{count} for {key}");
    }
}

#[test]
fn stratified_samples() {
    let context = context();
    // A tenth of each stratum, of any size and share; Spark allows 4 standard deviations or so.
    for (n, share) in [(100_i64, 0.3), (1000, 0.3), (50_000, 0.3), (100, 0.1), (100, 0.5), (100, 0.9)] {
        let positive = (n as f64 * share) as i64;
        let data = context.range(1, n + 1, 1, 2).key_by(move |k| if *k <= positive { '1' } else { '0' });
        let expected: HashMap<char, u64> = data.count_by_key().unwrap();
        for seed in 1..=2 {
            for with_replacement in [false, true] {
                let rate = [('0', 0.1), ('1', 0.1)];
                let sample = data.sample_by_key(with_replacement, rate, seed).count_by_key().unwrap();
                let exact = data.sample_by_key_exact(with_replacement, rate, seed).count_by_key().unwrap();
                for (stratum, count) in &expected {
                    let mean = *count as f64 * 0.1;
                    let found = sample.get(stratum).copied().unwrap_or_default() as f64;
                    assert!((found - mean).abs() <= 5.0 * mean.sqrt() + 1.0, "{found} of {count}");
                    assert_eq!(exact[stratum], mean.ceil() as u64);
                }
            }
        }
    }
}

#[test]
fn three_zipped_rdds() {
    let context = context();
    let a = context.parallelize([1, 2, 3], 2);
    let b = context.parallelize(["1", "2", "3", "4"].map(String::from), 2);
    let c = context.parallelize([0.0_f64, 1.0, 2.0], 2);
    let d = context.parallelize([true, false], 2);
    // From its suite: of each partition, what the iterators give.
    let three = a.zip_partitions3(&b, &c, |a, b, c| {
        [format!("{} {} {}", a.sum::<i32>(), b.collect::<String>(), c.sum::<f64>())]
    });
    assert_eq!(three.collect().unwrap(), ["1 12 0", "5 34 3"]);
    let four = a.zip_partitions4(&b, &c, &d, |a, b, c, d| [a.count() + b.count() + c.count() + d.count()]);
    assert_eq!(four.collect().unwrap(), [5, 7]);
    let uneven = a.zip_partitions3(&b, &context.parallelize([1], 3), |_, _, _| [0]).count();
    assert!(uneven.unwrap_err().to_string().contains("2 and 2 and 3"));
}

#[test]
fn trees() {
    // The sums of -1000..1000, in any depth.
    let numbers = context().range(-1000, 1000, 1, 10);
    for depth in 1..10 {
        assert_eq!(numbers.tree_reduce_with(|a, b| a + b, depth).unwrap(), Some(-1000));
        assert_eq!(numbers.tree_aggregate_with(0, |a, b| a + b, |a, b| a + b, depth).unwrap(), -1000);
    }
    assert_eq!(numbers.tree_reduce(|a, b| a + b).unwrap(), Some(-1000));
    // Also with empty partitions.
    let few = context().parallelize(1..=5, 10);
    assert_eq!(few.tree_reduce(|a, b| a + b).unwrap(), Some(15));
    assert_eq!(few.tree_aggregate(0, |a, b| a + b, |a, b| a + b).unwrap(), 15);
}

#[test]
fn zips_with_indexes() {
    let context = context();
    for n in [1_u64, 0, 100, 1000] {
        let indexed = context.parallelize(0..n, 3).zip_with_index().collect().unwrap();
        assert!(indexed.iter().all(|(value, index)| value == index) && indexed.len() as u64 == n);
    }
    let chained = context.range(0, 100, 1, 2).zip_with_index();
    assert!(chained.repartition(4).collect().unwrap().iter().all(|(value, index)| *value as u64 == *index));
    // The id is i + k * n for the i-th partition of n.
    let ids = context.range(0, 100, 1, 20).zip_with_unique_id().values().collect().unwrap();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 100);
    assert_eq!(ids[..6], [0, 20, 40, 60, 80, 1]);
}

#[test]
fn repartitioned_and_sorted_within() {
    let data = context().parallelize([(0, 5), (3, 8), (2, 6), (0, 8), (3, 8), (1, 3)], 2);
    let rule = millstream_core::Partitioner::custom_env(2, 2, |n, key: &i32| (key % n) as usize);
    let spread = partitions(&data.repartition_and_sort_within_partitions(rule));
    assert_eq!(spread, [vec![(0, 5), (0, 8), (2, 6)], vec![(1, 3), (3, 8), (3, 8)]]);
}

#[test]
fn sets_and_cartesian_products() {
    let context = context();
    let all = context.parallelize(1..10, 1);
    let evens = context.parallelize((2..10).step_by(2), 1);
    let common = sorted(all.intersection(&evens).collect().unwrap());
    assert_eq!(common, [2, 4, 6, 8]);
    assert_eq!(sorted(evens.intersection(&all).collect().unwrap()), common);
    let product = context.parallelize([1, 2, 3], 2).cartesian(&context.parallelize(['a', 'b'], 2));
    assert_eq!(
        sorted(product.collect().unwrap()),
        [(1, 'a'), (1, 'b'), (2, 'a'), (2, 'b'), (3, 'a'), (3, 'b')]
    );
}

#[test]
fn accumulators() {
    let context = on("local[10]");
    let sum = context.long_accumulator(None);
    let adds = sum.clone();
    context.parallelize(1..=20, 10).foreach(move |n| adds.add(n)).unwrap();
    assert_eq!((sum.value(), sum.count()), (210, 20));
    for threads in [1, 10] {
        let context = on(&format!("local[{threads}]"));
        let seen = context.collection_accumulator::<i32>(None);
        let adds = seen.clone();
        context.parallelize(1..=100, 4).foreach(move |n| adds.add(n)).unwrap();
        assert_eq!(sorted(seen.value()), (1..=100).collect::<Vec<_>>());
    }
    // LongAccumulator and DoubleAccumulator.
    let long = context.long_accumulator(Some("long"));
    assert!(long.is_zero() && (long.sum(), long.count()) == (0, 0) && long.avg().is_nan());
    long.add(0);
    assert!(!long.is_zero() && (long.sum(), long.count(), long.avg()) == (0, 1, 0.0));
    long.add(1);
    assert_eq!((long.sum(), long.count(), long.avg()), (1, 2, 0.5));
    long.add(2);
    assert_eq!((long.sum(), long.count(), long.avg()), (3, 3, 1.0));
    let double = context.double_accumulator(Some("double"));
    assert!(double.is_zero() && double.avg().is_nan());
    double.add(0.0);
    double.add(1.0);
    assert_eq!((double.sum(), double.count(), double.avg()), (1.0, 2, 0.5));
    double.add(2.0);
    assert_eq!((double.sum(), double.count(), double.avg()), (3.0, 3, 1.0));
}

#[test]
fn broadcasts() {
    let context = on("local[10]");
    let list = context.broadcast(vec![1, 2, 3, 4]);
    let results =
        context.parallelize(1..=2, 2).map_env(list, |list, n| (n, list.value().iter().sum::<i32>()));
    assert_eq!(results.collect().unwrap(), [(1, 10), (2, 10)]);
    // Encodings of the same object of the same size, however often it is used.
    let value = context.broadcast("x".repeat(10_000));
    value.unpersist().unwrap();
    let lengths = context.parallelize(1..=10, 10).map_env(value.clone(), |text, n| text.value().len() * n);
    assert_eq!(lengths.reduce(|a, b| a + b).unwrap(), Some(550_000));
    value.destroy().unwrap();
    assert!(value.try_value().is_err() && value.destroy().is_err());
}

/// A job that goes on until it is cancelled, and is heard of when it has begun.
type Endless = (mpsc::Receiver<()>, JoinHandle<Result<u64>>);

fn endless(context: &Context, group: Option<&str>, tag: Option<&str>) -> Endless {
    let (begun, began) = mpsc::channel();
    let (of_job, group, tag) = (context.clone(), group.map(String::from), tag.map(String::from));
    let job = std::thread::spawn(move || {
        if let Some(group) = group {
            of_job.set_job_group(&group, "a test", false);
        }
        if let Some(tag) = tag {
            of_job.add_job_tag(&tag).unwrap();
        }
        let endless = of_job.parallelize([1], 1).map_partitions(move |_| {
            begun.send(()).ok();
            0_u64..
        });
        endless.count()
    });
    (began, job)
}

#[test]
fn cancelled_jobs() {
    let context = Context::new(Conf::empty().set_master("local[2]")).unwrap();
    let ended = |job: JoinHandle<Result<u64>>| {
        let error = job.join().unwrap().unwrap_err();
        assert!(matches!(error, Error::Cancelled { .. }), "{error}");
        error.to_string()
    };
    // A group is cancelled, and jobs of it that come later are not.
    let (began, job) = endless(&context, Some("jobA"), None);
    began.recv().unwrap();
    context.cancel_job_group("jobB");
    context.cancel_job_group("jobA");
    assert!(ended(job).contains("jobA"));
    context.set_job_group("jobA", "later", false);
    assert_eq!(context.parallelize(0..10, 2).count().unwrap(), 10);
    context.clear_job_group();
    // By tags.
    let (began, job) = endless(&context, None, Some("two"));
    began.recv().unwrap();
    context.cancel_jobs_with_tag("one").unwrap();
    context.cancel_jobs_with_tag("two").unwrap();
    assert!(ended(job).contains("two"));
    // All of them, with two running.
    let (began, one) = endless(&context, Some("a"), None);
    let (also_began, other) = endless(&context, Some("b"), None);
    began.recv().unwrap();
    also_began.recv().unwrap();
    context.cancel_all_jobs();
    assert!(ended(one).contains("all jobs") && ended(other).contains("all jobs"));
    // An asynchronous action; both slots are free again.
    let (begun, began) = mpsc::channel();
    let action = context.parallelize(0..2, 2).map_partitions(move |_| {
        begun.send(()).ok();
        0_u64..
    });
    let action = action.count_async();
    began.recv().unwrap();
    action.cancel();
    assert!(matches!(action.wait(), Err(Error::Cancelled { .. })));
    let attempts = context.parallelize(0..2, 2).map(|_| TaskContext::get().map(|task| task.attempt_number()));
    assert_eq!(attempts.collect().unwrap(), [Some(0), Some(0)]);
}
