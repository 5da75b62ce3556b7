//! Operators on the places of records, joins and samples against models that are obviously right.

use std::collections::BTreeMap;

use millstream_core::{Context, Rdd};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::models::{Input, pairs};
use crate::{context, partitions, sorted};

fn numbers() -> impl Strategy<Value = Input<i32>> {
    (vec(-50..50, 0..60), 1_usize..8)
}

fn rdd<T: millstream_core::Data>(context: &Context, (records, partitions): &Input<T>) -> Rdd<T> {
    context.parallelize(records.clone(), *partitions)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn zips_pair_by_place(input in numbers()) {
        let context = context();
        let left = rdd(&context, &input);
        let zipped = left.zip(&left.map(|n| n * 2)).collect().unwrap();
        prop_assert_eq!(zipped, input.0.iter().map(|n| (*n, n * 2)).collect::<Vec<_>>());
        let indexed = left.zip_with_index().collect().unwrap();
        prop_assert_eq!(indexed, input.0.iter().copied().zip(0_u64..).collect::<Vec<_>>());
        let ids: Vec<u64> = left.zip_with_unique_id().values().collect().unwrap();
        let count = left.num_partitions() as u64;
        let expected = partitions(&left).into_iter().zip(0_u64..).flat_map(|(records, at)| {
            (0..records.len() as u64).map(move |nth| nth * count + at)
        });
        prop_assert_eq!(ids, expected.collect::<Vec<_>>());
    }

    #[test]
    fn cartesian_pairs_all(left in numbers(), right in numbers()) {
        let context = context();
        let pairs = rdd(&context, &left).cartesian(&rdd(&context, &right)).collect().unwrap();
        let expected = left.0.iter().flat_map(|a| right.0.iter().map(move |b| (*a, *b)));
        prop_assert_eq!(sorted(pairs), sorted(expected.collect()));
    }

    #[test]
    fn samples_are_of_the_records_and_the_same_for_a_seed(
        input in numbers(), fraction in 0.0..=1.0_f64, seed: u64, n in 0_usize..80,
    ) {
        let context = context();
        let all: Vec<(i32, u64)> = rdd(&context, &input).zip_with_index().collect().unwrap();
        let indexed = context.parallelize(all.clone(), input.1);
        let sample = indexed.sample(false, fraction, seed).collect().unwrap();
        prop_assert!(sample.windows(2).all(|two| two[0].1 < two[1].1), "out of order or twice");
        prop_assert!(sample.iter().all(|record| all.contains(record)));
        prop_assert_eq!(&indexed.sample(false, fraction, seed).collect().unwrap(), &sample);
        prop_assert_eq!(indexed.sample(false, 1.0, seed).count().unwrap(), all.len() as u64);
        prop_assert_eq!(indexed.sample(false, 0.0, seed).count().unwrap(), 0);
        let taken = sorted(indexed.take_sample(false, n, seed).unwrap());
        prop_assert_eq!(taken.len(), n.min(all.len()));
        prop_assert!(taken.windows(2).all(|two| two[0] != two[1]));
        let parts = indexed.random_split([fraction + 0.1, 1.0, 0.5], seed);
        let together: Vec<_> = parts.iter().flat_map(|part| part.collect().unwrap()).collect();
        prop_assert_eq!(sorted(together), sorted(all));
    }

    #[test]
    fn exact_samples_have_the_fraction_of_each_key(input in pairs(), fraction in 0.0..=1.0_f64, seed: u64) {
        let context = context();
        let mut counts: BTreeMap<i8, f64> = BTreeMap::new();
        input.0.iter().for_each(|(key, _)| *counts.entry(*key).or_default() += 1.0);
        let fractions: Vec<_> = counts.keys().map(|key| (*key, fraction)).collect();
        let indexed = rdd(&context, &input).zip_with_index().map(|((key, value), at)| (key, (value, at)));
        let sample = sorted(indexed.sample_by_key_exact(false, fractions.clone(), seed).collect().unwrap());
        prop_assert!(sample.windows(2).all(|two| two[0] != two[1]), "a pair twice");
        let again = indexed.sample_by_key_exact(true, fractions, seed);
        for picked in [sample, again.collect().unwrap()] {
            let mut found: BTreeMap<i8, f64> = BTreeMap::new();
            picked.iter().for_each(|(key, _)| *found.entry(*key).or_default() += 1.0);
            for (key, count) in &counts {
                prop_assert_eq!(found.get(key).copied().unwrap_or_default(), (fraction * count).ceil());
            }
        }
    }

    #[test]
    fn joins_pair_as_nested_loops_do(left in pairs(), right in pairs(), reducers in 1_usize..6, spread: bool) {
        let context = context();
        let l = rdd(&context, &left);
        let l = if spread { l.partition_by(reducers) } else { l };
        let r = rdd(&context, &right);
        let of = |key: i8, side: &Input<(i8, i32)>| -> Vec<i32> {
            side.0.iter().filter(|(other, _)| *other == key).map(|(_, value)| *value).collect()
        };
        let some = |values: Vec<i32>| -> Vec<Option<i32>> { values.into_iter().map(Some).collect() };
        let or_none = |values: Vec<Option<i32>>| if values.is_empty() { vec![None] } else { values };
        let (mut inner, mut left_outer, mut right_outer, mut full) = (vec![], vec![], vec![], vec![]);
        for key in -3_i8..4 {
            let (a, b) = (of(key, &left), of(key, &right));
            let (sa, sb) = (some(a.clone()), some(b.clone()));
            for x in &a {
                inner.extend(b.iter().map(|y| (key, (*x, *y))));
                left_outer.extend(or_none(sb.clone()).into_iter().map(|y| (key, (*x, y))));
            }
            for y in &b {
                right_outer.extend(or_none(sa.clone()).into_iter().map(|x| (key, (x, *y))));
            }
            if !(a.is_empty() && b.is_empty()) {
                for x in or_none(sa) {
                    full.extend(or_none(sb.clone()).into_iter().map(|y| (key, (x, y))));
                }
            }
        }
        prop_assert_eq!(sorted(l.join_with(&r, reducers).collect().unwrap()), sorted(inner));
        prop_assert_eq!(sorted(l.left_outer_join_with(&r, reducers).collect().unwrap()), sorted(left_outer));
        prop_assert_eq!(sorted(l.right_outer_join_with(&r, reducers).collect().unwrap()), sorted(right_outer));
        prop_assert_eq!(sorted(l.full_outer_join_with(&r, reducers).collect().unwrap()), sorted(full));
        let without = left.0.iter().filter(|(key, _)| of(*key, &right).is_empty()).copied().collect();
        prop_assert_eq!(sorted(l.subtract_by_key_with(&r, reducers).collect().unwrap()), sorted(without));
    }

    #[test]
    fn repartitioning_loses_and_moves_as_it_says(input in numbers(), n in 1_usize..12) {
        let context = context();
        let before = rdd(&context, &input);
        let dealt = partitions(&before.repartition(n));
        prop_assert_eq!(dealt.len(), n);
        prop_assert_eq!(sorted(dealt.concat()), sorted(input.0.clone()));
        // Joined are neighbours, in their order.
        let joined = partitions(&before.coalesce(n));
        prop_assert_eq!(joined.len(), n.min(before.num_partitions()));
        prop_assert_eq!(joined.concat(), input.0.clone());
        // A key lies in one partition, and its records stay in their order.
        let spread = partitions(&before.zip_with_index().key_by(|(n, _)| n % 5).partition_by(n));
        for key in -4..5 {
            let holding: Vec<_> = spread.iter().filter(|part| part.iter().any(|(k, _)| *k == key)).collect();
            prop_assert!(holding.len() <= 1);
            let places = holding.into_iter().flatten().filter(|(k, _)| *k == key).map(|(_, (_, at))| *at);
            let places: Vec<u64> = places.collect();
            prop_assert!(places.is_sorted());
        }
    }
}
