//! Sorting: Spark's SortingSuite, and a model.

use millstream_core::{Error, Partitioner};
use proptest::prelude::*;

use crate::{context, on, partitions};

/// Distinct numbers without an order.
fn shuffled(n: u64) -> Vec<u64> {
    (0..n).map(|i| i * 7_919 % n).collect()
}

#[test]
fn sparks_sort_by_key() {
    let pairs = context().parallelize([(1, 0), (2, 0), (0, 0), (3, 0)], 2);
    assert_eq!(pairs.sort_by_key().collect().unwrap(), [(0, 0), (1, 0), (2, 0), (3, 0)]);
}

#[test]
fn sparks_large_arrays() {
    let context = context();
    let numbers = shuffled(997);
    let up: Vec<u64> = (0..997).collect();
    let down: Vec<u64> = up.iter().rev().copied().collect();
    let pairs = |slices| context.parallelize(numbers.clone(), slices).map(|n| (n, n));
    for slices in [1, 2] {
        let sorted = pairs(slices).sort_by_key();
        assert_eq!(sorted.num_partitions(), slices);
        assert_eq!(sorted.keys().collect().unwrap(), up);
        assert_eq!(pairs(slices).sort_by_key_with(false, slices).keys().collect().unwrap(), down);
    }
    let many = pairs(2).sort_by_key_with(true, 20);
    assert_eq!(many.num_partitions(), 20);
    assert_eq!(many.values().collect().unwrap(), up);
    assert_eq!(pairs(2).sort_by_key_with(true, 1).keys().collect().unwrap(), up);
    assert_eq!(pairs(2).sort_by_key_with(false, 20).keys().collect().unwrap(), down);
    let few = pairs(20).sort_by_key_with(false, 3);
    assert_eq!((few.num_partitions(), few.values().collect().unwrap()), (3, down));
}

#[test]
fn sparks_more_partitions_than_elements() {
    let pairs = context().parallelize(shuffled(10), 2).map(|n| (n, n));
    let up = pairs.sort_by_key_with(true, 30);
    assert_eq!(up.keys().collect().unwrap(), (0..10).collect::<Vec<_>>());
    assert_eq!(
        pairs.sort_by_key_with(false, 30).keys().collect().unwrap(),
        (0..10).rev().collect::<Vec<_>>()
    );
    let spread = context().parallelize(shuffled(10), 30).map(|n| (n, n));
    assert_eq!(spread.sort_by_key().keys().collect().unwrap(), (0..10).collect::<Vec<_>>());
}

#[test]
fn sparks_empty_rdd() {
    let context = context();
    for empty in [context.empty_rdd::<(i32, i32)>(), context.parallelize([(0, 0); 0], 3)] {
        assert_eq!(empty.sort_by_key().count().unwrap(), 0);
        assert_eq!(empty.sort_by_key_with(false, 4).collect().unwrap(), []);
        assert_eq!(empty.sort_by(|pair| *pair).count().unwrap(), 0);
    }
}

#[test]
fn sparks_partition_balancing() {
    let pairs = context().parallelize(shuffled(1000), 8).map(|n| (n, n));
    for ascending in [true, false] {
        let sizes: Vec<usize> =
            partitions(&pairs.sort_by_key_with(ascending, 4)).iter().map(Vec::len).collect();
        assert_eq!(sizes.len(), 4);
        assert!(sizes.iter().all(|&size| size > 180), "{sizes:?}");
    }
}

#[test]
fn sparks_partitions_are_sorted_among_each_other() {
    let pairs = context().parallelize((1..=1000).map(|n| (n, n)), 4);
    for ascending in [true, false] {
        let parts = partitions(&pairs.sort_by_key_with(ascending, 4));
        assert!(parts.iter().all(|part| part.len() > 100 && part.len() < 400));
        let expected: Vec<i32> = if ascending { (1..=1000).collect() } else { (1..=1000).rev().collect() };
        assert_eq!(parts.concat(), expected.into_iter().map(|n| (n, n)).collect::<Vec<_>>());
    }
}

#[test]
fn partitions_of_very_different_sizes_are_sorted_into_even_ones() {
    let context = context();
    let sizes = [10, 50_000, 10, 10];
    let numbers = context.generate(4, move |n| (0..sizes[n]).map(move |i| (i as u64 * 7_919) % 50_000));
    let sizes: Vec<usize> = partitions(&numbers.sort_by_with(|n| *n, true, 4)).iter().map(Vec::len).collect();
    assert!(sizes.iter().all(|&size| size > 8_000), "{sizes:?}");
}

#[test]
fn equal_keys_keep_their_order() {
    let pairs = context().parallelize((0..500).map(|n| (n % 3, n)), 7);
    for ascending in [true, false] {
        let sorted = pairs.sort_by_key_with(ascending, 5).collect().unwrap();
        assert!(sorted.windows(2).all(|two| two[0].0 != two[1].0 || two[0].1 < two[1].1));
    }
    // Equal keys lie together, however many partitions were asked for.
    assert!(pairs.sort_by_key_with(true, 5).num_partitions() <= 4);
}

