//! The cases of Spark's BasicOperationsSuite and WindowOperationsSuite: their inputs and what comes out.

use std::time::Duration;

use millstream_core::Conf;
use millstream_streaming::testing::{Driver, batches, check, check_unordered};
use millstream_streaming::{DStream, RddQueue, Time, WindowKeys};

use crate::tables::table;

const SECOND: Duration = Duration::from_secs(1);

type Words = Vec<Vec<&'static str>>;

fn owned(words: Words) -> Vec<Vec<String>> {
    words.into_iter().map(|batch| batch.into_iter().map(String::from).collect()).collect()
}

/// The batches of an operation on two streams, each batch sorted.
fn of_two<U: millstream_core::Data + Ord>(
    left: Words,
    right: Words,
    operation: impl FnOnce(&DStream<(String, i32)>, &DStream<(String, String)>) -> DStream<U>,
) -> Vec<Vec<U>> {
    let driver = Driver::new(Conf::empty().set_master("local[2]"), SECOND).unwrap();
    let batches = left.len();
    let ones = driver.input(owned(left)).map(|word| (word, 1));
    let exes = driver.input(owned(right)).map(|word| (word, "x".to_owned()));
    let collected = driver.collect(&operation(&ones, &exes));
    driver.run(batches).unwrap();
    let mut batches = collected.batches();
    batches.iter_mut().for_each(|batch| batch.sort());
    batches
}

fn left() -> Words {
    vec![vec!["a", "b"], vec!["a", ""], vec![""], vec![]]
}

fn right() -> Words {
    vec![vec!["a", "b"], vec!["b", ""], vec![], vec![""]]
}

fn x() -> String {
    "x".to_owned()
}

/// The numbers from 1, 101 and 201 on, so many in each batch.
fn hundreds(n: i32) -> Vec<Vec<i32>> {
    [1, 101, 201].map(|from| (from..from + n).collect()).to_vec()
}

#[test]
fn basic_operations() {
    let numbers = || vec![(1..=4).collect(), (5..=8).collect(), (9..=12).collect::<Vec<i32>>()];
    check(
        numbers(),
        |s| s.map(|n| n.to_string()),
        vec![
            ["1", "2", "3", "4"].map(String::from).to_vec(),
            ["5", "6", "7", "8"].map(String::from).to_vec(),
            ["9", "10", "11", "12"].map(String::from).to_vec(),
        ],
    );
    check(
        numbers(),
        |s| s.flat_map(|n| [n, n * 2]),
        batches![[1, 2, 2, 4, 3, 6, 4, 8], [5, 10, 6, 12, 7, 14, 8, 16], [9, 18, 10, 20, 11, 22, 12, 24],],
    );
    check(numbers(), |s| s.filter(|n| n % 2 == 0), batches![[2, 4], [6, 8], [10, 12]]);
    check(
        numbers(),
        |s| s.glom(),
        batches![[vec![1, 2], vec![3, 4]], [vec![5, 6], vec![7, 8]], [vec![9, 10], vec![11, 12]],],
    );
    check(
        numbers(),
        |s| s.map_partitions(|records| [records.sum::<i32>()]),
        batches![[3, 7], [11, 15], [19, 23]],
    );
    check(vec![vec![], vec![1], vec![1, 2], vec![1, 2, 3, 4]], |s| s.count(), batches![[0], [1], [2], [4]]);
    check(numbers(), |s| s.reduce(|a, b| a + b), batches![[10], [26], [42]]);
    check_unordered(
        vec![vec![1], vec![1, 1, 1], vec![1, 2], vec![1, 1, 2, 2]],
        |s| s.count_by_value_with(2),
        batches![[(1, 1)], [(1, 3)], [(1, 1), (2, 1)], [(1, 2), (2, 2)]],
    );
    check(
        numbers(),
        |s| s.union(&s.map(|n| n + 4)),
        vec![(1..=8).collect(), (5..=12).collect(), (9..=16).collect::<Vec<i32>>()],
    );
    check(hundreds(4), |s| s.union(&s.map(|n| n + 4)), hundreds(8));
    check_unordered(
        numbers(),
        |s| s.transform(|rdd| rdd.map(|n| n.to_string())),
        vec![
            ["1", "2", "3", "4"].map(String::from).to_vec(),
            ["5", "6", "7", "8"].map(String::from).to_vec(),
            ["9", "10", "11", "12"].map(String::from).to_vec(),
        ],
    );
}

