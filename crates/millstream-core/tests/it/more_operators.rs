//! Operators beyond the first ones, with the values of Spark's own tests.

use std::cmp::Ordering;
use std::collections::HashMap;

use millstream_core::{Conf, Context, Partitioner, Rdd, ReadCounts, TaskContext};

use crate::{context, partitions, sorted};

type Pairs<V> = Rdd<(i32, V)>;

fn left_and_right() -> (Pairs<i32>, Pairs<char>) {
    let context = context();
    let left = context.parallelize([(1, 1), (1, 2), (2, 1), (3, 1)], 2);
    (left, context.parallelize([(1, 'x'), (2, 'y'), (2, 'z'), (4, 'w')], 2))
}

#[test]
fn sparks_join() {
    let (left, right) = left_and_right();
    let expected = [(1, (1, 'x')), (1, (2, 'x')), (2, (1, 'y')), (2, (1, 'z'))];
    assert_eq!(sorted(left.join(&right).collect().unwrap()), expected);
    let context = context();
    let (fours, fives) = (context.parallelize([(1, 1); 4], 2), context.parallelize([(1, 2); 4], 2));
    assert_eq!(fours.join(&fives).collect().unwrap(), [(1, (1, 2)); 16]);
}

#[test]
fn sparks_outer_joins() {
    let (left, right) = left_and_right();
    assert_eq!(
        sorted(left.left_outer_join(&right).collect().unwrap()),
        [(1, (1, Some('x'))), (1, (2, Some('x'))), (2, (1, Some('y'))), (2, (1, Some('z'))), (3, (1, None))]
    );
    assert_eq!(
        sorted(left.right_outer_join(&right).collect().unwrap()),
        [
            (1, (Some(1), 'x')),
            (1, (Some(2), 'x')),
            (2, (Some(1), 'y')),
            (2, (Some(1), 'z')),
            (4, (None, 'w'))
        ]
    );
    assert_eq!(
        sorted(left.full_outer_join(&right).collect().unwrap()),
        [
            (1, (Some(1), Some('x'))),
            (1, (Some(2), Some('x'))),
            (2, (Some(1), Some('y'))),
            (2, (Some(1), Some('z'))),
            (3, (Some(1), None)),
            (4, (None, Some('w')))
        ]
    );
}

#[test]
fn a_join_keeps_the_partitioning() {
    let (left, right) = left_and_right();
    let spread = left.partition_by(3);
    assert_eq!(spread.join_with(&right, 3).partitioned_by(), spread.partitioned_by());
    assert!(spread.partitioned_by().is_some());
}

#[test]
fn values_are_made_where_their_keys_are() {
    let spread = context().parallelize([(1, 10), (2, 20), (3, 30)], 2).partition_by(4);
    assert_eq!(spread.map_values(|v| v + 1).partitioned_by(), spread.partitioned_by());
    assert_eq!(spread.flat_map_values(|v| [v, v]).partitioned_by(), spread.partitioned_by());
    assert_eq!(spread.map(|pair| pair).partitioned_by(), None);
    let twice = spread.flat_map_values(|v| [v, v + 1]).collect().unwrap();
    assert_eq!(sorted(twice), [(1, 10), (1, 11), (2, 20), (2, 21), (3, 30), (3, 31)]);
}

#[test]
fn sparks_keys_and_values() {
    let pairs = context().parallelize([(1, 'a'), (2, 'b')], 1);
    assert_eq!(pairs.keys().collect().unwrap(), [1, 2]);
    assert_eq!(pairs.values().collect().unwrap(), ['a', 'b']);
    assert_eq!(context().parallelize(1..=2, 1).key_by(|n| n * 2).collect().unwrap(), [(2, 1), (4, 2)]);
}

#[test]
fn sparks_basic_operations() {
    let context = context();
    let numbers = context.parallelize(1..=4, 2);
    assert_eq!(numbers.glom().collect().unwrap(), [[1, 2], [3, 4]]);
    assert_eq!(sorted(context.parallelize([1, 1, 2, 3, 3], 2).distinct().collect().unwrap()), [1, 2, 3]);
    assert_eq!(numbers.fold(0, |a, b| a + b).unwrap(), 10);
    assert_eq!(numbers.fold(1, |a, b| a + b).unwrap(), 13);
    assert_eq!(numbers.first().unwrap(), Some(1));
    assert_eq!(numbers.max().unwrap(), Some(4));
    assert_eq!(numbers.min().unwrap(), Some(1));
    assert!(!numbers.is_empty().unwrap());
    assert_eq!(context.parallelize([1, 2, 2], 2).distinct_with(3).num_partitions(), 3);
}

