//! The cases of PySpark's suites of streams whose values no other suite has.

use std::sync::mpsc;

use millstream_streaming::testing::{Driver, batches, check, check_unordered};
use millstream_streaming::{DStream, RddQueue, Time, WindowKeys};

use crate::file_streams::{Directory, put};
use crate::recovery::at;
use crate::tables::{SECOND, conf, pairs, rows, run_on, seconds, sorted, step};

/// The numbers below each of `ends`, a batch each.
fn below(ends: impl IntoIterator<Item = i32>) -> Vec<Vec<i32>> {
    ends.into_iter().map(|end| (0..end).collect()).collect()
}

/// Keys of several types are text here.
fn keyed() -> Vec<Vec<(String, i32)>> {
    vec![
        pairs(&[("1", 1), ("2", 1), ("3", 1), ("4", 1)]),
        pairs(&[("1", 1), ("1", 1), ("1", 1), ("2", 1), ("2", 1), ("3", 1)]),
        pairs(&[("a", 1), ("a", 1), ("b", 1), ("", 1), ("", 1), ("", 1)]),
    ]
}

#[test]
fn records_one_by_one() {
    check(below([5, 10, 20]), |s| s.count(), batches![[5], [10], [20]]);
    let counted = vec![
        ["1", "2", "3", "4", "1", "2", "3", "4"].map(String::from).to_vec(),
        ["5", "6", "5", "6", "7", "8"].map(String::from).to_vec(),
        ["a", "a", "b", ""].map(String::from).to_vec(),
    ];
    check_unordered(
        counted,
        |s| s.count_by_value().map_values(|count| count as i32),
        vec![
            pairs(&[("1", 2), ("2", 2), ("3", 2), ("4", 2)]),
            pairs(&[("5", 2), ("6", 2), ("7", 1), ("8", 1)]),
            pairs(&[("a", 2), ("b", 1), ("", 1)]),
        ],
    );
    let halves = vec![(1..5).collect::<Vec<i32>>(), (5..9).collect()];
    check(halves, |s| s.repartition(1).glom().map(sorted), batches![[vec![1, 2, 3, 4]], [vec![5, 6, 7, 8]]]);
}

#[test]
fn pairs_by_key() {
    check_unordered(
        vec![
            pairs(&[("a", 1), ("a", 1), ("b", 1), ("b", 1)]),
            pairs(&[("", 1); 4]),
            pairs(&[("1", 1), ("1", 1), ("2", 1), ("2", 1), ("3", 1)]),
        ],
        |s| s.reduce_by_key(|a, b| a + b),
        vec![pairs(&[("a", 2), ("b", 2)]), pairs(&[("", 4)]), pairs(&[("1", 2), ("2", 2), ("3", 1)])],
    );
    let numbers = || {
        vec![
            pairs(&[("a", 2), ("b", 2), ("c", 1), ("d", 1)]),
            pairs(&[("0", 4), ("1", 1), ("2", 2), ("3", 3)]),
            pairs(&[("1", 1), ("2", 1), ("3", 1), ("4", 1)]),
        ]
    };
    check(
        numbers(),
        |s| s.map_values(|n| n + 10),
        vec![
            pairs(&[("a", 12), ("b", 12), ("c", 11), ("d", 11)]),
            pairs(&[("0", 14), ("1", 11), ("2", 12), ("3", 13)]),
            pairs(&[("1", 11), ("2", 11), ("3", 11), ("4", 11)]),
        ],
    );
    check(
        numbers(),
        |s| s.flat_map_values(|n| [n, n + 10]),
        vec![
            pairs(&[("a", 2), ("a", 12), ("b", 2), ("b", 12), ("c", 1), ("c", 11), ("d", 1), ("d", 11)]),
            pairs(&[("0", 4), ("0", 14), ("1", 1), ("1", 11), ("2", 2), ("2", 12), ("3", 3), ("3", 13)]),
            pairs(&[("1", 1), ("1", 11), ("2", 1), ("2", 11), ("3", 1), ("3", 11), ("4", 1), ("4", 11)]),
        ],
    );
    // As many ones as there were.
    let ones = || {
        vec![
            pairs(&[("1", 1), ("2", 1), ("3", 1), ("4", 1)]),
            pairs(&[("1", 111), ("2", 11), ("3", 1)]),
            pairs(&[("a", 11), ("b", 1), ("", 111)]),
        ]
    };
    let digits =
        |values: Vec<i32>| values.iter().map(i32::to_string).collect::<String>().parse().unwrap_or_default();
    check_unordered(keyed(), move |s| s.group_by_key().map_values(digits), ones());
    check_unordered(
        keyed(),
        |s| {
            let texts = s.combine_by_key(|n| n.to_string(), |a, b| a + &b.to_string(), |a, b| a + &b);
            texts.map_values(|text| text.parse::<i32>().unwrap_or_default())
        },
        ones(),
    );
}