#[test]
fn repartitions() {
    let input = || [1, 101, 201].map(|from| (from..from + 100).collect::<Vec<i32>>());
    for (before, after) in [(2, 5), (5, 2)] {
        let driver = Driver::new(Conf::empty().set_master("local[2]"), SECOND).unwrap();
        let (context, queue) = (driver.context().clone(), RddQueue::new());
        input().into_iter().for_each(|numbers| queue.push(context.parallelize(numbers, before)));
        let parts = driver.collect(&driver.streaming().queue_stream(&queue).repartition(after).glom());
        driver.run(3).unwrap();
        for (parts, numbers) in parts.batches().into_iter().zip(input()) {
            assert_eq!(parts.len(), after);
            let mut found = parts.concat();
            found.sort_unstable();
            assert_eq!(found, numbers);
        }
    }
}

#[test]
fn unions_and_transforms_of_three_streams_with_one_source() {
    let three = |s: &DStream<i32>| [s.clone(), s.map(|n| n + 4), s.map(|n| n + 8)];
    let driver = Driver::new(Conf::empty(), SECOND).unwrap();
    let input = driver.input(hundreds(4));
    let union = driver.collect(&driver.streaming().union(three(&input)));
    let transformed = driver.streaming().transform(three(&input), |rdds, _| {
        let context = rdds[0].context().clone();
        context.union(rdds)
    });
    let transformed = driver.collect(&transformed);
    driver.run(3).unwrap();
    assert_eq!(union.batches(), hundreds(12));
    assert_eq!(transformed.batches(), hundreds(12));
}

#[test]
fn unions_and_transforms_of_n_streams() {
    let driver = Driver::new(Conf::empty(), SECOND).unwrap();
    let streams = || {
        [1, 101, 201]
            .map(|from| driver.input(vec![(from..from + 4).collect(), (from + 4..from + 8).collect()]))
    };
    let unions = driver.collect(&driver.streaming().union(streams()));
    let first_and_last = driver.streaming().transform(streams(), |rdds, _| rdds[0].union(&rdds[2]));
    let picked = driver.collect(&first_and_last);
    driver.run(2).unwrap();
    let joined =
        |from: &[i32], start: i32| from.iter().flat_map(|n| n + start..n + start + 4).collect::<Vec<i32>>();
    assert_eq!(unions.batches(), [joined(&[1, 101, 201], 0), joined(&[1, 101, 201], 4)]);
    assert_eq!(picked.batches(), [joined(&[1, 201], 0), joined(&[1, 201], 4)]);
}

#[test]
fn a_transform_of_streams_of_different_records() {
    let driver = Driver::new(Conf::empty(), SECOND).unwrap();
    let numbers = driver.input(vec![vec![1, 2], vec![], vec![3]]);
    let texts = driver.input(owned(vec![vec!["a"], vec!["b"], vec![]]));
    let flags = driver.input(vec![vec![true], vec![false, true], vec![]]);
    let all = driver.streaming().transform((numbers, texts, flags), |(numbers, texts, flags), time| {
        let numbers = numbers.map(|n| n.to_string()).union(&texts).union(&flags.map(|flag| flag.to_string()));
        numbers.map_env(time.as_millis(), |time, text| format!("{time} {text}"))
    });
    let collected = driver.collect(&all);
    driver.run(3).unwrap();
    let expected = vec![
        vec!["1000 1", "1000 2", "1000 a", "1000 true"],
        vec!["2000 b", "2000 false", "2000 true"],
        vec!["3000 3"],
    ];
    assert_eq!(collected.batches(), owned(expected));
}

