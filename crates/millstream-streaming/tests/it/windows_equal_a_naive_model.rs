//! Both forms of reducing windows, for any batches, windows and slides.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use millstream_core::{Context, Key};
use millstream_streaming::DStream;
use proptest::prelude::*;

use crate::tables::{conf, run_on, seconds, sorted};

static CONTEXTS: LazyLock<[Context; 2]> =
    LazyLock::new(|| ["local[1]", "local[3]"].map(|master| Context::new(conf(master)).unwrap()));

type Batch = Vec<(u8, i64)>;

/// What each window holds, reckoned from the input alone.
fn model(input: &[Batch], window: usize, slide: usize, batches: usize) -> Vec<(i64, Vec<(u8, i64)>)> {
    let due = (1..=batches).filter(|batch| batch.is_multiple_of(slide));
    due.map(|batch| {
        let last = batch.min(input.len());
        let first = batch.saturating_sub(window).min(last);
        let mut sums = BTreeMap::new();
        for (key, value) in input[first..last].iter().flatten() {
            *sums.entry(*key).or_insert(0) += value;
        }
        (batch as i64 * 1000, sums.into_iter().collect())
    })
    .collect()
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
        let expected = model(&input, window, slide, batches);

        let plain = |stream: &DStream<(u8, i64)>| stream.reduce_by_key_and_window(|a, b| a + b, w, s);
        prop_assert_eq!(&sums(run_on(context, seconds(1), input.clone(), plain, batches)), &expected);

        let inverse = |stream: &DStream<(u8, i64)>| {
            stream.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, w, s)
        };
        let actual = sums(run_on(context, seconds(1), input.clone(), inverse, batches));
        prop_assert_eq!(&without_zeros(actual), &expected);

        let records = |stream: &DStream<(u8, i64)>| stream.window(w, s).reduce_by_key(|a, b| a + b);
        prop_assert_eq!(&sums(run_on(context, seconds(1), input, records, batches)), &expected);
    }
}