#[test]
fn two_streams() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    // The second ends earlier.
    let (left, right) = (driver.input(below([3, 5, 6])), driver.input(vec![vec![3, 4, 5], vec![5]]));
    let united = driver.collect(&left.union(&right));
    let left = driver.input(vec![
        pairs(&[("1", 1), ("2", 1), ("3", 1)]),
        pairs(&[("1", 1), ("1", 1), ("1", 1), ("2", 1)]),
        pairs(&[("a", 1), ("a", 1), ("b", 1), ("", 1), ("", 1)]),
    ]);
    let right = driver.input(vec![
        pairs(&[("1", 2)]),
        pairs(&[("4", 1)]),
        pairs(&[("a", 1), ("a", 1), ("b", 1), ("", 1), ("", 2)]),
    ]);
    let grouped = driver.collect(&left.cogroup(&right));
    let (left, right) =
        (driver.input(vec![pairs(&[("a", 1), ("b", 2)])]), driver.input(vec![pairs(&[("b", 3), ("c", 4)])]));
    let inner = driver.collect(&left.join(&right));
    let outer = driver.collect(&left.left_outer_join(&right));
    let right_outer = driver.collect(&left.right_outer_join(&right));
    let full = driver.collect(&left.full_outer_join(&right));
    driver.run(3).unwrap();
    assert_eq!(united.batches(), below([6, 6, 6]));
    type Group<'a> = (&'a str, &'a [i32], &'a [i32]);
    let expected: [&[Group<'_>]; 3] = [
        &[("1", &[1], &[2]), ("2", &[1], &[]), ("3", &[1], &[])],
        &[("1", &[1, 1, 1], &[]), ("2", &[1], &[]), ("4", &[], &[1])],
        &[("", &[1, 1], &[1, 2]), ("a", &[1, 1], &[1, 1]), ("b", &[1], &[1])],
    ];
    for (row, expected) in grouped.batches().into_iter().zip(expected) {
        let row = sorted(row);
        let row: Vec<_> = row.iter().map(|(key, (a, b))| (&**key, &**a, &**b)).collect();
        assert_eq!(row, expected);
    }
    let key = String::from;
    assert_eq!(inner.batches()[0], [(key("b"), (2, 3))]);
    assert_eq!(sorted(outer.batches()[0].clone()), [(key("a"), (1, None)), (key("b"), (2, Some(3)))]);
    assert_eq!(sorted(right_outer.batches()[0].clone()), [(key("b"), (Some(2), 3)), (key("c"), (None, 4))]);
    let expected = [(key("a"), (Some(1), None)), (key("b"), (Some(2), Some(3))), (key("c"), (None, Some(4)))];
    assert_eq!(sorted(full.batches()[0].clone()), expected);
}

#[test]
fn states_that_are_lists() {
    let append = |values: Vec<i32>, state: Option<Vec<i32>>| {
        let mut all = state.unwrap_or_default();
        all.extend(values);
        Some(all)
    };
    let input = |numbers: std::ops::Range<i32>| numbers.map(|n| pairs(&[("k", n)])).collect::<Vec<_>>();
    let lists = |ends: std::ops::RangeInclusive<i32>| {
        ends.map(|end| vec![("k".to_owned(), (0..end).collect::<Vec<i32>>())]).collect::<Vec<_>>()
    };
    assert_eq!(rows(input(0..5), |s| s.update_state_by_key(append), 5), lists(1..=5));
    let with_initial = |s: &DStream<(String, i32)>| {
        let initial = s.context().parallelize([("k".to_owned(), vec![0, 1])], 1);
        let options = millstream_streaming::UpdateOptions::default().initial_state(initial);
        s.update_state_by_key_with(move |_, _, values, state| append(values, state), options)
    };
    assert_eq!(rows(input(2..5), with_initial, 3), lists(3..=5));
}

