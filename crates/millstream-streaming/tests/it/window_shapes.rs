//! All window operators where the window is no multiple of the slide, and without a slide; the order of records.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use millstream_core::{Context, Data};
use millstream_streaming::testing::{Driver, batches, check};
use millstream_streaming::{DStream, WindowKeys};

use crate::tables::{conf, run_on, seconds, sorted};

type Pairs = DStream<(i64, i64)>;

/// How long a batch, a window and a slide are, in seconds; without a slide it is the batch's.
#[derive(Clone, Copy)]
struct Shape {
    interval: u64,
    window: u64,
    slide: Option<u64>,
}

const SHAPES: [Shape; 5] = [
    Shape { interval: 10, window: 30, slide: Some(20) },
    Shape { interval: 5, window: 15, slide: Some(10) },
    Shape { interval: 5, window: 15, slide: None },
    Shape { interval: 10, window: 20, slide: Some(30) },
    Shape { interval: 1, window: 7, slide: Some(3) },
];

/// Two pairs in each batch, with keys that come and go.
fn input() -> Vec<Vec<(i64, i64)>> {
    (1..=13).map(|batch| vec![(batch % 4, 10 * batch), (batch % 3, 10 * batch + 1)]).collect()
}

impl Shape {
    fn window(self) -> Duration {
        seconds(self.window)
    }

    fn slide(self) -> Option<Duration> {
        self.slide.map(seconds)
    }

    /// The pairs of each window that is due, oldest first, with its time.
    fn windows(self) -> Vec<(i64, Vec<(i64, i64)>)> {
        let (input, slide) = (input(), self.slide.unwrap_or(self.interval) / self.interval);
        let length = (self.window / self.interval) as usize;
        let due = (1..=input.len()).filter(|batch| batch.is_multiple_of(slide as usize));
        due.map(|batch| {
            let time = (batch as u64 * self.interval * 1000) as i64;
            (time, input[batch.saturating_sub(length)..batch].concat())
        })
        .collect()
    }

    #[track_caller]
    fn gives<U: Data + Debug + Ord>(
        self,
        operation: impl FnOnce(&Pairs) -> DStream<U>,
        expected: impl Fn(Vec<(i64, i64)>) -> Vec<U>,
    ) {
        let context = Context::new(conf("local[2]")).unwrap();
        let rows = run_on(&context, seconds(self.interval), input(), operation, input().len());
        let rows: Vec<_> = rows.into_iter().map(|(time, row)| (time, sorted(row))).collect();
        let windows = self.windows().into_iter();
        let expected: Vec<_> = windows.map(|(time, pairs)| (time, sorted(expected(pairs)))).collect();
        assert_eq!(rows, expected, "{} / {:?} over {}", self.window, self.slide, self.interval);
    }
}

fn sums(pairs: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    let mut sums = BTreeMap::new();
    pairs.into_iter().for_each(|(key, value)| *sums.entry(key).or_insert(0) += value);
    sums.into_iter().collect()
}

fn counts(pairs: Vec<(i64, i64)>) -> Vec<(i64, u64)> {
    let mut counts = BTreeMap::new();
    pairs.into_iter().for_each(|(key, _)| *counts.entry(key).or_insert(0) += 1);
    counts.into_iter().collect()
}

fn groups(pairs: Vec<(i64, i64)>) -> Vec<(i64, Vec<i64>)> {
    let mut groups: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    pairs.into_iter().for_each(|(key, value)| groups.entry(key).or_default().push(value));
    groups.into_iter().collect()
}

#[test]
fn windows_of_records() {
    for shape in SHAPES {
        let (window, slide) = (shape.window(), shape.slide());
        shape.gives(|s| s.window(window, slide), |pairs| pairs);
        shape.gives(|s| s.count_by_window(window, slide), |pairs| vec![pairs.len() as u64]);
        let total = |pairs: Vec<(i64, i64)>| vec![pairs.iter().map(|(_, value)| value).sum::<i64>()];
        shape.gives(|s| s.map(|(_, v)| v).reduce_by_window(|a, b| a + b, window, slide), total);
        shape.gives(
            |s| s.map(|(_, v)| v).reduce_by_window_with_inverse(|a, b| a + b, |a, b| a - b, window, slide),
            total,
        );
        shape.gives(|s| s.map(|(key, _)| key).count_by_value_and_window(window, slide), counts);
        shape.gives(|s| s.map(|(key, _)| key).count_by_value_and_window_with(window, slide, 3), counts);
    }
}

