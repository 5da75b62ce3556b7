//! Windows against the tables of Spark's own tests, and with other intervals.

use std::collections::BTreeSet;
use std::time::Duration;

use millstream_core::{Context, Data};
use millstream_streaming::testing::{Driver, batches};
use millstream_streaming::{DStream, WindowKeys};

use crate::tables::{conf, millis, pairs, rows, run_on, seconds, sorted};

type Pairs = Vec<(String, i32)>;

fn window(input: Vec<Vec<i32>>, window: u64, slide: u64, expected: Vec<Vec<i32>>) {
    let batches = expected.len() * slide as usize;
    assert_eq!(rows(input, |s| s.window(seconds(window), seconds(slide)), batches), expected);
}

fn zero_to_five() -> Vec<Vec<i32>> {
    (0..6).map(|n| vec![n]).collect()
}

#[test]
fn basic_window() {
    window(zero_to_five(), 2, 1, batches![[0], [0, 1], [1, 2], [2, 3], [3, 4], [4, 5]]);
}

#[test]
fn tumbling_window() {
    window(zero_to_five(), 2, 2, batches![[0, 1], [2, 3], [4, 5]]);
}

#[test]
fn larger_window() {
    window(zero_to_five(), 4, 2, batches![[0, 1], [0, 1, 2, 3], [2, 3, 4, 5], [4, 5]]);
}

#[test]
fn non_overlapping_window() {
    window(zero_to_five(), 2, 3, batches![[1, 2], [4, 5]]);
}

#[test]
fn a_window_lists_the_oldest_records_first() {
    let context = Context::new(conf("local[2]")).unwrap();
    let input = batches![[3, 2], [1], [9, 8, 7]];
    let rows = run_on(&context, seconds(1), input, |s| s.window(seconds(3), seconds(3)), 3);
    assert_eq!(rows, [(3000, vec![3, 2, 1, 9, 8, 7])]);
}

#[test]
fn a_window_of_a_window() {
    let rows = rows(zero_to_five(), |s| s.window(seconds(2), seconds(2)).window(seconds(4), seconds(4)), 8);
    assert_eq!(rows, batches![[0, 1, 2, 3], [4, 5]]);
}

/// Which of the two forms a table holds for.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Plain,
    Inverse,
}

fn reduce(
    form: Form,
    window: Duration,
    slide: Duration,
) -> impl FnOnce(&DStream<(String, i32)>) -> DStream<(String, i32)> {
    move |s| match form {
        Form::Plain => s.reduce_by_key_and_window(|a, b| a + b, window, slide),
        Form::Inverse => s.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, window, slide),
    }
}

fn reduced(form: Form, input: Vec<Pairs>, window: u64, slide: u64, expected: Vec<Pairs>) {
    let batches = expected.len() * slide as usize;
    let actual = rows(input, reduce(form, seconds(window), seconds(slide)), batches);
    assert_eq!(actual, expected);
}

fn both(input: Vec<Pairs>, window: u64, slide: u64, expected: Vec<Pairs>) {
    reduced(Form::Plain, input.clone(), window, slide, expected.clone());
    reduced(Form::Inverse, input, window, slide, expected);
}

#[test]
fn basic_reduction() {
    both(vec![pairs(&[("a", 1), ("a", 3)])], 2, 1, vec![pairs(&[("a", 4)])]);
}

#[test]
fn key_already_in_window_and_new_value_added() {
    both(vec![pairs(&[("a", 1)]); 2], 2, 1, vec![pairs(&[("a", 1)]), pairs(&[("a", 2)])]);
}

#[test]
fn new_key_added_into_window() {
    let input = vec![pairs(&[("a", 1)]), pairs(&[("a", 1), ("b", 1)])];
    both(input, 2, 1, vec![pairs(&[("a", 1)]), pairs(&[("a", 2), ("b", 1)])]);
}

#[test]
fn key_removed_from_window() {
    let input = vec![pairs(&[("a", 1)]), pairs(&[("a", 1)]), vec![], vec![]];
    let expected =
        |last: &[(&str, i32)]| vec![pairs(&[("a", 1)]), pairs(&[("a", 2)]), pairs(&[("a", 1)]), pairs(last)];
    reduced(Form::Plain, input.clone(), 2, 1, expected(&[]));
    // As in Spark: a key stays, with what it has left.
    reduced(Form::Inverse, input, 2, 1, expected(&[("a", 0)]));
}