/// Windows of a second and a half, or two and a half, over batches of half a second: here of three and five seconds.
#[test]
fn windows() {
    let counts = |counts: &[u64]| counts.iter().map(|count| vec![*count]).collect::<Vec<_>>();
    let three = || counts(&[1, 3, 6, 9, 12, 9, 5]);
    assert_eq!(rows(below(1..=5), |s| s.window(seconds(3), seconds(1)).count(), 7), three());
    assert_eq!(rows(below(1..=5), |s| s.count_by_window(seconds(3), seconds(1)), 7), three());
    let five = counts(&[1, 3, 6, 10, 15, 20, 18, 15, 11, 6]);
    assert_eq!(rows(below(1..=6), |s| s.count_by_window(seconds(5), seconds(1)), 10), five);
    let values = rows(below(1..=6), |s| s.count_by_value_and_window(seconds(5), seconds(1)), 10);
    let expected: [&[u64]; 10] = [
        &[1],
        &[2, 1],
        &[3, 2, 1],
        &[4, 3, 2, 1],
        &[5, 4, 3, 2, 1],
        &[5, 5, 4, 3, 2, 1],
        &[4, 4, 4, 3, 2, 1],
        &[3, 3, 3, 3, 2, 1],
        &[2, 2, 2, 2, 2, 1],
        &[1, 1, 1, 1, 1, 1],
    ];
    let expected = expected.map(|counts| (0..).zip(counts.iter().copied()).collect::<Vec<(i32, u64)>>());
    assert_eq!(values, expected);
    let input = (0..5).map(|n| pairs(&[("a", n)])).collect();
    let groups = rows(input, |s| s.group_by_key_and_window(seconds(3), seconds(1)), 7);
    let expected = [0..1, 0..2, 0..3, 1..4, 2..5, 3..5, 4..5];
    assert_eq!(groups, expected.map(|values| vec![("a".to_owned(), values.collect::<Vec<i32>>())]));
}

/// What Python calls without an inverse function, and windows that are no multiple of the batches.
#[test]
fn windows_by_key() {
    let context = millstream_core::Context::new(conf("local[2]")).unwrap();
    let keys = |s: &DStream<i32>| {
        let sums = s.map(|n| (n, 1)).reduce_by_key_and_window(|a, b| a + b, seconds(5), seconds(1));
        sums.filter(|(_, sum)| *sum > 0).count()
    };
    // Its batches are half a second: a window of five seconds never loses one of them.
    let all = run_on(&context, SECOND / 2, below(1..=6), keys, 12);
    assert_eq!(
        all.into_iter().map(|(_, row)| row).collect::<Vec<_>>(),
        batches![[2], [4], [6], [6], [6], [6]]
    );
    let kept = |s: &DStream<i32>| {
        let (add, take) = (|a: i32, b: i32| a + b, |a: i32, b: i32| a - b);
        let keep = WindowKeys::only(|_, sum| *sum > 0);
        s.map(|n| (n, 1)).reduce_by_key_and_window_keeping(add, take, seconds(5), seconds(1), 2, keep).count()
    };
    let all = run_on(&context, SECOND / 2, below(1..=6), kept, 12);
    assert_eq!(
        all.into_iter().map(|(_, row)| row).collect::<Vec<_>>(),
        batches![[2], [4], [6], [6], [6], [6]]
    );
    for (window, slide) in [(100, 100), (1000, 100)] {
        let driver = Driver::new(conf("local[2]"), SECOND / 2).unwrap();
        let [window, slide] = [window, slide].map(std::time::Duration::from_millis);
        driver
            .input(below([3, 5, 1, 6]))
            .map(|n| (n, 1))
            .reduce_by_key_and_window(|a, b| a + b, window, slide)
            .print();
        let refused = driver.start().err().unwrap().to_string();
        assert!(refused.contains(file!()) && refused.contains("100 ms"), "{refused}");
    }
}

#[test]
fn slices() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    driver.streaming().remember(seconds(4));
    let queue = RddQueue::new();
    (1..=4).for_each(|n| queue.push(driver.context().parallelize([n], 1)));
    let stream = driver.streaming().queue_stream(&queue);
    let (times, seen) = mpsc::channel();
    stream.foreach_rdd_with(move |_, time| times.send(time));
    let steps = driver.start().unwrap();
    step(&steps, 4);
    let begin: Time = seen.recv().unwrap();
    let slice = |from: u64, to: u64| -> Vec<i32> {
        let rdds = stream.slice(begin + seconds(from), begin + seconds(to)).unwrap();
        rdds.iter().flat_map(|rdd| rdd.collect().unwrap()).collect()
    };
    assert_eq!(slice(0, 0), [1]);
    assert_eq!(slice(1, 2), [2, 3]);
    assert_eq!(slice(1, 4), [2, 3, 4]);
    assert_eq!(slice(0, 4), [1, 2, 3, 4]);
}

