//! Both forms of reducing windows, for any batches, windows and slides.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;
use std::time::Duration;

use millstream_core::{Context, Data, Key};
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

/// Batches, and a window over them.
#[derive(Debug, Clone)]
struct Case {
    input: Vec<Batch>,
    window: usize,
    slide: usize,
    batches: usize,
    context: usize,
}

impl Case {
    /// Some batches of fewer than eight records, and batches after them in which nothing comes.
    fn any(keys: Range<u8>, values: Range<i64>, batches: Range<usize>) -> impl Strategy<Value = Case> {
        let input = prop::collection::vec(prop::collection::vec((keys, values), 0..8), batches);
        (input, 1_usize..7, 1_usize..9, 0_usize..4, 0_usize..2).prop_map(
            |(input, window, slide, more, context)| {
                let batches = input.len() + more;
                Case { input, window, slide, batches, context }
            },
        )
    }

    fn windows(&self) -> Vec<(i64, Batch)> {
        records(&self.input, self.window, self.slide, self.batches)
    }

    /// Runs an operation that is given the stream, the length of the window and its slide.
    fn run<U: Data>(
        &self,
        operation: impl FnOnce(&DStream<(u8, i64)>, Duration, Duration) -> DStream<U>,
    ) -> Vec<(i64, Vec<U>)> {
        let (window, slide) = (seconds(self.window as u64), seconds(self.slide as u64));
        let operation = |stream: &DStream<(u8, i64)>| operation(stream, window, slide);
        run_on(&CONTEXTS[self.context], seconds(1), self.input.clone(), operation, self.batches)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reduced_windows(case in Case::any(0..6, 1..100, 0..14)) {
        let expected = model(&case.windows(), |sum: &mut i64, value| *sum += value);

        let plain = case.run(|stream, w, s| stream.reduce_by_key_and_window(|a, b| a + b, w, s));
        prop_assert_eq!(&sums(plain), &expected);

        let inverse = case.run(|stream, w, s| {
            stream.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, w, s)
        });
        prop_assert_eq!(&without_zeros(sums(inverse)), &expected);

        let keeping = |keys: WindowKeys<u8, i64>| {
            sums(case.run(|stream, w, s| {
                stream.reduce_by_key_and_window_keeping(|a, b| a + b, |a, b| a - b, w, s, 2, keys)
            }))
        };
        prop_assert_eq!(&keeping(WindowKeys::InWindow), &expected);
        prop_assert_eq!(&keeping(WindowKeys::only(|_, sum| *sum != 0)), &expected);

        let records = case.run(|stream, w, s| stream.window(w, s).reduce_by_key(|a, b| a + b));
        prop_assert_eq!(&sums(records), &expected);
    }

    #[test]
    fn grouped_and_counted_windows(case in Case::any(0..4, 1..4, 0..12)) {
        let windows = case.windows();
        let of_windows = |f: &dyn Fn(&Batch) -> Vec<i64>| -> Vec<(i64, Vec<i64>)> {
            windows.iter().map(|(time, records)| (*time, f(records))).collect()
        };

        let groups = case.run(|stream, w, s| stream.group_by_key_and_window(w, s));
        // In each partition values keep their order; there are several partitions, whose order is theirs.
        let actual = groups.into_iter().map(|(time, groups)| {
            (time, sorted(groups.into_iter().map(|(key, values)| (key, sorted(values))).collect()))
        });
        let mut expected = model(&windows, |all: &mut Vec<i64>, value| all.push(value));
        expected.iter_mut().flat_map(|(_, groups)| groups).for_each(|(_, values)| values.sort_unstable());
        prop_assert_eq!(actual.collect::<Vec<_>>(), expected);

        let counted = case.run(|stream, w, s| {
            stream.map(|(key, _)| key).count_by_value_and_window(w, s).map_values(|n| n as i64)
        });
        prop_assert_eq!(sums(counted), model(&windows, |count: &mut i64, _| *count += 1));

        // A stream that was empty from its start has no count, one that has had records always has one.
        let count = case.run(|stream, w, s| stream.count_by_window(w, s).map(|n| n as i64));
        let expected = of_windows(&|all| vec![all.len() as i64]);
        prop_assert_eq!(without_zero_counts(count), without_zero_counts(expected));

        let values = |stream: &DStream<(u8, i64)>| stream.map(|(_, value)| value);
        let largest = case.run(|stream, w, s| values(stream).reduce_by_window(i64::max, w, s));
        prop_assert_eq!(largest, of_windows(&|all| all.iter().map(|(_, value)| *value).max().into_iter().collect()));

        let sum = case.run(|stream, w, s| {
            values(stream).reduce_by_window_with_inverse(|a, b| a + b, |a, b| a - b, w, s)
        });
        let expected = of_windows(&|all| vec![all.iter().map(|(_, value)| value).sum()]);
        prop_assert_eq!(without_zero_counts(sum), without_zero_counts(expected));
    }
}
