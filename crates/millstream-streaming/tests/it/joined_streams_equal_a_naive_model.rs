//! Joins of two streams, also of their windows, as nested loops over the batches would pair them.

use std::sync::LazyLock;

use millstream_core::{Context, Data};
use millstream_streaming::DStream;
use millstream_streaming::testing::Driver;
use proptest::prelude::*;

use crate::tables::{SECOND, conf, seconds, sorted};

static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context::new(conf("local[2]")).unwrap());

type Batch = Vec<(u8, i32)>;

fn of_two<U: Data + Ord>(
    left: &[Batch],
    right: &[Batch],
    operation: impl FnOnce(&DStream<(u8, i32)>, &DStream<(u8, i32)>) -> DStream<U>,
) -> Vec<Vec<U>> {
    let driver = Driver::on(&CONTEXT, SECOND).unwrap();
    let (l, r) = (driver.input(left.to_vec()), driver.input(right.to_vec()));
    let collected = driver.collect(&operation(&l, &r));
    driver.run(left.len().max(right.len())).unwrap();
    collected.batches().into_iter().map(sorted).collect()
}

fn of(key: u8, batch: &Batch) -> Vec<i32> {
    batch.iter().filter(|(other, _)| *other == key).map(|(_, value)| *value).collect()
}

/// The values, or nothing once if there are none.
fn or_none(values: Vec<i32>) -> Vec<Option<i32>> {
    if values.is_empty() { vec![None] } else { values.into_iter().map(Some).collect() }
}

/// What pairs of sides of a key are, batch by batch.
fn model<U: Ord>(
    left: &[Batch],
    right: &[Batch],
    pair: impl Fn(u8, Vec<i32>, Vec<i32>) -> Vec<U>,
) -> Vec<Vec<U>> {
    let none = Vec::new();
    let batch = |at: usize| {
        let (l, r) = (left.get(at).unwrap_or(&none), right.get(at).unwrap_or(&none));
        let keys = (0..4).filter(|key| !(of(*key, l).is_empty() && of(*key, r).is_empty()));
        sorted(keys.flat_map(|key| pair(key, of(key, l), of(key, r))).collect())
    };
    (0..left.len().max(right.len())).map(batch).collect()
}

fn product<A: Copy, B: Copy>(key: u8, left: &[A], right: &[B]) -> Vec<(u8, (A, B))> {
    left.iter().flat_map(|a| right.iter().map(move |b| (key, (*a, *b)))).collect()
}

fn batches() -> impl Strategy<Value = Vec<Batch>> {
    prop::collection::vec(prop::collection::vec((0_u8..4, 0..100), 0..6), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn joins(left in batches(), right in batches(), partitions in 1_usize..4) {
        let (l, r) = (&left, &right);
        prop_assert_eq!(
            of_two(l, r, |a, b| a.join_with(b, partitions)),
            model(l, r, |key, a, b| product(key, &a, &b))
        );
        prop_assert_eq!(
            of_two(l, r, |a, b| a.left_outer_join_with(b, partitions)),
            model(l, r, |key, a, b| product(key, &a, &or_none(b)))
        );
        prop_assert_eq!(
            of_two(l, r, |a, b| a.right_outer_join_with(b, partitions)),
            model(l, r, |key, a, b| product(key, &or_none(a), &b))
        );
        prop_assert_eq!(
            of_two(l, r, |a, b| a.full_outer_join_with(b, partitions)),
            model(l, r, |key, a, b| product(key, &or_none(a), &or_none(b)))
        );
        prop_assert_eq!(
            of_two(l, r, |a, b| a.cogroup_with(b, partitions)),
            model(l, r, |key, a, b| vec![(key, (a, b))])
        );
    }

    #[test]
    fn joins_of_windows(left in batches(), right in batches(), window in 1_usize..4) {
        let batches = left.len().max(right.len());
        let windows = |side: &[Batch], length: usize| -> Vec<Batch> {
            let all: Vec<Batch> = (0..batches).map(|at| side.get(at).cloned().unwrap_or_default()).collect();
            (0..batches).map(|at| all[(at + 1).saturating_sub(length)..=at].concat()).collect()
        };
        let length = seconds(window as u64);
        prop_assert_eq!(
            of_two(&left, &right, |a, b| a.window(length, None).join(&b.window(2 * length, None))),
            model(&windows(&left, window), &windows(&right, 2 * window), |key, a, b| product(key, &a, &b))
        );
    }
}