#[test]
fn queues_unions_and_transforms() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let queued = |batches: Vec<Vec<i32>>| {
        let queue = RddQueue::new();
        batches.into_iter().for_each(|batch| queue.push(driver.context().parallelize(batch, 2)));
        driver.streaming().queue_stream(&queue)
    };
    let (first, second) = (queued(below(1..=3)), queued(below(1..=3)));
    let (alone, both) =
        (driver.collect(&first), driver.collect(&driver.streaming().union([first.clone(), second])));
    let three = [1, 2, 3].map(|n| queued(vec![vec![n]]));
    let turned = driver.streaming().transform(three, |rdds, _| rdds[1].union(&rdds[2]).union(&rdds[0]));
    let turned = driver.collect(&turned);
    let squared = queued(vec![vec![1], vec![2], vec![3]]).transform(|rdd| rdd.cartesian(&rdd));
    let squared = driver.collect(&squared);
    driver.run(3).unwrap();
    assert_eq!(alone.batches(), below(1..=3));
    assert_eq!(both.batches(), below(1..=3).into_iter().map(|row| row.repeat(2)).collect::<Vec<_>>());
    assert_eq!(turned.batches(), batches![[2, 3, 1], [], []]);
    assert_eq!(squared.batches(), batches![[(1, 1)], [(2, 2)], [(3, 3)]]);
}

#[test]
fn files() {
    let directory = Directory::new();
    let [texts, records] = ["texts", "records"].map(|name| directory.path().join(name));
    for (name, time) in [("a", 500), ("b", 1500)] {
        put(&texts.join(name), time, (0..10).map(|n| format!("{n}\n")).collect::<String>());
        put(&records.join(name), time, (0..10).collect::<Vec<u8>>());
    }
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let numbers = driver.streaming().text_file_stream(&texts).map(|line| line.parse().unwrap_or(-1));
    let numbers = driver.collect(&numbers);
    let records = driver.collect(&driver.streaming().binary_records_stream(&records, 10));
    driver.run(2).unwrap();
    assert_eq!(numbers.batches(), below([10, 10]));
    assert_eq!(records.batches(), vec![vec![(0..10).collect::<Vec<u8>>()]; 2]);
}

#[test]
fn functions_that_fail() {
    let queue = |driver: &Driver| {
        let queue = RddQueue::new();
        (0..4).for_each(|n| queue.push(driver.context().parallelize([n], 1)));
        driver.streaming().queue_stream(&queue)
    };
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    queue(&driver).map(|n: i32| assert!(n < 0, "a special error")).foreach_rdd(|rdd| rdd.count().map(drop));
    let error = driver.run(1).unwrap_err().to_string();
    assert!(error.contains("map at") && error.contains("a special error"), "{error}");
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let failed = queue(&driver).transform_with(&queue(&driver), |rdd, other| match other.num_partitions() {
        1 => Err("a special error"),
        _ => Ok(rdd),
    });
    failed.foreach_rdd(|rdd| rdd.count().map(drop));
    let error = driver.run(1).unwrap_err().to_string();
    assert!(error.contains("transform_with at") && error.contains("a special error"), "{error}");
}

/// Ten words in each file; the program is stopped after the second, third and fourth, and goes on with what it had counted.
#[test]
fn counts_go_on_after_each_restart() {
    let directory = Directory::new();
    let run = |files: std::ops::RangeInclusive<i64>| {
        let driver = Driver::at(conf("local[2]"), seconds(2), at(2000 * (files.start() - 1))).unwrap();
        let words = driver.streaming().text_file_stream(directory.path().join("in")).map(|word| (word, 1));
        let counts = words.update_state_by_key(|ones: Vec<i32>, sum: Option<i32>| {
            Some(ones.iter().sum::<i32>() + sum.unwrap_or(0))
        });
        let saved = counts.checkpoint(seconds(2)).map(|(word, count)| format!("{word},{count}"));
        let collected = driver.collect(&saved);
        let steps = driver.get_or_create(directory.path().join("checkpoints")).unwrap().start().unwrap();
        for n in files.clone() {
            let words: String = (0..10).map(|word| format!("{word}\n")).collect();
            put(&directory.path().join(format!("in/{n}")), (2000 * n - 1000) as u64, words);
            step(&steps, 1);
        }
        steps.running.stop(true, false).unwrap();
        let batches = collected.batches();
        for (row, n) in batches[batches.len() - files.count()..].iter().zip(1..) {
            assert_eq!(row.len(), 10, "{n}");
        }
        sorted(batches.last().unwrap().clone())
    };
    for files in [1..=2, 3..=3, 4..=4] {
        let last = *files.end();
        assert_eq!(run(files), (0..10).map(|word| format!("{word},{last}")).collect::<Vec<_>>());
    }
}
