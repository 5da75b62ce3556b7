//! Operators without a shuffle.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use millstream_core::{Chunk, Error, Rdd};
use serde::{Deserialize, Serialize};

use crate::{context, on, partitions, sorted};

#[test]
fn sparks_basic_operations() {
    let nums = context().parallelize([1, 2, 3, 4], 2);
    assert_eq!(nums.num_partitions(), 2);
    assert_eq!(nums.collect().unwrap(), [1, 2, 3, 4]);
    assert_eq!(nums.map(|n| n.to_string()).collect().unwrap(), ["1", "2", "3", "4"]);
    assert_eq!(nums.map_ref(i32::to_string).collect().unwrap(), ["1", "2", "3", "4"]);
    assert_eq!(nums.filter(|n| *n > 2).collect().unwrap(), [3, 4]);
    assert_eq!(nums.flat_map(|n| 1..=n).collect().unwrap(), [1, 1, 2, 1, 2, 3, 1, 2, 3, 4]);
    assert_eq!(nums.flat_map_into(|n, out| out.extend(1..=*n)).count().unwrap(), 10);
    assert_eq!(nums.union(&nums).collect().unwrap(), [1, 2, 3, 4, 1, 2, 3, 4]);
    assert_eq!(partitions(&nums), [[1, 2], [3, 4]]);
    assert_eq!(nums.map_partitions(|records| [records.sum::<i32>()]).collect().unwrap(), [3, 7]);
}

#[test]
fn many_records_pass_in_many_chunks() {
    let numbers = context().parallelize(0..100_000, 3);
    assert_eq!(numbers.map(|n| n * 2).collect().unwrap(), (0..100_000).map(|n| n * 2).collect::<Vec<_>>());
    let thirds = numbers.filter(|n| n % 3 == 0).map(|n| n / 3).filter(|n| n % 2 == 1);
    assert_eq!(thirds.collect().unwrap(), (0..33_334).filter(|n| n % 2 == 1).collect::<Vec<_>>());
    let doubled = numbers.flat_map(|n| [n, n]).flat_map_into(|n, out| out.push(*n));
    assert_eq!(doubled.count().unwrap(), 200_000);
    let none_then_all = numbers.filter(|n| *n >= 99_999).flat_map(|n| 0..n);
    assert_eq!(none_then_all.count().unwrap(), 99_999);
    let lazily = numbers.map_partitions(|records| records.filter(|n| n % 2 == 0).map(|n| n + 1));
    assert_eq!(lazily.reduce(|a, b| a.max(b)).unwrap(), Some(99_999));
}

#[test]
fn a_partition_without_records_is_a_partition() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let rdd = context().parallelize([1], 4).map_partitions(move |records| {
        counter.fetch_add(1, Ordering::Relaxed);
        [records.count()]
    });
    assert_eq!(rdd.collect().unwrap(), [0, 0, 0, 1]);
    assert_eq!(calls.load(Ordering::Relaxed), 4);
}

#[test]
fn records_that_are_not_read_do_no_harm() {
    let rdd = context().parallelize(0..10_000, 2);
    assert_eq!(rdd.map_partitions(|mut records| records.next()).collect().unwrap(), [0, 5000]);
    assert_eq!(rdd.map_partitions(|_| [7]).collect().unwrap(), [7, 7]);
}

/// A record that counts how often it is cloned.
#[derive(Serialize, Deserialize)]
struct Counted(u32);

static CLONES: AtomicUsize = AtomicUsize::new(0);

impl Clone for Counted {
    fn clone(&self) -> Self {
        CLONES.fetch_add(1, Ordering::Relaxed);
        Counted(self.0)
    }
}

#[test]
fn shared_records_are_looked_at_in_place() {
    let records = Arc::new((0..5000).map(Counted).collect::<Vec<_>>());
    let rdd = context().from_chunks([vec![Chunk::shared(Arc::clone(&records), 0..5000)]]).persist();
    for _ in 0..2 {
        let even = rdd.filter(|record| record.0 % 2 == 0).filter(|record| record.0 % 3 == 0);
        assert_eq!(even.count().unwrap(), 834);
        assert_eq!(even.map_ref(|record| record.0).reduce(u32::max).unwrap(), Some(4998));
        assert_eq!(rdd.flat_map_into(|record, out| out.push(record.0)).count().unwrap(), 5000);
        assert_eq!(CLONES.load(Ordering::Relaxed), 0);
    }
    assert_eq!(rdd.map(|record| record.0).count().unwrap(), 5000);
    assert_eq!(CLONES.load(Ordering::Relaxed), 5000);
}

#[test]
fn sparks_unions() {
    let context = context();
    let nums = context.parallelize([1, 2, 3, 4], 2);
    assert_eq!(context.union([nums.clone()]).collect().unwrap(), [1, 2, 3, 4]);
    assert_eq!(context.union([nums.clone(), nums.clone(), nums]).num_partitions(), 6);
    assert_eq!(context.union(Vec::<Rdd<i32>>::new()).collect().unwrap(), []);
    let all_empty = context.union([context.empty_rdd::<i32>(), context.empty_rdd()]);
    assert_eq!((all_empty.num_partitions(), all_empty.count().unwrap()), (0, 0));
}