#[test]
fn without_records() {
    let none = context().empty_rdd::<i32>();
    assert!(none.is_empty().unwrap());
    assert_eq!((none.first().unwrap(), none.max().unwrap(), none.min().unwrap()), (None, None, None));
    assert_eq!(none.fold(7, |a, b| a + b).unwrap(), 7);
    assert_eq!(none.distinct().collect().unwrap(), [0; 0]);
    assert_eq!(none.glom().collect().unwrap(), [[0; 0]; 0]);
    assert!(none.count_by_value().unwrap().is_empty());
    let of_no_records = context().parallelize(Vec::<i32>::new(), 3);
    assert!(of_no_records.is_empty().unwrap());
    assert_eq!(partitions(&of_no_records.glom()).concat(), vec![vec![0; 0]; of_no_records.num_partitions()]);
}

#[test]
fn sparks_count_by_value_and_by_key() {
    let context = context();
    let counts = context.parallelize([1, 2, 1, 3, 1, 2], 3).count_by_value().unwrap();
    assert_eq!(counts, HashMap::from([(1, 3), (2, 2), (3, 1)]));
    let pairs = context.parallelize([(1, 'a'), (1, 'b'), (2, 'c')], 2);
    assert_eq!(pairs.count_by_key().unwrap(), HashMap::from([(1, 2), (2, 1)]));
}

#[test]
fn sparks_aggregate() {
    let pairs = context()
        .parallelize([("a", 1), ("b", 2), ("a", 2), ("c", 5), ("a", 3)].map(|(k, v)| (k.to_owned(), v)), 2);
    let sums = pairs.aggregate(
        HashMap::new(),
        |mut sums: HashMap<String, i32>, (key, value)| {
            *sums.entry(key).or_default() += value;
            sums
        },
        |mut sums, more| {
            more.into_iter().for_each(|(key, value)| *sums.entry(key).or_default() += value);
            sums
        },
    );
    let expected = [("a", 6), ("b", 2), ("c", 5)].map(|(k, v)| (k.to_owned(), v));
    assert_eq!(sums.unwrap(), HashMap::from(expected));
}

#[test]
fn a_panic_while_merging_is_an_error() {
    let failed = context().parallelize(1..=4, 2).aggregate(0, |a, b| a + b, |_, _| panic!("no merging"));
    let error = failed.unwrap_err().to_string();
    assert!(error.contains("aggregate at "), "{error}");
    assert!(error.contains("no merging"), "{error}");
}

#[test]
fn sparks_group_by() {
    let groups = context().parallelize(1..=6, 3).group_by(|n| n % 3).collect().unwrap();
    assert_eq!(sorted(groups), [(0, vec![3, 6]), (1, vec![1, 4]), (2, vec![2, 5])]);
}

#[test]
fn sparks_take_ordered_and_top() {
    let context = context();
    let numbers = context.parallelize([5, 4, 3, 2, 1, 6], 2);
    assert_eq!(numbers.take_ordered(3).unwrap(), [1, 2, 3]);
    assert_eq!(
        context.parallelize(1..=100_000, 10).top(5).unwrap(),
        [100_000, 99_999, 99_998, 99_997, 99_996]
    );
    assert_eq!((numbers.top(0).unwrap(), numbers.take_ordered(0).unwrap()), (vec![], vec![]));
    assert_eq!(numbers.top(9).unwrap(), [6, 5, 4, 3, 2, 1]);
    assert_eq!(context.empty_rdd::<i32>().top(2).unwrap(), [0; 0]);
}

#[test]
fn sparks_aggregate_by_key() {
    let pairs = context().parallelize([(1, 1), (1, 1), (3, 2), (5, 1), (5, 3)], 2);
    let add = |mut list: Vec<i32>, n| {
        list.push(n);
        list
    };
    let join = |a: Vec<i32>, b: Vec<i32>| [a, b].concat();
    let expected = [(1, vec![1, 1]), (3, vec![2]), (5, vec![1, 3])];
    assert_eq!(sorted(pairs.aggregate_by_key(vec![], add, join).collect().unwrap()), expected);
    let spread = pairs.partition_by(3);
    let in_place = spread.aggregate_by_key(vec![], add, join);
    assert_eq!(in_place.partitioned_by(), spread.partitioned_by());
    assert_eq!(sorted(in_place.collect().unwrap()), expected);
}

