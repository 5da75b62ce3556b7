//! Operators against models that are obviously right.

use std::collections::BTreeMap;

use millstream_core::{Context, Data, Rdd};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::sorted;

/// Records and how many partitions they come in.
pub(crate) type Input<T> = (Vec<T>, usize);

/// Pairs of few keys, in up to nine partitions.
pub(crate) fn pairs() -> impl Strategy<Value = Input<(i8, i32)>> {
    (vec((-3_i8..4, 0..100), 0..60), 1_usize..10)
}

fn rdd<T: Data>(context: &Context, (records, partitions): &Input<T>) -> Rdd<T> {
    context.parallelize(records.clone(), *partitions)
}

fn grouped(pairs: &[(i8, i32)]) -> BTreeMap<i8, Vec<i32>> {
    let mut groups: BTreeMap<i8, Vec<i32>> = BTreeMap::new();
    for (key, value) in pairs {
        groups.entry(*key).or_default().push(*value);
    }
    groups
}

pub(crate) fn check_reduce_by_key(context: &Context, input: &Input<(i8, i32)>, reducers: usize) {
    // Texts, so that the order of merging is seen.
    let texts = rdd(context, input).map(|(key, value)| (key, value.to_string()));
    let merged = texts.reduce_by_key_with(|a, b| a + "," + &b, reducers);
    let merge = |values: Vec<i32>| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let expected: Vec<_> = grouped(&input.0).into_iter().map(|(key, values)| (key, merge(values))).collect();
    assert_eq!(merged.num_partitions(), reducers);
    assert_eq!(sorted(merged.collect().unwrap()), expected);
    // Again, where nothing moves.
    assert_eq!(sorted(merged.reduce_by_key(|a, b| a + "," + &b).collect().unwrap()), expected);
}

pub(crate) fn check_group_by_key(context: &Context, input: &Input<(i8, i32)>, reducers: usize) {
    let expected: Vec<_> = grouped(&input.0).into_iter().collect();
    let groups = rdd(context, input).group_by_key_with(reducers);
    assert_eq!(sorted(groups.collect().unwrap()), expected);
    let in_place = rdd(context, input).partition_by(reducers).group_by_key();
    assert_eq!(sorted(in_place.collect().unwrap()), expected);
}

pub(crate) fn check_cogroup(
    context: &Context,
    [left, right]: [&Input<(i8, i32)>; 2],
    spread: (bool, bool),
    reducers: usize,
) {
    let side = |input, spread| {
        let side = rdd(context, input);
        if spread { side.partition_by(reducers) } else { side }
    };
    let both = side(left, spread.0).cogroup_with(&side(right, spread.1), reducers);
    let mut expected: BTreeMap<i8, (Vec<i32>, Vec<i32>)> = BTreeMap::new();
    grouped(&left.0).into_iter().for_each(|(key, values)| expected.entry(key).or_default().0 = values);
    grouped(&right.0).into_iter().for_each(|(key, values)| expected.entry(key).or_default().1 = values);
    assert_eq!(sorted(both.collect().unwrap()), expected.into_iter().collect::<Vec<_>>());
}

/// A union of some that were shuffled and some that were not, shuffled again.
pub(crate) fn check_union(context: &Context, inputs: &[(Input<(i8, i32)>, bool)], reducers: usize) {
    let parts = inputs.iter().map(|(input, shuffled)| {
        let part = rdd(context, input);
        if *shuffled { part.partition_by(reducers) } else { part }
    });
    let union = context.union(parts);
    let all: Vec<(i8, i32)> = inputs.iter().flat_map(|((records, _), _)| records.clone()).collect();
    assert_eq!(sorted(union.collect().unwrap()), sorted(all.clone()));
    let sums = union.reduce_by_key_with(|a, b| a + b, reducers);
    let expected: Vec<_> =
        grouped(&all).into_iter().map(|(key, values)| (key, values.iter().sum())).collect();
    assert_eq!(sorted(sums.collect().unwrap()), expected);
}

pub(crate) fn check_take(context: &Context, (records, partitions): &Input<i32>, n: usize) {
    let rdd = context.parallelize(records.clone(), *partitions);
    assert_eq!(rdd.take(n).unwrap(), records[..n.min(records.len())]);
    let even: Vec<i32> = records.iter().copied().filter(|n| n % 2 == 0).collect();
    assert_eq!(rdd.filter(|n| n % 2 == 0).take(n).unwrap(), even[..n.min(even.len())]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn reduce_by_key_merges_as_the_model_does(input in pairs(), reducers in 1_usize..8) {
        check_reduce_by_key(&crate::context(), &input, reducers);
    }

    #[test]
    fn group_by_key_gathers_as_the_model_does(input in pairs(), reducers in 1_usize..8) {
        check_group_by_key(&crate::context(), &input, reducers);
    }

    #[test]
    fn cogroup_gathers_as_the_model_does(
        left in pairs(),
        right in pairs(),
        spread in any::<(bool, bool)>(),
        reducers in 1_usize..8,
    ) {
        check_cogroup(&crate::context(), [&left, &right], spread, reducers);
    }

    #[test]
    fn union_has_all_records(inputs in vec((pairs(), any::<bool>()), 0..5), reducers in 1_usize..8) {
        check_union(&crate::context(), &inputs, reducers);
    }

    #[test]
    fn take_finds_the_first_records(input in (vec(0..100, 0..80), 1_usize..20), n in 0_usize..100) {
        check_take(&crate::context(), &input, n);
    }
}