#[test]
fn a_union_of_alike_spread_rdds_stays_spread() {
    let context = context();
    let spread = |range: std::ops::Range<i32>| context.parallelize(range.map(|n| (n, ())), 1).partition_by(2);
    let (first, second) = (spread(0..5), spread(5..9));
    let union = first.union(&second);
    assert_eq!(union.partitioned_by(), first.partitioned_by());
    let joined: Vec<_> =
        partitions(&first).into_iter().zip(partitions(&second)).map(|(a, b)| [a, b].concat()).collect();
    assert_eq!(partitions(&union), joined);

    let one_more = context.parallelize([(9, ())], 1);
    assert_eq!(union.union(&one_more).partitioned_by(), None);
    assert_eq!(union.union(&one_more).num_partitions(), 3);
    assert_eq!(union.union(&spread(9..12).partition_by(3)).partitioned_by(), None);
}

#[test]
fn one_without_partitions_does_not_spoil_a_union() {
    let context = context();
    let spread = context.parallelize([(1, true)], 1).partition_by(1);
    let union = context.empty_rdd().union(&spread);
    assert_eq!(union.partitioned_by(), spread.partitioned_by());
    assert_eq!(union.collect().unwrap(), [(1, true)]);
}

#[test]
fn a_union_of_shuffled_rdds_reads_each_shuffle_where_it_must() {
    for master in ["local[1]", "local[3]"] {
        let context = on(master);
        let sums = |n: i32, partitions: usize| {
            context
                .parallelize((0..10).map(move |i| (i % 3, n)), 2)
                .reduce_by_key_with(|a, b| a + b, partitions)
                .map(|pair| pair)
        };
        let union = context.union([sums(1, 2), sums(10, 3), sums(100, 1)]);
        assert_eq!(union.num_partitions(), 6);
        let expected = [(0, 4), (0, 40), (0, 400), (1, 3), (1, 30), (1, 300), (2, 3), (2, 30), (2, 300)];
        assert_eq!(sorted(union.collect().unwrap()), expected);
        assert_eq!(union.take(9).unwrap().len(), 9);
        let total = union.reduce_by_key(|a, b| a + b).collect().unwrap();
        assert_eq!(sorted(total), [(0, 444), (1, 333), (2, 333)]);
    }
}

#[test]
fn a_shuffled_rdd_may_be_read_twice_in_one_job() {
    let context = on("local[4]");
    let sums = context.parallelize((0..10).map(|n| (n % 3, 1)), 2).reduce_by_key(|a, b| a + b);
    let expected = [(0, 4), (0, 4), (1, 3), (1, 3), (2, 3), (2, 3)];
    assert_eq!(sorted(sums.union(&sums).collect().unwrap()), expected);
    assert_eq!(sorted(sums.map(|pair| pair).union(&sums.map(|pair| pair)).collect().unwrap()), expected);
    let both = sums.map(|pair| pair).cogroup(&sums.map(|(key, n)| (key, -n)));
    let both_expected = [(0, (vec![4], vec![-4])), (1, (vec![3], vec![-3])), (2, (vec![3], vec![-3]))];
    assert_eq!(sorted(both.collect().unwrap()), both_expected);
    assert_eq!(sorted(sums.cogroup(&sums).map(|(key, (a, b))| (key, a == b)).collect().unwrap()).len(), 3);
}

#[test]
fn rdds_of_two_contexts_do_not_mix() {
    let (one, other) = (context(), context());
    let union = one.parallelize([(1, 1)], 1).union(&other.parallelize([(2, 2)], 1));
    let cogroup = one.parallelize([(1, 1)], 1).cogroup(&other.parallelize([(2, 2)], 1));
    for error in [union.count().unwrap_err(), cogroup.count().unwrap_err()] {
        assert!(matches!(error, Error::Argument { .. }), "{error}");
        assert!(error.to_string().contains("different contexts"), "{error}");
    }
}

#[test]
fn operators_know_which_keep_the_keys_where_they_are() {
    let spread = context().parallelize([(1, 1), (2, 2)], 2).partition_by(2);
    assert_eq!(spread.filter(|_| true).partitioned_by(), spread.partitioned_by());
    assert_eq!(spread.filter_env(0, |_, _| true).partitioned_by(), spread.partitioned_by());
    assert_eq!(spread.map(|pair| pair).partitioned_by(), None);
    assert_eq!(spread.flat_map(|pair| [pair]).partitioned_by(), None);
    assert_eq!(spread.map_partitions(|records| records).partitioned_by(), None);
}

#[test]
fn values_go_along_with_a_closure() {
    let numbers = context().parallelize(1..=4, 2);
    let words = vec!["zero".to_owned(), "one".into(), "two".into(), "three".into(), "four".into()];
    assert_eq!(
        numbers.map_env(words.clone(), |words, n| words[n].clone()).collect().unwrap(),
        ["one", "two", "three", "four"]
    );
    assert_eq!(numbers.filter_env((2, 3), |(a, b), n| n == a || n == b).collect().unwrap(), [2, 3]);
    assert_eq!(numbers.flat_map_env(3, |limit, n| n..*limit).collect().unwrap(), [1, 2, 2]);
    let letters =
        numbers.flat_map_into_env(words.clone(), |words, n, out| out.extend(words[*n].chars().take(2)));
    assert_eq!(letters.collect().unwrap(), ['o', 'n', 't', 'w', 't', 'h', 'f', 'o']);
    let looked_up = numbers.map_partitions_env(words, |words, records| records.map(move |n| words[n].len()));
    assert_eq!(looked_up.collect().unwrap(), [3, 3, 5, 4]);
}