#[test]
fn larger_slide_time() {
    let mut input: Vec<Pairs> = (1..=6).map(|n| pairs(&[("a", n)])).collect();
    input.extend([vec![], vec![]]);
    both(input, 4, 2, [3, 10, 18, 11].map(|n| pairs(&[("a", n)])).into());
}

fn big_input() -> Vec<Pairs> {
    let six = [
        pairs(&[("a", 1)]),
        pairs(&[("a", 1), ("b", 1)]),
        pairs(&[("a", 1), ("b", 1), ("c", 1)]),
        pairs(&[("a", 1), ("b", 1)]),
        pairs(&[("a", 1)]),
        vec![],
    ];
    six.iter().chain(&six).cloned().collect()
}

fn big_output() -> Vec<Pairs> {
    let six = [
        pairs(&[("a", 1)]),
        pairs(&[("a", 2), ("b", 1)]),
        pairs(&[("a", 2), ("b", 2), ("c", 1)]),
        pairs(&[("a", 2), ("b", 2), ("c", 1)]),
        pairs(&[("a", 2), ("b", 1)]),
        pairs(&[("a", 1)]),
    ];
    six.iter().chain(&six).cloned().collect()
}

#[test]
fn big_test() {
    reduced(Form::Plain, big_input(), 2, 1, big_output());
}

#[test]
fn big_test_with_inverse() {
    let mut expected = big_output();
    for (row, batch) in expected.iter_mut().enumerate() {
        // As in Spark: the keys seen so far stay, with 0.
        let seen = if row >= 2 { 3 } else { row + 1 };
        let missing = ["a", "b", "c"].into_iter().take(seen);
        let missing: Vec<_> = missing.filter(|key| batch.iter().all(|(other, _)| other != key)).collect();
        batch.extend(missing.into_iter().map(|key| (key.to_owned(), 0)));
    }
    let with = |row: &[(&str, i32)]| pairs(row);
    assert_eq!(expected[4], with(&[("a", 2), ("b", 1), ("c", 0)]));
    assert_eq!(expected[6], with(&[("a", 1), ("b", 0), ("c", 0)]));
    reduced(Form::Inverse, big_input(), 2, 1, expected);
}

#[test]
fn big_test_with_inverse_and_filter() {
    let filtered = |s: &DStream<(String, i32)>| {
        reduce(Form::Inverse, seconds(2), seconds(1))(s).filter(|pair| pair.1 != 0)
    };
    assert_eq!(rows(big_input(), filtered, 12), big_output());
}

/// The windows of the best known examples: 30 s every 20 s over 10 s batches, and 15 s every 10 s over 5 s batches.
#[test]
fn windows_of_other_intervals() {
    let context = Context::new(conf("local[2]")).unwrap();
    let input = || (1..=12).map(|n| pairs(&[("n", n), ("one", 1)])).collect::<Vec<_>>();
    for form in [Form::Plain, Form::Inverse] {
        for unit in [1, 2] {
            let (batch, window, slide) = (seconds(10 / unit), seconds(30 / unit), seconds(20 / unit));
            let rows = run_on(&context, batch, input(), reduce(form, window, slide), 12);
            let expected: Vec<_> = (1..=6)
                .map(|n| {
                    let last = 2 * n;
                    let values = (last - 2..=last).filter(|n| *n > 0);
                    let row = pairs(&[("n", values.clone().sum()), ("one", values.count() as i32)]);
                    (i64::from(last) * batch.as_millis() as i64, row)
                })
                .collect();
            let rows: Vec<_> = rows.into_iter().map(|(time, row)| (time, sorted(row))).collect();
            assert_eq!(rows, expected);
        }
    }
}