#[test]
fn operations_on_pairs() {
    let words = || owned(vec![vec!["a", "a", "b"], vec!["", ""], vec![]]);
    check_unordered(
        words(),
        |s| s.map(|w| (w, 1)).group_by_key(),
        table(&[&[("a", vec![1, 1]), ("b", vec![1])], &[("", vec![1, 1])], &[]]),
    );
    for partitions in [1, 3] {
        check_unordered(
            words(),
            |s| s.map(|w| (w, 1)).group_by_key_with(partitions),
            table(&[&[("a", vec![1, 1]), ("b", vec![1])], &[("", vec![1, 1])], &[]]),
        );
    }
    check_unordered(
        words(),
        |s| s.map(|w| (w, 1)).reduce_by_key(|a, b| a + b),
        table(&[&[("a", 2), ("b", 1)], &[("", 2)], &[]]),
    );
    check_unordered(
        words(),
        |s| s.map(|w| (w, 1)).combine_by_key(|n| n, |sum, n| sum + n, |a, b| a + b),
        table(&[&[("a", 2), ("b", 1)], &[("", 2)], &[]]),
    );
    check_unordered(
        words(),
        |s| s.map(|w| (w, 1)).reduce_by_key(|a, b| a + b).map_values(|n| n + 10),
        table(&[&[("a", 12), ("b", 11)], &[("", 12)], &[]]),
    );
    check_unordered(
        words(),
        |s| s.map(|w| (w, 1)).reduce_by_key(|a, b| a + b).flat_map_values(|n| [n, n + 10]),
        table(&[&[("a", 2), ("a", 12), ("b", 1), ("b", 11)], &[("", 2), ("", 12)], &[]]),
    );
}

