//! Every operator against the tables of Spark's own tests.

use std::sync::atomic::{AtomicUsize, Ordering};

use millstream_core::{Conf, Partitioner};
use millstream_streaming::DStream;
use millstream_streaming::testing::{Driver, batches, check, check_unordered};

use crate::tables::{SECOND, conf, pairs, rows, seconds, words};

fn one_to_twelve() -> Vec<Vec<i32>> {
    vec![(1..=4).collect(), (5..=8).collect(), (9..=12).collect()]
}

fn texts(input: Vec<Vec<i32>>) -> Vec<Vec<String>> {
    input.into_iter().map(|batch| batch.into_iter().map(|n| n.to_string()).collect()).collect()
}

#[test]
fn map() {
    check(one_to_twelve(), |s| s.map(|n| n.to_string()), texts(one_to_twelve()));
    check(one_to_twelve(), |s| s.map_ref(|n| n.to_string()), texts(one_to_twelve()));
}

#[test]
fn flat_map() {
    let expected =
        || batches![[1, 2, 2, 4, 3, 6, 4, 8], [5, 10, 6, 12, 7, 14, 8, 16], [9, 18, 10, 20, 11, 22, 12, 24]];
    check(one_to_twelve(), |s| s.flat_map(|n| [n, n * 2]), expected());
    check(one_to_twelve(), |s| s.flat_map_into(|n, out| out.extend([*n, n * 2])), expected());
}

#[test]
fn filter() {
    check(one_to_twelve(), |s| s.filter(|n| n % 2 == 0), batches![[2, 4], [6, 8], [10, 12]]);
}

#[test]
fn map_partitions() {
    check(
        one_to_twelve(),
        |s| s.map_partitions(|part| [part.sum::<i32>()]),
        batches![[3, 7], [11, 15], [19, 23]],
    );
}

#[test]
fn map_partitions_sees_empty_partitions() {
    check(batches![[], [7]], |s| s.map_partitions(|part| [part.count()]), batches![[0, 0], [0, 1]]);
}

#[test]
fn union() {
    let input = vec![(1..=4).collect(), (101..=104).collect(), (201..=204).collect()];
    let expected: Vec<Vec<i32>> = vec![(1..=8).collect(), (101..=108).collect(), (201..=208).collect()];
    check(input, |s| s.union(&s.map(|n| n + 4)), expected);
}

#[test]
fn union_of_three() {
    let input = vec![(1..=4).collect(), (101..=104).collect()];
    let expected: Vec<Vec<i32>> = vec![(1..=12).collect(), (101..=112).collect()];
    check(input, |s| s.union(&s.map(|n| n + 4)).union(&s.map(|n| n + 8)), expected);
}

#[test]
fn a_stream_united_with_itself_has_everything_twice() {
    check(batches![[1, 2], []], |s| s.union(s), batches![[1, 2, 1, 2], []]);
}

#[test]
fn transform() {
    check(one_to_twelve(), |s| s.transform(|rdd| rdd.map(|n| n.to_string())), texts(one_to_twelve()));
    let fallible = |s: &DStream<i32>| s.transform(|rdd| Ok::<_, std::io::Error>(rdd.map(|n| n.to_string())));
    check(one_to_twelve(), fallible, texts(one_to_twelve()));
}