#[test]
fn sparks_fold_by_key() {
    let pairs = context().parallelize([(1, 1), (1, 2), (1, 3), (1, 1), (2, 1)], 2);
    assert_eq!(sorted(pairs.fold_by_key(0, |a, b| a + b).collect().unwrap()), [(1, 7), (2, 1)]);
}

#[test]
fn sparks_subtract() {
    let context = context();
    let (a, b) = (context.parallelize([1, 2, 3], 2), context.parallelize([2, 3, 4], 2));
    assert_eq!(a.subtract(&b).collect().unwrap(), [1]);
    let left = context.parallelize([(1, 'a'), (1, 'a'), (2, 'b'), (3, 'c')], 2);
    let right = context.parallelize([(1, 20), (1, 30), (4, 40)], 2);
    let rest = left.subtract_by_key(&right);
    assert_eq!(rest.num_partitions(), left.num_partitions());
    assert_eq!(sorted(rest.collect().unwrap()), [(2, 'b'), (3, 'c')]);
    assert_eq!(context.empty_rdd().subtract(&b).collect().unwrap(), [0; 0]);
}

#[test]
fn sparks_intersection() {
    let context = context();
    let all = context.parallelize(1..=10, 2);
    let evens = context.parallelize((2..=10).step_by(2), 2);
    assert_eq!(sorted(all.intersection(&evens).collect().unwrap()), [2, 4, 6, 8, 10]);
    assert_eq!(sorted(evens.intersection(&all).collect().unwrap()), [2, 4, 6, 8, 10]);
}

#[test]
fn sparks_lookup() {
    let pairs = context().parallelize([(1, 2), (3, 4), (5, 6), (5, 7)], 2);
    for pairs in [pairs.clone(), pairs.partition_by(3)] {
        assert_eq!(pairs.lookup(1).unwrap(), [2]);
        assert_eq!(pairs.lookup(5).unwrap(), [6, 7]);
        assert_eq!(pairs.lookup(-1).unwrap(), [0; 0]);
    }
}

/// Records and values of Spark's JavaAPISuite.
#[test]
fn sparks_variances() {
    let numbers = context().parallelize([1.0, 1.0, 2.0, 3.0, 5.0, 8.0], 2);
    let found = [
        (numbers.variance(), 6.22222),
        (numbers.sample_variance(), 7.46667),
        (numbers.stdev(), 2.49444),
        (numbers.sample_stdev(), 2.73252),
    ];
    for (found, expected) in found {
        let found = found.unwrap();
        assert!((found - expected).abs() < 0.00001, "{found}, not {expected}");
    }
    let one = context().parallelize([7], 3);
    assert!(one.sample_variance().unwrap().is_nan() && one.sample_stdev().unwrap().is_nan());
}

#[test]
fn records_are_compared_in_ways_of_ones_own() {
    let context = context();
    let words = context.parallelize(["to", "be", "or", "not", "the", "question"].map(String::from), 3);
    let by_length = |a: &String, b: &String| a.len().cmp(&b.len());
    assert_eq!(words.max_by(by_length).unwrap().as_deref(), Some("question"));
    // Of those that are alike the last is the greatest and the first the least.
    assert_eq!(words.max_by(|_, _| Ordering::Equal).unwrap().as_deref(), Some("question"));
    assert_eq!(words.min_by(by_length).unwrap().as_deref(), Some("to"));
    let last = |a: &String, b: &String| a.chars().last().cmp(&b.chars().last());
    assert_eq!(words.top_by(2, last).unwrap(), ["not", "or"]);
    assert_eq!(
        words.take_ordered_by(3, move |a, b| last(a, b).then(b.cmp(a))).unwrap(),
        ["the", "be", "question"]
    );
    let floats = context.parallelize([0.5, f64::NEG_INFINITY, -0.0, 0.0, 2.5], 2);
    assert_eq!(floats.max_by(f64::total_cmp).unwrap(), Some(2.5));
    assert_eq!(floats.take_ordered_by(2, f64::total_cmp).unwrap(), [f64::NEG_INFINITY, -0.0]);
    let none = context.empty_rdd::<String>();
    assert_eq!((none.max_by(by_length).unwrap(), none.min_by(by_length).unwrap()), (None, None));
}

