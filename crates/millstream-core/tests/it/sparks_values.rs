//! Cases of Spark's RDDSuite, PairRDDFunctionsSuite, AccumulatorSuite and BroadcastSuite: their inputs and what comes out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use millstream_core::Accumulator;
use serde::{Deserialize, Serialize};

use crate::processes::elsewhere;
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
    // A hundred keys in no order, each with as many values as it says.
    let keys: BTreeSet<u64> = (1..=100).map(|n| n * 7_919 % 500).filter(|n| *n > 0).collect();
    let stacked: Vec<_> = keys.iter().rev().flat_map(|&key| (1..=key).map(move |n| (key, n))).collect();
    let counted = context.parallelize(stacked, 2).count_approx_distinct_by_key_with(0.001, 4);
    let counted = counted.collect().unwrap();
    assert_eq!(counted.len(), keys.len());
    for (key, count) in counted {
        assert!(error(count, key) < 0.01, "{count} for {key}");
    }
}

/// Of the numbers from 1 to `n`, a share of each ten are of one stratum; takes a sample of both.
fn stratified(n: i64, share: f64, rate: f64, seed: u64) {
    let of_ten = (10.0 * share) as i64;
    let data = context().range(1, n + 1, 1, 2).key_by(move |k| if k % 10 < of_ten { '1' } else { '0' });
    let sizes: HashMap<char, u64> = data.count_by_key().unwrap();
    let rates = [('0', rate), ('1', rate)];
    for (exact, with_replacement) in [(false, false), (false, true), (true, false), (true, true)] {
        let sample = if exact {
            data.sample_by_key_exact(with_replacement, rates, seed)
        } else {
            data.sample_by_key(with_replacement, rates, seed)
        };
        let mut taken: HashMap<char, Vec<i64>> = HashMap::new();
        for (stratum, k) in sample.collect().unwrap() {
            assert!((1..=n).contains(&k));
            taken.entry(stratum).or_default().push(k);
        }
        for (stratum, ks) in taken {
            let expected = (sizes[&stratum] as f64 * rate).ceil();
            // Spark's bound without replacement is narrower by the root of the rate, which holds for its seeds.
            let variance = expected * if with_replacement { 1.0 } else { 1.0 - rate };
            let close = |count: usize| (count as f64 - expected).abs() <= 6.0 * variance.sqrt();
            let case = format!("{} of {expected} of {n}, {share}, {rate}, {seed}", ks.len());
            assert!(if exact { ks.len() as f64 == expected } else { close(ks.len()) }, "{case}");
            let different = ks.iter().collect::<BTreeSet<_>>().len();
            match with_replacement {
                false => assert_eq!(different, ks.len(), "{case}"),
                // So many that some are there twice.
                true if expected >= 100.0 && rate >= 0.1 => assert!((different as f64) < expected, "{case}"),
                true if exact => assert!(different as f64 <= expected, "{case}"),
                true => assert!(close(different), "{case}"),
            }
        }
    }
}