#[test]
fn windows_by_key() {
    for shape in SHAPES {
        let (window, slide) = (shape.window(), shape.slide());
        shape.gives(|s| s.reduce_by_key_and_window(|a, b| a + b, window, slide), sums);
        shape.gives(|s| s.reduce_by_key_and_window_with(|a, b| a + b, window, slide, 3), sums);
        shape.gives(
            |s| {
                let all = s.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, window, slide);
                all.filter(|(_, sum)| *sum != 0)
            },
            sums,
        );
        shape.gives(
            |s| {
                s.reduce_by_key_and_window_keeping(
                    |a, b| a + b,
                    |a, b| a - b,
                    window,
                    slide,
                    3,
                    WindowKeys::InWindow,
                )
            },
            sums,
        );
        // The values oldest first.
        shape.gives(|s| s.group_by_key_and_window(window, slide), groups);
        shape.gives(|s| s.group_by_key_and_window_with(window, slide, 3), groups);
    }
}

#[test]
fn a_window_without_a_slide_takes_that_of_the_stream_before_it() {
    let context = Context::new(conf("local[2]")).unwrap();
    let twice = |s: &DStream<i32>| s.window(seconds(2), seconds(2)).window(seconds(4), None);
    let rows = run_on(&context, seconds(1), batches![[1], [2], [3], [4], [5], [6]], twice, 6);
    assert_eq!(rows, [(2000, vec![1, 2]), (4000, vec![1, 2, 3, 4]), (6000, vec![3, 4, 5, 6])]);
}

#[test]
fn a_stream_has_the_slide_of_the_last_window_before_it() {
    let driver = Driver::new(conf("local[1]"), seconds(1)).unwrap();
    let input = driver.input(batches![[(1, 1)]]);
    let slides = |stream: &DStream<(i32, i32)>| {
        let sums = stream.reduce_by_key(|a, b| a + b);
        let states = stream.update_state_by_key(|new, _: Option<i32>| new.first().copied());
        [
            stream.slide_duration(),
            sums.slide_duration(),
            states.slide_duration(),
            stream.count().slide_duration(),
        ]
    };
    assert_eq!(slides(&input), [seconds(1); 4]);
    let windows = input.window(seconds(6), seconds(2));
    assert_eq!(slides(&windows), [seconds(2); 4]);
    assert_eq!(slides(&windows.window(seconds(4), None)), [seconds(2); 4]);
    assert_eq!(slides(&windows.window(seconds(8), seconds(4))), [seconds(4); 4]);
    let (add, take) = (|a, b| a + b, |a, b| a - b);
    let reduced = windows.reduce_by_key_and_window_with_inverse(add, take, seconds(12), seconds(6));
    assert_eq!(slides(&reduced), [seconds(6); 4]);
    assert_eq!(slides(&windows.join(&windows).map_values(|(a, _)| a)), [seconds(2); 4]);
}

#[test]
fn records_keep_their_order_within_a_partition() {
    // The test's batches have two partitions: 4, 1, 3 and 2, 6, 5.
    let input = || batches![[4, 1, 3, 2, 6, 5], [9, 7, 8]];
    check(
        input(),
        |s| s.map(|n| n * 10).glom(),
        batches![[vec![40, 10, 30], vec![20, 60, 50]], [vec![90], vec![70, 80]]],
    );
    check(input(), |s| s.filter(|n| n % 2 == 0).glom(), batches![[vec![4], vec![2, 6]], [vec![], vec![8]]]);
    check(
        input(),
        |s| s.flat_map(|n| [n, -n]).glom(),
        batches![[vec![4, -4, 1, -1, 3, -3], vec![2, -2, 6, -6, 5, -5]], [vec![9, -9], vec![7, -7, 8, -8]]],
    );
    // The left stream's partitions come first.
    check(
        input(),
        |s| s.map(|n| -n).union(s).glom(),
        batches![
            [vec![-4, -1, -3], vec![-2, -6, -5], vec![4, 1, 3], vec![2, 6, 5]],
            [vec![-9], vec![-7, -8], vec![9], vec![7, 8]]
        ],
    );
    // The oldest batch comes first.
    check(
        input(),
        |s| s.window(seconds(2), seconds(1)),
        batches![[4, 1, 3, 2, 6, 5], [4, 1, 3, 2, 6, 5, 9, 7, 8]],
    );
    // Values in the order of their arrival.
    check(
        input(),
        |s| s.map(|n| ((), n)).group_by_key(),
        batches![[((), vec![4, 1, 3, 2, 6, 5])], [((), vec![9, 7, 8])]],
    );
    check(
        input(),
        |s| s.map(|n| ((), n)).group_by_key_and_window(seconds(2), seconds(1)),
        batches![[((), vec![4, 1, 3, 2, 6, 5])], [((), vec![4, 1, 3, 2, 6, 5, 9, 7, 8])]],
    );
    check(
        input(),
        |s| s.map(|n| ((), n.to_string())).reduce_by_key(|a, b| a + &b),
        batches![[((), "413265".to_owned())], [((), "978".to_owned())]],
    );
}