#[test]
fn values_are_reduced_by_key_here() {
    let pairs = context().parallelize([('a', 1), ('b', 2), ('a', 3), ('c', 4), ('a', 5)], 3);
    let sums = pairs.reduce_by_key_locally(|a, b| a + b).unwrap();
    assert_eq!(sums, HashMap::from([('a', 9), ('b', 2), ('c', 4)]));
    assert_eq!(pairs.filter(|_| false).reduce_by_key_locally(|a, b| a + b).unwrap(), HashMap::new());
    // Also where the results of the partitions are merged.
    let apart = pairs.filter(|(key, _)| *key == 'a').repartition(3);
    let error = apart.reduce_by_key_locally(|_, _| panic!("no luck")).unwrap_err().to_string();
    assert!(error.contains("reduce_by_key_locally at") && error.contains("no luck"), "{error}");
}

/// Spark's JavaAPISuite: a hundred different numbers, and as many values of a key as the key says.
#[test]
fn sparks_approximate_counts() {
    let numbers = context().parallelize((0..100_000).map(|n| n % 100), 10);
    let counted = numbers.count_approx_distinct().unwrap();
    assert!(counted.abs_diff(100) < 10, "{counted}");
    let pairs = context().parallelize((10..100).flat_map(|key| (0..key).map(move |n| (key, n))), 10);
    let counts = pairs.count_approx_distinct_by_key().collect().unwrap();
    assert_eq!(counts.len(), 90);
    for (key, count) in counts {
        assert!(count.abs_diff(key) as f64 / (key as f64) < 0.2, "{key}: {count}");
    }
}

#[test]
fn partitioning_that_is_said_to_be_preserved_saves_a_shuffle_and_is_looked_at() {
    let context = context();
    let halves = || Partitioner::custom_env(2, (), |(), key: &i32| usize::from(*key >= 5));
    let pairs = context.parallelize(0..100, 4).map(|n| (n % 10, n)).partition_by(halves());
    let scaled = pairs.map(|(key, n)| (key, 2 * n));
    let told = scaled.preserving_partitioning_of(&pairs);
    assert_eq!((scaled.partitioned_by(), told.partitioned_by()), (None, pairs.partitioned_by()));
    let sums = told.reduce_by_key(|a, b| a + b);
    assert_eq!(sums.to_debug_string().matches("+-").count(), 1, "{}", sums.to_debug_string());
    assert_eq!(sorted(sums.collect().unwrap()), (0..10).map(|key| (key, 900 + 20 * key)).collect::<Vec<_>>());
    let moved = pairs.map(|(key, n)| (key + 5, n)).preserving_partitioning_of(&pairs).count();
    let error = moved.unwrap_err().to_string();
    assert!(
        error.contains("preserving_partitioning_of at") && error.contains("lies in partition"),
        "{error}"
    );
    let other = pairs.coalesce(1).preserving_partitioning_of(&pairs).count().unwrap_err().to_string();
    assert!(other.contains("different numbers of partitions, 1 and 2"), "{other}");
    // What is not spread by keys says nothing of another.
    assert_eq!(scaled.preserving_partitioning_of(&scaled).partitioned_by(), None);
}

#[test]
fn records_that_are_read_count_once_however_often_they_are_read() {
    let context = Context::new(Conf::empty().set_master("local[2,4]")).unwrap();
    let read = context.register(ReadCounts::default(), "read");
    let numbers = context.parallelize(0..20_000, 2).counting_reads(&read);
    assert_eq!(numbers.first().unwrap(), Some(0));
    // A part of the first partition.
    let few = read.value();
    assert!((1..10_000).contains(&few), "{few}");
    // What an attempt has read that fails counts as well, and once.
    let fails_once = numbers.filter(|n| {
        assert!(*n != 19_999 || TaskContext::get().is_some_and(|task| task.attempt_number() > 0), "no luck");
        n % 2 == 0
    });
    assert_eq!(fails_once.count().unwrap(), 10_000);
    assert_eq!((numbers.count().unwrap(), read.value()), (20_000, 20_000));
}

/// Spark's PipedRDDSuite.
#[test]
fn a_program_that_is_piped_to_has_the_variables_it_is_given() {
    let numbers = context().parallelize([1, 2, 3, 4], 2);
    let said = numbers.pipe_with(["printenv", "MY_TEST_ENV"], [("MY_TEST_ENV", "LALALA")]);
    assert_eq!(said.collect().unwrap(), ["LALALA", "LALALA"]);
    let script = "while read n; do echo \"$A$n$B\"; done";
    let said = numbers.pipe_with(["sh", "-c", script], [("A", "<"), ("B", ">")]);
    assert_eq!(partitions(&said), [["<1>", "<2>"], ["<3>", "<4>"]]);
}
