//! How records are spread: Spark's PartitioningSuite, `repartition`, `coalesce`, and what need not be moved.

use std::collections::BTreeMap;

use millstream_core::{Conf, Context, Error, Partitioner, Rdd};
use proptest::prelude::*;

use crate::pairs::shuffles;

use crate::{context, on, partitions, sorted};

type Pairs = Rdd<(i32, i32)>;

fn halves(key: &i32) -> usize {
    (*key % 2) as usize
}

#[test]
fn sparks_hash_partitioners() {
    let [two, four]: [Partitioner<i32>; 2] = [2.into(), 4.into()];
    assert_eq!(two.identity(), Partitioner::<i32>::from(2).identity());
    assert_ne!(two.identity(), four.identity());
    let range = Partitioner::range(&context().parallelize((0..100).map(|n| (n, n)), 2), 2, true).unwrap();
    assert_ne!(two.identity(), range.identity());
}

#[test]
fn sparks_partitioner_preservation() {
    let context = context();
    let pairs = context.parallelize((1..=100).map(|n| (n, n)), 2);
    let grouped_2 = pairs.group_by_key_with(2);
    let grouped_4 = pairs.group_by_key_with(4);
    let reduced_2 = pairs.reduce_by_key_with(|a, b| a + b, 2);
    let reduced_4 = pairs.reduce_by_key_with(|a, b| a + b, 4);
    assert_eq!(pairs.partitioned_by(), None);
    assert_eq!(grouped_2.partitioned_by(), Some(Partitioner::<i32>::from(2).identity()));
    assert_eq!(reduced_4.partitioned_by(), Some(Partitioner::<i32>::from(4).identity()));
    assert_eq!(grouped_2.join(&reduced_2).partitioned_by(), grouped_2.partitioned_by());
    // The largest partitioner of the parents wins.
    assert_eq!(grouped_4.join(&reduced_2).partitioned_by(), grouped_4.partitioned_by());
    assert_eq!(grouped_2.join(&reduced_4).partitioned_by(), reduced_4.partitioned_by());
    assert_eq!(grouped_2.left_outer_join(&reduced_2).partitioned_by(), grouped_2.partitioned_by());
    assert_eq!(grouped_4.right_outer_join(&reduced_2).partitioned_by(), grouped_4.partitioned_by());
    assert_eq!(grouped_2.full_outer_join(&reduced_4).partitioned_by(), reduced_4.partitioned_by());
    assert_eq!(grouped_2.cogroup(&reduced_4).partitioned_by(), reduced_4.partitioned_by());
    assert_eq!(grouped_2.map(|pair| pair).partitioned_by(), None);
    assert_eq!(grouped_2.map_values(|_| 1).partitioned_by(), grouped_2.partitioned_by());
    assert_eq!(grouped_2.flat_map_values(|_| [1]).partitioned_by(), grouped_2.partitioned_by());
    assert_eq!(grouped_2.filter(|(key, _)| *key > 4).partitioned_by(), grouped_2.partitioned_by());
}

#[test]
fn sparks_default_partitioner() {
    let context = context();
    let rdd = |partitions: usize| context.parallelize([(1, 2), (2, 3)], partitions);
    let spread = |partitions: usize| rdd(10).partition_by(partitions);
    let joined = |one: &Pairs, other: &Pairs| one.join(other).num_partitions();
    // Spark's values, a tenth of their sizes.
    assert_eq!(joined(&rdd(15), &rdd(3)), 15);
    assert_eq!(joined(&rdd(15), &spread(10)), 10);
    assert_eq!(joined(&spread(10), &rdd(99)), 10);
    assert_eq!(joined(&spread(10), &rdd(100)), 100);
    assert_eq!(joined(&spread(10), &spread(3)), 10);
    let set = Context::new(Conf::empty().set("spark.default.parallelism", "4")).unwrap();
    let rdd = |partitions: usize| set.parallelize([(1, 2), (2, 3)], partitions);
    assert_eq!(joined(&rdd(15), &rdd(3)), 4);
    assert_eq!(joined(&rdd(2).partition_by(6), &rdd(100)), 6);
    assert_eq!(joined(&rdd(2).partition_by(2), &rdd(100)), 4);
    assert_eq!(joined(&rdd(2).partition_by(2), &rdd(5)), 2);
}

