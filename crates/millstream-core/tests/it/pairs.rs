//! Operators of pairs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use millstream_core::rdd::{AnyRdd, Dependency};
use millstream_core::{Conf, Context, CustomPartitioner, Error, Partitioner};

use crate::{context, partitions, sorted};

/// How many shuffles the lineage of an RDD has.
pub(crate) fn shuffles(rdd: &AnyRdd) -> usize {
    let of = |dependency: &Dependency| match dependency {
        Dependency::Narrow(parent) => shuffles(parent),
        Dependency::Shuffle(shuffle) => 1 + shuffles(&shuffle.parent()),
    };
    rdd.dependencies().iter().map(of).sum()
}

/// Spark's test rule: the key itself is the number of the partition.
pub(crate) struct ByKey(pub(crate) usize);

impl CustomPartitioner<i32> for ByKey {
    fn partitions(&self) -> usize {
        self.0
    }
    fn partition(&self, key: &i32) -> usize {
        usize::try_from(*key).unwrap()
    }
}

#[test]
fn sparks_reduce_by_key() {
    let pairs = context().parallelize([(1, 1), (1, 2), (1, 3), (1, 1), (2, 1)], 2);
    assert_eq!(sorted(pairs.reduce_by_key(|a, b| a + b).collect().unwrap()), [(1, 7), (2, 1)]);
    let many = pairs.reduce_by_key_with(|a, b| a + b, 10);
    assert_eq!(many.num_partitions(), 10);
    assert_eq!(sorted(many.collect().unwrap()), [(1, 7), (2, 1)]);
}

#[test]
fn sparks_reduce_by_key_with_a_partitioner() {
    let rule = Partitioner::custom(ByKey(2));
    let pairs = context().parallelize([(1, 1), (1, 2), (1, 1), (0, 1)], 2).partition_by(rule.clone());
    for sums in [pairs.reduce_by_key(|a, b| a + b), pairs.reduce_by_key_with(|a, b| a + b, rule.clone())] {
        assert_eq!(partitions(&sums), [[(0, 1)], [(1, 4)]]);
        assert_eq!(sums.partitioned_by(), Some(rule.identity()));
        assert_eq!(shuffles(&sums.any()), 1);
    }
}

#[test]
fn sparks_group_by_key() {
    let groups = |pairs: Vec<(i32, i32)>, partitions: usize| {
        sorted(context().parallelize(pairs, 2).group_by_key_with(partitions).collect().unwrap())
    };
    for partitions in [1, 2, 10] {
        let plain = groups(vec![(1, 1), (1, 2), (1, 3), (2, 1)], partitions);
        assert_eq!(plain, [(1, vec![1, 2, 3]), (2, vec![1])]);
        let duplicates = groups(vec![(1, 1), (1, 2), (1, 3), (1, 1), (2, 1)], partitions);
        assert_eq!(duplicates, [(1, vec![1, 2, 3, 1]), (2, vec![1])]);
        let negative = groups(vec![(-1, 1), (-1, 2), (-1, 3), (2, 1)], partitions);
        assert_eq!(negative, [(-1, vec![1, 2, 3]), (2, vec![1])]);
    }
}

#[test]
fn sparks_group_with() {
    let context = context();
    let left = context.parallelize([(1, 1), (1, 2), (2, 1), (3, 1)], 2);
    let right = context.parallelize([(1, 'x'), (2, 'y'), (2, 'z'), (4, 'w')], 3);
    let expected = [
        (1, (vec![1, 2], vec!['x'])),
        (2, (vec![1], vec!['y', 'z'])),
        (3, (vec![1], vec![])),
        (4, (vec![], vec!['w'])),
    ];
    assert_eq!(sorted(left.cogroup(&right).collect().unwrap()), expected);
    for partitions in [1, 10] {
        let both = left.cogroup_with(&right, partitions);
        assert_eq!(both.num_partitions(), partitions);
        assert_eq!(sorted(both.collect().unwrap()), expected);
    }
}

#[test]
fn a_side_that_is_spread_already_is_not_moved() {
    let context = context();
    let rule = Partitioner::custom(ByKey(5));
    let left = context.parallelize([(1, 1), (3, 1)], 2).partition_by(rule.clone());
    let right = context.parallelize([(1, 'x'), (4, 'w')], 2);
    let spread = right.partition_by(rule.clone());
    assert_eq!(shuffles(&left.cogroup_with(&right, rule.clone()).any()), 2);
    let in_place = left.cogroup_with(&spread, rule);
    assert_eq!(shuffles(&in_place.any()), 2);
    assert_eq!(shuffles(&left.cogroup_with(&spread, 5).any()), 4);
    assert_eq!(
        partitions(&in_place),
        [
            vec![],
            vec![(1, (vec![1], vec!['x']))],
            vec![],
            vec![(3, (vec![1], vec![]))],
            vec![(4, (vec![], vec!['w']))]
        ]
    );
}

