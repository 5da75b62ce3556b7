//! Both forms of reducing windows, for any batches, windows and slides.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use millstream_core::{Context, Key};
use millstream_streaming::{DStream, WindowKeys};
use proptest::prelude::*;

use crate::tables::{conf, run_on, seconds, sorted};

static CONTEXTS: LazyLock<[Context; 2]> =
    LazyLock::new(|| ["local[1]", "local[3]"].map(|master| Context::new(conf(master)).unwrap()));

type Batch = Vec<(u8, i64)>;

/// The records of each window, oldest first, reckoned from the input alone.
fn records(input: &[Batch], window: usize, slide: usize, batches: usize) -> Vec<(i64, Batch)> {
    let due = (1..=batches).filter(|batch| batch.is_multiple_of(slide));
    due.map(|batch| {
        let last = batch.min(input.len());
        let first = batch.saturating_sub(window).min(last);
        (batch as i64 * 1000, input[first..last].concat())
    })
    .collect()
}

/// What each window has by key.
fn model<V: Default>(windows: &[(i64, Batch)], add: impl Fn(&mut V, i64)) -> Vec<(i64, Vec<(u8, V)>)> {
    let of_window = |(time, records): &(i64, Batch)| {
        let mut by_key: BTreeMap<u8, V> = BTreeMap::new();
        records.iter().for_each(|(key, value)| add(by_key.entry(*key).or_default(), *value));
        (*time, by_key.into_iter().collect())
    };
    windows.iter().map(of_window).collect()
}

fn sums<K: Key + Ord>(rows: Vec<(i64, Vec<(K, i64)>)>) -> Vec<(i64, Vec<(K, i64)>)> {
    rows.into_iter().map(|(time, row)| (time, sorted(row))).collect()
}

/// Values are positive, so that a key that has left a window is one with 0.
fn without_zeros(rows: Vec<(i64, Batch)>) -> Vec<(i64, Batch)> {
    rows.into_iter()
        .map(|(time, row)| (time, row.into_iter().filter(|(_, value)| *value != 0).collect()))
        .collect()
}

fn without_zero_counts(rows: Vec<(i64, Vec<i64>)>) -> Vec<(i64, Vec<i64>)> {
    rows.into_iter().map(|(time, row)| (time, row.into_iter().filter(|n| *n != 0).collect())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reduced_windows(
        input in prop::collection::vec(prop::collection::vec((0_u8..6, 1_i64..100), 0..8), 0..14),
        window in 1_usize..7,
        slide in 1_usize..9,
        more in 0_usize..4,
        partitions in 0_usize..2,
    ) {
        let context = &CONTEXTS[partitions];
        let batches = input.len() + more;
        let (w, s) = (seconds(window as u64), seconds(slide as u64));
        let windows = records(&input, window, slide, batches);
        let expected = model(&windows, |sum: &mut i64, value| *sum += value);

        let plain = |stream: &DStream<(u8, i64)>| stream.reduce_by_key_and_window(|a, b| a + b, w, s);
        prop_assert_eq!(&sums(run_on(context, seconds(1), input.clone(), plain, batches)), &expected);

        let inverse = |stream: &DStream<(u8, i64)>| {
            stream.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, w, s)
        };
        let actual = sums(run_on(context, seconds(1), input.clone(), inverse, batches));
        prop_assert_eq!(&without_zeros(actual), &expected);

        let keeping = |keys: WindowKeys<u8, i64>| {
            let operation = |stream: &DStream<(u8, i64)>| {
                stream.reduce_by_key_and_window_keeping(|a, b| a + b, |a, b| a - b, w, s, 2, keys)
            };
            sums(run_on(context, seconds(1), input.clone(), operation, batches))
        };
        prop_assert_eq!(&keeping(WindowKeys::InWindow), &expected);
        prop_assert_eq!(&keeping(WindowKeys::only(|_, sum| *sum != 0)), &expected);

        let records = |stream: &DStream<(u8, i64)>| stream.window(w, s).reduce_by_key(|a, b| a + b);
        prop_assert_eq!(&sums(run_on(context, seconds(1), input, records, batches)), &expected);
    }

    #[test]
    fn grouped_and_counted_windows(
        input in prop::collection::vec(prop::collection::vec((0_u8..4, 1_i64..4), 0..8), 0..12),
        window in 1_usize..7,
        slide in 1_usize..9,
        more in 0_usize..4,
        partitions in 0_usize..2,
    ) {
        let context = &CONTEXTS[partitions];
        let batches = input.len() + more;
        let (w, s) = (seconds(window as u64), seconds(slide as u64));
        let windows = records(&input, window, slide, batches);
        let of_windows = |f: &dyn Fn(&Batch) -> Vec<i64>| -> Vec<(i64, Vec<i64>)> {
            windows.iter().map(|(time, records)| (*time, f(records))).collect()
        };

        let groups = |stream: &DStream<(u8, i64)>| stream.group_by_key_and_window(w, s);
        // In each partition values keep their order; there are several partitions, whose order is theirs.
        let actual = run_on(context, seconds(1), input.clone(), groups, batches).into_iter().map(|(time, groups)| {
            (time, sorted(groups.into_iter().map(|(key, values)| (key, sorted(values))).collect()))
        });
        let mut expected = model(&windows, |all: &mut Vec<i64>, value| all.push(value));
        expected.iter_mut().flat_map(|(_, groups)| groups).for_each(|(_, values)| values.sort_unstable());
        prop_assert_eq!(actual.collect::<Vec<_>>(), expected);

        let counted = |stream: &DStream<(u8, i64)>| stream.map(|(key, _)| key).count_by_value_and_window(w, s);
        let actual = sums(
            run_on(context, seconds(1), input.clone(), counted, batches)
                .into_iter()
                .map(|(time, counts)| (time, counts.into_iter().map(|(key, n)| (key, n as i64)).collect()))
                .collect(),
        );
        prop_assert_eq!(actual, model(&windows, |count: &mut i64, _| *count += 1));

        // A stream that was empty from its start has no count, one that has had records always has one.
        let count = |stream: &DStream<(u8, i64)>| stream.count_by_window(w, s).map(|n| n as i64);
        let actual = run_on(context, seconds(1), input.clone(), count, batches);
        prop_assert_eq!(without_zero_counts(actual), without_zero_counts(of_windows(&|all| vec![all.len() as i64])));

        let values = |stream: &DStream<(u8, i64)>| stream.map(|(_, value)| value);
        let largest = |stream: &DStream<(u8, i64)>| values(stream).reduce_by_window(i64::max, w, s);
        let actual = run_on(context, seconds(1), input.clone(), largest, batches);
        prop_assert_eq!(actual, of_windows(&|all| all.iter().map(|(_, value)| *value).max().into_iter().collect()));

        let sum = |stream: &DStream<(u8, i64)>| {
            values(stream).reduce_by_window_with_inverse(|a, b| a + b, |a, b| a - b, w, s)
        };
        let actual = run_on(context, seconds(1), input, sum, batches);
        let expected = of_windows(&|all| vec![all.iter().map(|(_, value)| value).sum()]);
        prop_assert_eq!(without_zero_counts(actual), without_zero_counts(expected));
    }
}