#[test]
fn what_lies_together_is_not_moved_again() {
    let context = context();
    let rule = Partitioner::custom_env(2, (), |(), key| halves(key));
    let left = context.parallelize((0..20).map(|n| (n % 4, n)), 3).partition_by(rule.clone());
    let right = context.parallelize((0..8).map(|n| (n, 'x')), 2).partition_by(rule.clone());
    let joined = left.join(&right);
    assert_eq!(shuffles(&joined.any()), 2, "only those that spread the two sides");
    assert_eq!((joined.num_partitions(), joined.count().unwrap()), (2, 20));
    let derived = [
        left.reduce_by_key(|a, b| a + b).any(),
        left.fold_by_key(0, |a, b| a + b).any(),
        left.aggregate_by_key(0, |a, b| a + b, |a, b| a + b).any(),
        left.combine_by_key(|n| n, |a, b| a + b, |a, b| a + b).any(),
        left.fold_by_key_with(0, |a, b| a + b, rule.clone()).any(),
    ];
    assert_eq!(derived.map(|rdd| shuffles(&rdd)), [1; 5]);
    assert_eq!(shuffles(&left.subtract_by_key(&right).any()), 2);
    assert_eq!(shuffles(&left.cogroup3(&right, &left).any()), 3);
    assert_eq!(shuffles(&left.cogroup4(&right, &left, &right).any()), 4);
    assert_eq!(shuffles(&left.sort_by_key().reduce_by_key(|a, b| a + b).any()), 2);
}

#[test]
fn sparks_cogroup_of_three_and_four() {
    let context = context();
    let one = context.parallelize([(1, 1), (1, 2), (2, 1), (3, 1)], 2);
    let two = context.parallelize([(1, 'x'), (2, 'y'), (2, 'z'), (4, 'w')], 2);
    let three = context.parallelize([(1, 'a'), (3, 'b'), (4, 'c'), (4, 'd')], 3);
    let four = context.parallelize([(2, '@')], 1);
    let of_three = sorted(one.cogroup3(&two, &three).collect().unwrap());
    assert_eq!(
        of_three,
        [
            (1, (vec![1, 2], vec!['x'], vec!['a'])),
            (2, (vec![1], vec!['y', 'z'], vec![])),
            (3, (vec![1], vec![], vec!['b'])),
            (4, (vec![], vec!['w'], vec!['c', 'd'])),
        ]
    );
    let of_four = sorted(one.cogroup4(&two, &three, &four).collect().unwrap());
    assert_eq!(
        of_four,
        [
            (1, (vec![1, 2], vec!['x'], vec!['a'], vec![])),
            (2, (vec![1], vec!['y', 'z'], vec![], vec!['@'])),
            (3, (vec![1], vec![], vec!['b'], vec![])),
            (4, (vec![], vec!['w'], vec!['c', 'd'], vec![])),
        ]
    );
    assert_eq!(one.cogroup3_with(&two, &three, 7).num_partitions(), 7);
    assert_eq!(one.cogroup4_with(&two, &three, &four, 7).num_partitions(), 7);
}

#[test]
fn sparks_repartition() {
    let context = context();
    let data = context.parallelize(1..=1000, 10);
    let more = data.repartition(20);
    assert_eq!(more.num_partitions(), 20);
    assert!(partitions(&more).iter().all(|part| part.len() == 50));
    assert_eq!(sorted(more.collect().unwrap()), (1..=1000).collect::<Vec<_>>());
    let fewer = data.repartition(2);
    assert_eq!(fewer.num_partitions(), 2);
    assert!(partitions(&fewer).iter().all(|part| part.len() == 500));
    // The same every time.
    assert_eq!(partitions(&data.repartition(7)), partitions(&data.repartition(7)));
    // Few records of each of many partitions do not gather in one.
    let few = partitions(&context.parallelize(0..100, 100).repartition(4));
    assert!(few.iter().all(|part| part.len() > 10), "{few:?}");
}

#[test]
fn sparks_coalesce() {
    let data = context().parallelize(1..=10, 10);
    let two = data.coalesce(2);
    assert_eq!(partitions(&two), [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]);
    assert_eq!(shuffles(&two.any()), 0);
    assert_eq!(partitions(&data.coalesce(3)), [vec![1, 2, 3], vec![4, 5, 6], vec![7, 8, 9, 10]]);
    assert_eq!(data.coalesce(20).num_partitions(), 10);
    assert_eq!(data.coalesce(10).collect().unwrap(), (1..=10).collect::<Vec<_>>());
    let shuffled = data.coalesce_with(20, true);
    assert_eq!((shuffled.num_partitions(), shuffles(&shuffled.any())), (20, 1));
    assert_eq!(data.coalesce_with(5, false).num_partitions(), 5);
    assert_eq!(data.coalesce(3).map(|n| (n % 2, n)).reduce_by_key(|a, b| a + b).count().unwrap(), 2);
    // What a coalesced RDD reads of a shuffle is all its group.
    let groups = data.map(|n| (n % 5, n)).reduce_by_key_with(|a, b| a + b, 5).coalesce(2);
    assert_eq!(sorted(groups.collect().unwrap()), [(0, 15), (1, 7), (2, 9), (3, 11), (4, 13)]);
}