#[test]
fn pairs_keep_their_order_when_they_are_spread() {
    let rdd =
        context().parallelize((0..100).map(|n| (n % 5, n)), 4).partition_by(Partitioner::custom(ByKey(5)));
    for (key, pairs) in (0..).zip(partitions(&rdd)) {
        assert_eq!(pairs, (0..20).map(|n| (key, n * 5 + key)).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_spread_already_is_not_spread_again() {
    let rdd = context().parallelize((0..10).map(|n| (n % 3, n)), 4).partition_by(3);
    assert_eq!(rdd.partition_by(3).id(), rdd.id());
    assert_ne!(rdd.partition_by(4).id(), rdd.id());
    let derived = [
        rdd.reduce_by_key(|a, b| a + b).any(),
        rdd.group_by_key().any(),
        rdd.filter(|_| true).reduce_by_key_with(|a, b| a + b, 3).any(),
        rdd.group_by_key_with(3).any(),
        rdd.cogroup_with(&rdd.reduce_by_key(|a, b| a + b), 3).any(),
    ];
    assert_eq!(derived.map(|rdd| shuffles(&rdd)), [1, 1, 1, 1, 2]);
    assert_eq!(shuffles(&rdd.map(|pair| pair).reduce_by_key_with(|a, b| a + b, 3).any()), 2);
    assert_eq!(sorted(rdd.group_by_key().collect().unwrap())[1], (1, vec![1, 4, 7]));
}

#[test]
fn a_rule_that_breaks_its_promise_loses_nothing() {
    let rdd = context().parallelize([(1, 'a'), (9, 'b')], 1).partition_by(Partitioner::custom(ByKey(3)));
    assert_eq!(partitions(&rdd), [vec![], vec![(1, 'a')], vec![(9, 'b')]]);
}

#[test]
fn values_are_merged_where_they_lie_first() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let sums = context().parallelize((0..1000).map(|n| (n % 2, 1)), 4).reduce_by_key_with(
        move |a, b| {
            counter.fetch_add(1, Ordering::Relaxed);
            a + b
        },
        1,
    );
    assert_eq!(sorted(sums.collect().unwrap()), [(0, 500), (1, 500)]);
    // Each merge makes one value of two, wherever it happens.
    assert_eq!(calls.load(Ordering::Relaxed), 998);
}

#[test]
fn values_are_merged_in_the_order_of_their_partitions() {
    let words = context().parallelize('a'..='z', 5).map(|c| (c as u32 % 3, c.to_string()));
    let merged = sorted(words.reduce_by_key(|a, b| a + &b).collect().unwrap());
    assert_eq!(
        merged,
        [(0, "cfilorux".into()), (1, "adgjmpsvy".into()), (2, "behknqtwz".into())]
            .map(|(k, v): (u32, String)| (k, v))
    );
}

#[test]
fn empty_rdds_can_be_shuffled() {
    let context = context();
    let none = context.empty_rdd::<(i32, i32)>();
    let hollow = context.parallelize([(0, 0); 0], 3);
    for empty in [&none, &hollow, &none.filter(|_| true)] {
        assert_eq!(empty.reduce_by_key(|a, b| a + b).collect().unwrap(), []);
        assert_eq!(empty.group_by_key().count().unwrap(), 0);
        assert_eq!(empty.partition_by(4).take(3).unwrap(), []);
        assert_eq!(empty.cogroup(empty).count().unwrap(), 0);
        assert_eq!(empty.reduce_by_key(|a, b| a + b).map(|(k, v)| (v, k)).group_by_key().count().unwrap(), 0);
        let two = context.parallelize([(1, 1), (2, 2)], 2);
        assert_eq!(two.cogroup(empty).collect().unwrap().len(), 2);
        assert_eq!(empty.cogroup(&two).count().unwrap(), 2);
        assert_eq!(empty.reduce_by_key(|a, b| a + b).union(&two).count().unwrap(), 2);
    }
}

#[test]
fn records_are_not_lost_for_want_of_partitions() {
    let context = context();
    let pairs = context.parallelize([(1, 1)], 1);
    let errors = [
        pairs.reduce_by_key_with(|a, b| a + b, 0).collect().unwrap_err(),
        pairs.group_by_key_with(0).count().unwrap_err(),
        pairs.partition_by(0).take(1).unwrap_err(),
        pairs.cogroup_with(&pairs, 0).count().unwrap_err(),
        context.empty_rdd::<(i32, i32)>().cogroup_with(&pairs, 0).count().unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Argument { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("pairs.rs:") && text.contains("0 partitions"), "{text}");
    }
    let none = context.empty_rdd::<(i32, i32)>();
    assert_eq!(none.reduce_by_key_with(|a, b| a + b, none.num_partitions()).count().unwrap(), 0);
}

#[test]
fn there_are_as_many_partitions_as_the_settings_say() {
    let context =
        Context::new(Conf::empty().set_master("local[2]").set("spark.default.parallelism", "7")).unwrap();
    let pairs = context.parallelize([(1, 1), (2, 2)], 3);
    assert_eq!(pairs.reduce_by_key(|a, b| a + b).num_partitions(), 7);
    assert_eq!(pairs.group_by_key().num_partitions(), 7);
    assert_eq!(pairs.cogroup(&pairs).num_partitions(), 7);
    assert_eq!(crate::on("local[3]").parallelize([(1, 1)], 4).group_by_key().num_partitions(), 4);
}

#[test]
fn shuffles_follow_each_other() {
    let words = context().parallelize((0..1000).map(|n| (n % 100, 1)), 8);
    let by_count = words
        .reduce_by_key_with(|a, b| a + b, 5)
        .map(|(word, count)| (count, word))
        .group_by_key_with(3)
        .map(|(count, words)| (words.len(), count))
        .reduce_by_key_with(|a, b| a + b, 2);
    assert_eq!(by_count.collect().unwrap(), [(100, 10)]);
}