#[test]
fn stratified_samples() {
    // A tenth of Spark's million.
    for n in [100, 1000, 100_000] {
        stratified(n, 0.3, 0.1, 1);
    }
    for share in [0.1, 0.3, 0.5, 0.7, 0.9] {
        stratified(100, share, 0.1, 1);
    }
    for seed in 1..=6 {
        stratified(100, 0.3, 0.1, seed);
    }
    for rate in [0.01, 0.05, 0.1, 0.5] {
        stratified(100, 0.3, rate, 1);
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
    // What is spread so already is sorted where it lies.
    let summed = data.reduce_by_key_with(|a, b| a + b, 2);
    let in_place = summed.repartition_and_sort_within_partitions(2);
    assert!(partitions(&in_place).iter().all(|part| part.is_sorted()));
    assert_eq!(sorted(in_place.collect().unwrap()), [(0, 13), (1, 3), (2, 6), (3, 16)]);
    let elsewhere = elsewhere().parallelize((0..9).rev().map(|n| (n, n)), 2).partition_by(2);
    let there = partitions(&elsewhere.repartition_and_sort_within_partitions(2));
    assert!(there.iter().all(|part| part.is_sorted()) && there.concat().len() == 9);
    assert_eq!(in_place.partitioned_by(), summed.partitioned_by());
    assert_eq!(
        in_place.to_debug_string().matches("+-").count(),
        summed.to_debug_string().matches("+-").count()
    );
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
    // Beyond what 32 bits hold.
    let long = context.long_accumulator(None);
    let adds = long.clone();
    let most = i64::from(i32::MAX);
    context.parallelize(1..=20, 10).foreach(move |n| adds.add(most + n)).unwrap();
    assert_eq!(long.value(), 210 + most * 20);
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
    // What a task has added is merged with what was there.
    let (adds_long, adds_double) = (long.clone(), double.clone());
    let added = context.parallelize([2], 1).foreach(move |n| {
        adds_long.add(n);
        adds_double.add(n as f64);
    });
    added.unwrap();
    assert_eq!((long.sum(), long.count(), long.avg()), (5, 4, 1.25));
    assert_eq!((double.sum(), double.count(), double.avg()), (5.0, 4, 1.25));
}

/// A set and a map of what was added.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Kept(BTreeSet<i32>, BTreeMap<i32, String>);

impl Accumulator for Kept {
    type Input = i32;
    type Output = (BTreeSet<i32>, BTreeMap<i32, String>);

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
    fn reset(&mut self) {
        *self = Kept::default();
    }
    fn add(&mut self, n: i32) {
        self.0.insert(n);
        self.1.insert(n, n.to_string());
    }
    fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
        self.1.extend(other.1);
    }
    fn value(&self) -> Self::Output {
        (self.0.clone(), self.1.clone())
    }
}

#[test]
fn collection_accumulators() {
    for threads in [1, 10] {
        let context = on(&format!("local[{threads}]"));
        let kept = context.register(Kept::default(), None);
        let list = context.collection_accumulator::<i32>(None);
        assert!(kept.is_zero() && list.is_zero());
        let adds = (kept.clone(), list.clone());
        let twice = context.parallelize((1..=1000).chain(1..=1000), threads);
        twice
            .foreach_env(adds, |(kept, list), n| {
                kept.add(n);
                list.add(n);
            })
            .unwrap();
        let (set, map) = kept.value();
        assert!(set.into_iter().eq(1..=1000));
        assert!(map.into_iter().eq((1..=1000).map(|n: i32| (n, n.to_string()))));
        let mut expected: Vec<i32> = (1..=1000).flat_map(|n| [n, n]).collect();
        expected.sort_unstable();
        assert_eq!(sorted(list.value()), expected);
    }
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

#[test]
fn broadcasts_are_read_by_all_threads_and_processes_also_after_unpersist() {
    for (context, partitions) in [(on("local"), 2), (on("local[10]"), 10), (elsewhere(), 4)] {
        let list = context.broadcast(vec![1, 2, 3, 4]);
        let sums = || {
            let numbers = context.parallelize(1..=partitions, partitions as usize);
            numbers.map_env(list.clone(), |list, n| (n, list.value().iter().sum::<i32>())).collect().unwrap()
        };
        let expected: Vec<_> = (1..=partitions).map(|n| (n, 10)).collect();
        assert_eq!(sums(), expected);
        list.unpersist().unwrap();
        assert_eq!(sums(), expected);
        let line = line!() + 1;
        list.destroy().unwrap();
        let gone = list.try_value().unwrap_err().to_string();
        assert!(gone.contains(&format!("sparks_values.rs:{line}:")), "{gone}");
        assert!(list.unpersist().is_err() && list.destroy().is_err());
    }
}

#[test]
fn there_is_one_instance_of_a_broadcast_in_a_process() {
    let context = on("local[4]");
    let list = context.broadcast(vec![1, 2, 3, 4]);
    let places = context.parallelize(1..=10, 10).map_env(list, |list, _| list.value().as_ptr().addr());
    assert_eq!(places.distinct().count().unwrap(), 1);
}
