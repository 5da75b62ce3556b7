//! Operators that gather records, with the values of Spark's `BasicOperationsSuite`.

use std::time::Duration;

use millstream_core::{Conf, Context, Rdd};
use millstream_streaming::DStream;
use millstream_streaming::testing::{Driver, batches, check, check_unordered};

fn words(batches: Vec<Vec<&str>>) -> Vec<Vec<String>> {
    batches.into_iter().map(|batch| batch.into_iter().map(str::to_owned).collect()).collect()
}

type Pairs = DStream<(String, i32)>;

fn ones(words: &DStream<String>) -> Pairs {
    words.map(|word| (word, 1))
}

/// Runs an operation on two streams of words, the first paired with 1, the second with `x`.
fn two<T: millstream_core::Data + Ord>(
    left: Vec<Vec<&str>>,
    right: Vec<Vec<&str>>,
    operation: impl FnOnce(&Pairs, &DStream<(String, char)>) -> DStream<T>,
) -> Vec<Vec<T>> {
    let conf = Conf::empty().set_master("local[2]").set("millstream.closures.strict", "true");
    let driver = Driver::new(conf, Duration::from_secs(1)).unwrap();
    let batches = left.len();
    let left = ones(&driver.input(words(left)));
    let right = driver.input(words(right)).map(|word| (word, 'x'));
    let collected = driver.collect(&operation(&left, &right));
    driver.run(batches).unwrap();
    let mut batches = collected.batches();
    batches.iter_mut().for_each(|batch| batch.sort());
    batches
}

#[test]
fn group_by_key_gathers_values() {
    let group = |word: &str, values: &[i32]| (word.to_owned(), values.to_vec());
    check_unordered(
        words(batches![["a", "a", "b"], ["", ""], []]),
        |words| ones(words).group_by_key(),
        batches![[group("a", &[1, 1]), group("b", &[1])], [group("", &[1, 1])], []],
    );
}

#[test]
fn reduce_merges_a_batch() {
    let numbers = [1..=4, 5..=8, 9..=12].map(|range| range.collect::<Vec<i32>>()).to_vec();
    check(numbers, |numbers| numbers.reduce(|a, b| a + b), batches![[10], [26], [42]]);
}

#[test]
fn cogroup_sets_the_values_of_two_streams_side_by_side() {
    let grouped = |word: &str, ones: usize, xs: usize| (word.to_owned(), (vec![1; ones], vec!['x'; xs]));
    let actual = two(
        batches![["a", "a", "b"], ["a", ""], [""], []],
        batches![["a", "a", "b"], ["b", ""], [], []],
        |left, right| left.cogroup(right),
    );
    let expected = batches![
        [grouped("a", 2, 2), grouped("b", 1, 1)],
        [grouped("", 1, 1), grouped("a", 1, 0), grouped("b", 0, 1)],
        [grouped("", 1, 0)],
        [],
    ];
    assert_eq!(actual, expected);
}

#[test]
fn transform_with_sees_the_batches_of_both_streams() {
    let actual = two(
        batches![["a", "b"], ["a", ""], [""], []],
        batches![["a", "b"], ["b", ""], [], []],
        |left, right| {
            left.transform_with(right, |left, right| {
                left.cogroup(&right).flat_map(|(word, (ones, xs))| {
                    ones.into_iter().zip(xs).map(move |pair| (word.clone(), pair))
                })
            })
        },
    );
    let joined = |word: &str| (word.to_owned(), (1, 'x'));
    assert_eq!(actual, batches![[joined("a"), joined("b")], [joined("")], [], []]);
}

#[test]
fn streams_of_different_slides_are_refused_at_the_start() {
    let second = Duration::from_secs(1);
    let driver = Driver::new(Conf::empty(), second).unwrap();
    let pairs = driver.input(batches![[(1, 2)]]);
    pairs.cogroup(&pairs.window(2 * second, 2 * second)).print_with(1);
    let problem = driver.start().err().unwrap().to_string();
    assert!(problem.contains("cogroup at ") && problem.contains("different slides, 1s and 2s"), "{problem}");
}

#[test]
fn streams_of_two_contexts_are_refused_at_the_start() {
    let second = Duration::from_secs(1);
    let (driver, other) =
        (Driver::new(Conf::empty(), second).unwrap(), Driver::new(Conf::empty(), second).unwrap());
    driver.input(batches![[(1, 2)]]).cogroup(&other.input(batches![[(1, 3)]])).print_with(1);
    let problem = driver.start().err().unwrap().to_string();
    assert!(problem.contains("cogroup at ") && problem.contains("different streaming contexts"), "{problem}");
}