#[test]
fn a_sorted_rdd_knows_its_ranges() {
    let context = context();
    let pairs = context.parallelize(shuffled(1000), 4).map(|n| (n, n));
    let sorted = pairs.sort_by_key();
    let rule = sorted.partitioner().unwrap();
    assert_eq!(format!("{rule:?}"), "RangePartitioner(4)");
    // The same keys give the same bounds, hence the same partitioner.
    assert_eq!(pairs.sort_by_key().partitioned_by(), sorted.partitioned_by());
    assert_eq!(Partitioner::range(&pairs, 4, true).unwrap().identity(), rule.identity());
    assert_ne!(pairs.sort_by_key_with(false, 4).partitioned_by(), sorted.partitioned_by());
    assert_eq!(sorted.reduce_by_key(|a, _| a).keys().collect().unwrap(), (0..1000).collect::<Vec<_>>());
    assert_eq!(sorted.lookup(77).unwrap(), [77]);
}

#[test]
fn sparks_filter_by_range() {
    let context = context();
    let sorted = context.parallelize(shuffled(1000), 20).map(|n| (n, n)).sort_by_key();
    let some = sorted.filter_by_range(300..=400);
    assert!(some.num_partitions() <= 4);
    assert_eq!(some.values().collect().unwrap(), (300..=400).collect::<Vec<_>>());
    let down = context.parallelize(shuffled(1000), 20).map(|n| (n, n)).sort_by_key_with(false, 20);
    assert_eq!(
        down.filter_by_range(300..=400).values().collect().unwrap(),
        (300..=400).rev().collect::<Vec<_>>()
    );
    let plain = context.parallelize(0..10, 3).map(|n| (n, ()));
    assert_eq!(plain.filter_by_range(3..=4).keys().collect().unwrap(), [3, 4]);
    #[expect(clippy::reversed_empty_ranges, reason = "what is tested")]
    let none = sorted.filter_by_range(400..=300);
    assert_eq!(none.count().unwrap(), 0);
}

#[test]
fn sparks_ranges_of_sorted_and_other_rdds() {
    let context = context();
    let up = context.parallelize((1..=1000).map(|n| (n, n)), 10).sort_by_key();
    assert_eq!(up.filter_by_range(20..=40).keys().collect().unwrap(), (20..=40).collect::<Vec<_>>());
    let down = context.parallelize((1..=1000).rev().map(|n| (n, n)), 10).sort_by_key_with(false, 10);
    for range in [200..=800, 250..=850] {
        let found = down.filter_by_range(range.clone()).keys().collect().unwrap();
        assert_eq!(found, range.rev().collect::<Vec<_>>());
    }
    let shuffled = context.parallelize(shuffled(1001), 10).filter(|n| *n > 0).map(|n| (n, n));
    let found = crate::sorted(shuffled.filter_by_range(200..=800).keys().collect().unwrap());
    assert_eq!(found, (200..=800).collect::<Vec<_>>());
}

#[test]
fn bad_numbers_of_partitions_are_errors_of_the_action() {
    let numbers = context().parallelize(0..10, 2);
    for error in [
        numbers.sort_by_with(|n| *n, true, 0).collect().unwrap_err(),
        numbers.sort_by_with(|n| *n, true, usize::MAX).collect().unwrap_err(),
        numbers.map(|n| (n, n)).sort_by_key_with(true, 0).count().unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(matches!(error, Error::Argument { .. }), "{text}");
        assert!(
            text.contains("sort") && text.contains("sorting.rs:") && text.contains("partitions"),
            "{text}"
        );
    }
}

#[test]
fn what_fails_while_keys_are_looked_at_is_the_actions_error() {
    let bad = context().parallelize(0..10, 2).map(|n| (10 / (n - 5), n));
    let text = bad.sort_by_key().count().unwrap_err().to_string();
    assert!(text.contains("map at ") && text.contains("divide by zero"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn sorting_equals_a_stable_sort(
        records in proptest::collection::vec((-9_i8..9, any::<u16>()), 0..300),
        slices in 1_usize..6,
        parts in 1_usize..9,
        ascending: bool,
    ) {
        let mut expected = records.clone();
        expected.sort_by(|(a, _), (b, _)| if ascending { a.cmp(b) } else { b.cmp(a) });
        let pairs = on("local[2]").parallelize(records, slices);
        prop_assert_eq!(&pairs.sort_by_key_with(ascending, parts).collect().unwrap(), &expected);
        prop_assert_eq!(&pairs.sort_by_with(|(key, _)| *key, ascending, parts).collect().unwrap(), &expected);
    }
}