#[test]
fn a_function_that_is_not_commutative_sees_the_batches_in_their_order() {
    let input =
        batches![[(1, "a".to_owned()), (1, "b".to_owned())], [(1, "c".to_owned())], [(1, "d".to_owned())]];
    let joined =
        |s: &DStream<(i32, String)>| s.reduce_by_key_and_window(|a, b| a + &b, seconds(3), seconds(1));
    let expected = ["ab", "abc", "abcd"].map(|text| vec![(1, text.to_owned())]);
    assert_eq!(rows(input, joined, 3), expected);
}

#[test]
fn a_window_longer_than_the_stream_has_all_of_it() {
    let years = Duration::from_secs(60 * 60 * 24 * 365 * 100);
    assert_eq!(rows(batches![[1], [2]], |s| s.window(years, seconds(1)), 2), batches![[1], [1, 2]]);
    let context = Context::new(conf("local[2]")).unwrap();
    let input = vec![pairs(&[("a", 1)]), pairs(&[("a", 2)])];
    for form in [Form::Plain, Form::Inverse] {
        let rows = run_on(&context, millis(1), input.clone(), reduce(form, years, millis(1)), 2);
        assert_eq!(rows, [(1, pairs(&[("a", 1)])), (2, pairs(&[("a", 3)]))]);
    }
    // As long as a duration can be.
    let ever = Duration::from_secs(u64::MAX);
    assert_eq!(rows(batches![[1], [2]], |s| s.window(ever, seconds(1)), 2), batches![[1], [1, 2]]);
}

/// The calls of this file that the RDDs of the batches of a stream are named after.
fn calls<T: Data>(stream: &DStream<T>) -> DStream<String> {
    stream.transform(|rdd| {
        let text = rdd.to_debug_string();
        let here =
            text.lines().filter_map(|line| line.split_once(" at ").filter(|(_, at)| at.contains(file!())));
        // ` +-(2) NAME[7]`
        let names = here.filter_map(|(call, _)| call.rsplit(['[', ' ']).nth(1).map(str::to_owned));
        let names: BTreeSet<String> = names.collect();
        rdd.context().parallelize(names, 1)
    })
}

#[test]
fn windows_are_named_after_the_method_that_was_called_and_not_after_the_steps_they_are_made_of() {
    type Windows = fn(&DStream<(String, i32)>) -> DStream<String>;
    let windows: [(&str, Windows); 8] = [
        ("count_by_window", |s| calls(&s.count_by_window(seconds(2), None))),
        ("count_by_value_and_window", |s| calls(&s.count_by_value_and_window(seconds(2), None))),
        ("reduce_by_window", |s| calls(&s.reduce_by_window(|a, _| a, seconds(2), None))),
        ("reduce_by_window", |s| {
            calls(&s.reduce_by_window_with_inverse(|a, _| a, |a, _| a, seconds(2), None))
        }),
        ("group_by_key_and_window", |s| calls(&s.group_by_key_and_window(seconds(2), None))),
        ("reduce_by_key_and_window", |s| calls(&s.reduce_by_key_and_window(|a, b| a + b, seconds(2), None))),
        ("reduce_by_key_and_window", |s| {
            calls(&s.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, seconds(2), None))
        }),
        ("reduce_by_key_and_window", |s| {
            let (add, take) = (|a, b| a + b, |a, b| a - b);
            calls(&s.reduce_by_key_and_window_keeping(add, take, seconds(2), None, 2, WindowKeys::InWindow))
        }),
    ];
    for (name, window) in windows {
        let rows = rows(vec![pairs(&[("a", 1)]), pairs(&[("b", 2)])], window, 2);
        assert_eq!(rows, [[name], [name]]);
    }
}

#[test]
fn a_function_that_panics_in_a_window_names_the_method_that_was_called() {
    let driver = Driver::new(conf("local[2]"), seconds(1)).unwrap();
    let ones = driver.input(vec![pairs(&[("a", 1), ("a", 2)])]);
    driver.collect(&ones.reduce_by_key_and_window(|_, _| panic!("no sum"), seconds(2), None));
    let error = driver.run(1).unwrap_err().to_string();
    assert!(error.contains(&format!("reduce_by_key_and_window at {}", file!())), "{error}");
    assert!(error.contains("no sum") && !error.contains("reduce_by_key at"), "{error}");
}