#[test]
fn an_rdd_is_joined_with_every_batch() {
    fn with_rdd<T: millstream_core::Data + Ord>(
        operation: impl FnOnce(&Pairs, &Rdd<(String, char)>) -> DStream<T>,
    ) -> Vec<Vec<T>> {
        let driver = Driver::new(Conf::empty().set_master("local[2]"), Duration::from_secs(1)).unwrap();
        let left = ones(&driver.input(words(batches![["a", "b"], ["b", "c"], []])));
        let right = left.context().parallelize([("a".to_owned(), 'x'), ("b".to_owned(), 'y')], 2);
        let collected = driver.collect(&operation(&left, &right));
        driver.run(3).unwrap();
        let mut batches = collected.batches();
        batches.iter_mut().for_each(|batch| batch.sort());
        batches
    }
    let key = str::to_owned;
    assert_eq!(
        with_rdd(|left, right| left.join(right)),
        batches![[(key("a"), (1, 'x')), (key("b"), (1, 'y'))], [(key("b"), (1, 'y'))], []]
    );
    assert_eq!(
        with_rdd(|left, right| left.left_outer_join_with(right, 3)),
        batches![
            [(key("a"), (1, Some('x'))), (key("b"), (1, Some('y')))],
            [(key("b"), (1, Some('y'))), (key("c"), (1, None))],
            []
        ]
    );
    assert_eq!(
        with_rdd(|left, right| left.right_outer_join(right)),
        batches![
            [(key("a"), (Some(1), 'x')), (key("b"), (Some(1), 'y'))],
            [(key("a"), (None, 'x')), (key("b"), (Some(1), 'y'))],
            [(key("a"), (None, 'x')), (key("b"), (None, 'y'))]
        ]
    );
    assert_eq!(
        with_rdd(|left, right| left.full_outer_join(right)).pop(),
        Some(vec![(key("a"), (None, Some('x'))), (key("b"), (None, Some('y')))])
    );
    assert_eq!(
        with_rdd(|left, right| left.cogroup(right)).pop(),
        Some(vec![(key("a"), (vec![], vec!['x'])), (key("b"), (vec![], vec!['y']))])
    );
}

#[test]
fn an_rdd_meets_the_windows_of_a_stream_with_a_longer_slide() {
    let driver = Driver::new(Conf::empty(), Duration::from_secs(1)).unwrap();
    let pairs = driver.input(batches![[(1, 'a')], [(2, 'b')], [(1, 'c')], [(1, 'd')]]);
    let names = pairs.context().parallelize([(1, "one".to_owned())], 1);
    let windows = pairs.window(Duration::from_secs(2), Some(Duration::from_secs(2)));
    let joined = driver.collect(&windows.join_with(&names, 1));
    driver.run(4).unwrap();
    let one = |letter| (1, (letter, "one".to_owned()));
    assert_eq!(joined.batches(), batches![[one('a')], [one('c'), one('d')]]);
}

#[test]
fn an_rdd_of_another_context_is_refused() {
    let other = Context::new(Conf::empty()).unwrap().parallelize([(1, 'x')], 1);
    let driver = Driver::new(Conf::empty(), Duration::from_secs(1)).unwrap();
    let pairs = driver.input(batches![[(1, 'a')]]);
    driver.collect(&pairs.join(&other));
    let error = driver.run(1).unwrap_err().to_string();
    assert!(error.contains("join at ") && error.contains("belong to different contexts"), "{error}");
}

#[test]
fn a_batch_that_is_an_rdd_of_another_context_is_refused() {
    let other = Context::new(Conf::empty()).unwrap().parallelize([7], 1);
    let driver = Driver::new(Conf::empty(), Duration::from_secs(1)).unwrap();
    let theirs = other.clone();
    driver.collect(&driver.input(batches![[1]]).transform(move |_| theirs.clone()));
    let error = driver.run(1).unwrap_err().to_string();
    assert!(error.contains("transform at ") && error.contains("RDD of another context"), "{error}");

    let driver = Driver::new(Conf::empty(), Duration::from_secs(1)).unwrap();
    driver.collect(&driver.streaming().constant_stream(&other));
    let error = driver.run(1).unwrap_err().to_string();
    assert!(error.contains("constant_stream at ") && error.contains("another context"), "{error}");
}