#[test]
fn cogroup_and_joins() {
    let grouped = of_two(
        vec![vec!["a", "a", "b"], vec!["a", ""], vec![""], vec![]],
        vec![vec!["a", "a", "b"], vec!["b", ""], vec![], vec![]],
        |ones, exes| ones.cogroup(exes),
    );
    let expected = table(&[
        &[("a", (vec![1, 1], vec![x(), x()])), ("b", (vec![1], vec![x()]))],
        &[("", (vec![1], vec![x()])), ("a", (vec![1], vec![])), ("b", (vec![], vec![x()]))],
        &[("", (vec![1], vec![]))],
        &[],
    ]);
    assert_eq!(grouped, expected);

    let expected = table(&[&[("a", (1, x())), ("b", (1, x()))], &[("", (1, x()))], &[], &[]]);
    assert_eq!(of_two(left(), right(), |ones, exes| ones.join(exes)), expected);
    let transformed =
        of_two(left(), right(), |ones, exes| ones.transform_with(exes, |ones, exes| ones.join(&exes)));
    assert_eq!(transformed, expected);
    let batch = |time: Time| time.as_millis() / 1000;
    let transformed = of_two(left(), right(), |ones, exes| {
        ones.transform_with_timed(exes, move |ones, exes, time| {
            ones.join(&exes).map_values_env(batch(time), |batch, (one, x)| (one * 10 + *batch as i32, x))
        })
    });
    let of_batch =
        |rows: &[(&'static str, i32)]| rows.iter().map(|&(w, n)| (w, (n, x()))).collect::<Vec<_>>();
    let rows = [of_batch(&[("a", 11), ("b", 11)]), of_batch(&[("", 12)]), Vec::new(), Vec::new()];
    assert_eq!(transformed, table(&rows.each_ref().map(Vec::as_slice)));

    let joined = of_two(left(), right(), |ones, exes| ones.left_outer_join(exes));
    let expected = table(&[
        &[("a", (1, Some(x()))), ("b", (1, Some(x())))],
        &[("", (1, Some(x()))), ("a", (1, None))],
        &[("", (1, None))],
        &[],
    ]);
    assert_eq!(joined, expected);

    let joined = of_two(left(), right(), |ones, exes| ones.right_outer_join(exes));
    let expected = table(&[
        &[("a", (Some(1), x())), ("b", (Some(1), x()))],
        &[("", (Some(1), x())), ("b", (None, x()))],
        &[],
        &[("", (None, x()))],
    ]);
    assert_eq!(joined, expected);

    let joined = of_two(left(), right(), |ones, exes| ones.full_outer_join(exes));
    let expected = table(&[
        &[("a", (Some(1), Some(x()))), ("b", (Some(1), Some(x())))],
        &[("", (Some(1), Some(x()))), ("a", (Some(1), None)), ("b", (None, Some(x())))],
        &[("", (Some(1), None))],
        &[("", (None, Some(x())))],
    ]);
    assert_eq!(joined, expected);
}

#[test]
fn a_stream_joins_a_dataset() {
    let driver = Driver::new(Conf::empty(), SECOND).unwrap();
    let spam = driver.context().parallelize([("b".to_owned(), true)], 2).persist();
    let words = driver.input(owned(vec![vec!["a", "b"], vec!["b"]]));
    let clean = words.transform(move |words| {
        words.key_by(String::clone).left_outer_join(&spam).filter(|(_, (_, spam))| spam.is_none()).keys()
    });
    let collected = driver.collect(&clean);
    driver.run(2).unwrap();
    assert_eq!(collected.batches(), owned(vec![vec!["a"], vec![]]));
}

/// `a`, `b` and `c` come, go and come again.
fn big_input() -> Vec<Vec<(String, i32)>> {
    let half = || {
        table(&[
            &[("a", 1)],
            &[("a", 1), ("b", 1)],
            &[("a", 1), ("b", 1), ("c", 1)],
            &[("a", 1), ("b", 1)],
            &[("a", 1)],
            &[],
        ])
    };
    [half(), half()].concat()
}

#[test]
fn windows_of_keys_that_come_and_go() {
    let sums: [&[(&str, i32)]; 6] = [
        &[("a", 1)],
        &[("a", 2), ("b", 1)],
        &[("a", 2), ("b", 2), ("c", 1)],
        &[("a", 2), ("b", 2), ("c", 1)],
        &[("a", 2), ("b", 1)],
        &[("a", 1)],
    ];
    let twice = table(&[sums, sums].concat());
    check_unordered(
        big_input(),
        |s| s.reduce_by_key_and_window(|a, b| a + b, 2 * SECOND, SECOND),
        twice.clone(),
    );
    let (add, take) = (|a: i32, b: i32| a + b, |a: i32, b: i32| a - b);
    for keys in [WindowKeys::only(|_, sum| *sum != 0), WindowKeys::InWindow] {
        let window = |s: &DStream<(String, i32)>| {
            s.reduce_by_key_and_window_keeping(add, take, 2 * SECOND, None, 2, keys)
        };
        check_unordered(big_input(), window, twice.clone());
    }
    let with_zeros = table(&[
        &[("a", 1)],
        &[("a", 2), ("b", 1)],
        &[("a", 2), ("b", 2), ("c", 1)],
        &[("a", 2), ("b", 2), ("c", 1)],
        &[("a", 2), ("b", 1), ("c", 0)],
        &[("a", 1), ("b", 0), ("c", 0)],
        &[("a", 1), ("b", 0), ("c", 0)],
        &[("a", 2), ("b", 1), ("c", 0)],
        &[("a", 2), ("b", 2), ("c", 1)],
        &[("a", 2), ("b", 2), ("c", 1)],
        &[("a", 2), ("b", 1), ("c", 0)],
        &[("a", 1), ("b", 0), ("c", 0)],
    ]);
    check_unordered(
        big_input(),
        |s| s.reduce_by_key_and_window_with_inverse(add, take, 2 * SECOND, SECOND),
        with_zeros,
    );
    let grouped = twice
        .into_iter()
        .map(|batch| batch.into_iter().map(|(key, n)| (key, vec![1; n as usize])).collect())
        .collect::<Vec<Vec<_>>>();
    check_unordered(big_input(), |s| s.group_by_key_and_window(2 * SECOND, SECOND), grouped);
}

#[test]
fn windows_of_single_records() {
    let numbers = || vec![vec![1], vec![1], vec![1, 2], vec![0], vec![], vec![]];
    check(numbers(), |s| s.count_by_window(2 * SECOND, SECOND), batches![[1], [2], [3], [3], [1], [0]]);
    let sums = batches![[1], [2], [4], [3], [0], [0]];
    check(
        numbers(),
        |s| s.reduce_by_window_with_inverse(|a, b| a + b, |a, b| a - b, 2 * SECOND, None),
        sums.clone(),
    );
    check(
        numbers(),
        |s| s.reduce_by_window(|a, b| a + b, 2 * SECOND, SECOND),
        batches![[1], [2], [4], [3], [0], []],
    );
    check_unordered(
        owned(vec![vec!["a"], vec!["b", "b"], vec!["a", "b"]]),
        |s| s.count_by_value_and_window(2 * SECOND, SECOND),
        table(&[&[("a", 1)], &[("a", 1), ("b", 2)], &[("a", 1), ("b", 3)]]),
    );
}

#[test]
fn a_window_forgets_keys_without_records_however_many_there_were() {
    // Each batch has a key of its own: a window of three batches never holds more than three.
    let input = (0..100).map(|n| vec![(n, 1)]).collect();
    let driver = Driver::new(Conf::empty(), SECOND).unwrap();
    let windows = driver.input(input).reduce_by_key_and_window_keeping(
        |a, b| a + b,
        |a, b| a - b,
        3 * SECOND,
        None,
        2,
        WindowKeys::InWindow,
    );
    let collected = driver.collect(&windows);
    driver.run(103).unwrap();
    let held: Vec<usize> = collected.batches().iter().map(Vec::len).collect();
    let expected: Vec<usize> = [1, 2].into_iter().chain([3; 98]).chain([2, 1, 0]).collect();
    assert_eq!(held, expected);
}

#[test]
fn slices_are_taken_of_a_running_stream() {
    let driver = Driver::new(Conf::empty(), SECOND).unwrap();
    let numbers = driver.input(batches![[1], [2], [3], [4]]);
    driver.streaming().remember(100 * SECOND);
    numbers.foreach_rdd(|_| ());
    let early = numbers
        .slice(millstream_streaming::Time::from_millis(0), millstream_streaming::Time::from_millis(1000));
    assert!(early.err().unwrap().to_string().contains("has not been started"));
    let steps = driver.start().unwrap();
    for _ in 0..4 {
        steps.step().unwrap();
    }
    let slice = |from, to| -> Vec<i32> {
        let time = millstream_streaming::Time::from_millis;
        numbers.slice(time(from), time(to)).unwrap().iter().flat_map(|rdd| rdd.collect().unwrap()).collect()
    };
    assert_eq!(slice(0, 1000), [1]);
    assert_eq!(slice(0, 2000), [1, 2]);
    assert_eq!(slice(1000, 2000), [1, 2]);
    assert_eq!(slice(2000, 4000), [2, 3, 4]);
    assert_eq!(slice(2999, 3001), [2, 3]); // between batches: the one before
}

#[test]
fn streams_that_do_not_fit_are_refused_at_start() {
    let driver = Driver::new(Conf::empty(), SECOND).unwrap();
    driver.streaming().union(Vec::<DStream<i32>>::new()).print();
    let error = driver.start().err().unwrap().to_string();
    assert!(error.contains("there are no streams") && error.contains("sparks_values.rs"), "{error}");

    let driver = Driver::new(Conf::empty(), SECOND).unwrap();
    let numbers = driver.input(batches![[(1, 1)]]);
    numbers.join(&numbers.window(2 * SECOND, 2 * SECOND)).print();
    let error = driver.start().err().unwrap().to_string();
    assert!(error.contains("join at") && error.contains("different slides"), "{error}");

    let (one, other) =
        (Driver::new(Conf::empty(), SECOND).unwrap(), Driver::new(Conf::empty(), SECOND).unwrap());
    one.streaming().union([other.input(batches![[1]])]).print();
    let error = one.start().err().unwrap().to_string();
    assert!(error.contains("different streaming contexts"), "{error}");
}