#[test]
fn absurd_numbers_of_partitions_are_errors_of_the_action() {
    let context = context();
    let numbers = context.parallelize(0..10, 2);
    for error in [
        numbers.repartition(0).count().unwrap_err(),
        numbers.coalesce(0).count().unwrap_err(),
        numbers.coalesce_with(0, true).count().unwrap_err(),
        numbers.repartition(usize::MAX).count().unwrap_err(),
        numbers.map(|n| (n, n)).partition_by(usize::MAX).count().unwrap_err(),
        context.empty_rdd::<i32>().coalesce(0).count().unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(matches!(error, Error::Argument { .. }), "{text}");
        assert!(
            text.contains("partitioning.rs:") && text.contains("partitions: ") && text.contains("; ask for"),
            "{text}"
        );
    }
    assert_eq!(context.empty_rdd::<i32>().coalesce(3).count().unwrap(), 0);
    assert_eq!(context.empty_rdd::<i32>().repartition(3).count().unwrap(), 0);
}

#[test]
fn sparks_combine_fold_and_aggregate() {
    let pairs = context().parallelize([(1, 1), (1, 1), (3, 2), (5, 1), (5, 3)], 2);
    let sets = pairs.aggregate_by_key_with(
        Vec::new(),
        |mut set: Vec<i32>, n| {
            set.push(n);
            set
        },
        |a, b| [a, b].concat(),
        3,
    );
    assert_eq!(sorted(sets.collect().unwrap()), [(1, vec![1, 1]), (3, vec![2]), (5, vec![1, 3])]);
    let folded = pairs.fold_by_key_with(0, |a, b| a + b, 4);
    assert_eq!(folded.num_partitions(), 4);
    assert_eq!(sorted(folded.collect().unwrap()), [(1, 2), (3, 2), (5, 4)]);
    let counted = pairs.combine_by_key(|_| 1, |n, _| n + 1, |a, b| a + b);
    assert_eq!(sorted(counted.collect().unwrap()), [(1, 2), (3, 1), (5, 2)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_rule_keeps_every_pair_with_its_like(
        records in proptest::collection::vec((0_i32..12, 0_i32..1000), 0..150),
        slices in 1_usize..6,
        parts in 1_usize..7,
    ) {
        let context = on("local[2]");
        let pairs = context.parallelize(records.clone(), slices);
        let mut model: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for (key, value) in &records {
            model.entry(*key).or_default().push(*value);
        }
        let rules = [
            parts.into(),
            Partitioner::range(&pairs, parts, true).unwrap(),
            Partitioner::range(&pairs, parts, false).unwrap(),
            Partitioner::custom_env(parts, parts, |n, key: &i32| *key as usize % n),
        ];
        for rule in rules {
            let spread = pairs.partition_by(rule.clone());
            let mut found: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
            for part in partitions(&spread) {
                let mut here: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
                part.into_iter().for_each(|(key, value)| here.entry(key).or_default().push(value));
                for (key, values) in here {
                    prop_assert!(found.insert(key, values).is_none(), "a key in two partitions");
                }
            }
            prop_assert_eq!(&found, &model);
            let groups: BTreeMap<_, _> = spread.group_by_key().collect().unwrap().into_iter().collect();
            prop_assert_eq!(&groups, &model);
            let joined = sorted(spread.join(&pairs).collect().unwrap());
            let mut expected = Vec::new();
            for (key, values) in &model {
                for a in values {
                    expected.extend(values.iter().map(|b| (*key, (*a, *b))));
                }
            }
            prop_assert_eq!(joined, sorted(expected));
        }
        let dealt = pairs.repartition(parts);
        prop_assert_eq!(sorted(dealt.collect().unwrap()), sorted(records.clone()));
        prop_assert_eq!(pairs.coalesce(parts).collect().unwrap(), records);
    }
}