/// Every process builds the partitioners of the graph's operators; what `transform` calls would have to send its own.
#[test]
fn a_partitioner_that_can_not_travel_is_refused_in_transform_alone() {
    let limit = std::env::args().count() as i32;
    let by = move || Partitioner::custom_env(2, (), move |(), n: &i32| usize::from(*n > limit));
    let sums = rows(vec![vec![(1, 1), (1, 2)]], |s| s.reduce_by_key_with(|a, b| a + b, by()), 1);
    assert_eq!(sums, [[(1, 3)]]);

    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    driver.collect(&driver.input(batches![[(1, 1)]]).transform(move |rdd| rdd.partition_by(by())));
    let error = driver.run(1).unwrap_err().to_string();
    for part in ["partition_by at ", "operators.rs:", "captures 4 bytes", "`Partitioner::custom_env("] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn transform_timed_is_given_the_batch_time() {
    check(
        batches![[1], [2], []],
        |s| s.transform_timed(|rdd, time| rdd.context().parallelize([time.as_millis()], 1)),
        batches![[1000], [2000], [3000]],
    );
}

#[test]
fn reduce_by_key() {
    check_unordered(
        vec![words("a a b"), vec![String::new(), String::new()], vec![]],
        |s| s.map(|word| (word, 1)).reduce_by_key(|a, b| a + b),
        vec![pairs(&[("a", 2), ("b", 1)]), pairs(&[("", 2)]), vec![]],
    );
}

#[test]
fn reduce_by_key_with_another_partitioner() {
    let input = || vec![pairs(&[("a", 1), ("b", 2), ("a", 3)]), vec![]];
    let expected = || vec![pairs(&[("a", 4), ("b", 2)]), vec![]];
    check_unordered(input(), |s| s.reduce_by_key_with(|a, b| a + b, 7), expected());
    check_unordered(input(), |s| s.reduce_by_key_with(|a, b| a + b, Partitioner::from(3)), expected());
    check_unordered(
        input(),
        |s| s.reduce_by_key_with(|a, b| a + b, 3).reduce_by_key_with(|a, b| a + b, 3),
        expected(),
    );
}

#[test]
fn count() {
    check(
        vec![vec![], vec![1], (1..=2).collect(), (1..=3).collect(), (1..=4).collect()],
        |s| s.count(),
        batches![[0], [1], [2], [3], [4]],
    );
}

#[test]
fn count_of_a_batch_without_partitions_is_zero() {
    let driver = Driver::new(Conf::empty(), SECOND).unwrap();
    let queue = millstream_streaming::RddQueue::<i32>::new();
    let counts = driver.collect(&driver.streaming().queue_stream(&queue).count());
    driver.run(2).unwrap();
    assert_eq!(counts.batches(), [[0], [0]]);
}

#[test]
fn operators_follow_each_other() {
    let word_count = |lines: &DStream<String>| {
        let words = lines.flat_map(|line| line.split(' ').map(String::from).collect::<Vec<_>>());
        words.filter(|word| !word.is_empty()).map(|word| (word, 1)).reduce_by_key(|a, b| a + b)
    };
    check_unordered(
        vec![vec!["to be or not".to_owned(), " to be ".to_owned()], vec![], vec!["be".to_owned()]],
        word_count,
        vec![pairs(&[("be", 2), ("not", 1), ("or", 1), ("to", 2)]), vec![], pairs(&[("be", 1)])],
    );
}

#[test]
fn closures_capture_what_they_like_while_the_graph_is_built() {
    let (factor, limit) = (10, vec![25]);
    check(
        batches![[1, 2, 3]],
        move |s| s.map(move |n| n * factor).filter(move |n| *n < limit[0]),
        batches![[10, 20]],
    );
}

/// Persistence: what a window keeps is computed once, however many windows it is in.
#[test]
fn what_a_window_reads_is_computed_once() {
    static COMPUTED: AtomicUsize = AtomicUsize::new(0);
    let noted = |s: &DStream<i32>| {
        let noted = s.map(|n| {
            COMPUTED.fetch_add(1, Ordering::Relaxed);
            n
        });
        noted.window(seconds(3), seconds(1))
    };
    let rows = rows(batches![[1], [2], [3], [4]], noted, 6);
    assert_eq!(rows, batches![[1], [1, 2], [1, 2, 3], [2, 3, 4], [3, 4], [4]]);
    assert_eq!(COMPUTED.load(Ordering::Relaxed), 4);
}

#[test]
fn a_stream_with_two_readers_is_described_once_and_computed_twice() {
    static DESCRIBED: AtomicUsize = AtomicUsize::new(0);
    static COMPUTED: AtomicUsize = AtomicUsize::new(0);
    let driver = Driver::new(Conf::empty(), SECOND).unwrap();
    let stream = driver.input(batches![[1], [2]]).transform(|rdd| {
        DESCRIBED.fetch_add(1, Ordering::Relaxed);
        rdd.map(|n| {
            COMPUTED.fetch_add(1, Ordering::Relaxed);
            n
        })
    });
    let (first, second) = (driver.collect(&stream), driver.collect(&stream.map(|n| -n)));
    driver.run(2).unwrap();
    assert_eq!(first.batches(), [[1], [2]]);
    assert_eq!(second.batches(), [[-1], [-2]]);
    assert_eq!(DESCRIBED.load(Ordering::Relaxed), 2);
    assert_eq!(COMPUTED.load(Ordering::Relaxed), 4);
}
