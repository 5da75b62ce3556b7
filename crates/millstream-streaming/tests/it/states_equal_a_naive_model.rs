//! Both stateful operators, for any batches, removals and timeouts, with batches that are computed again.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use millstream_core::scheduler::faulty::{Faults, FaultyExecutor};
use millstream_core::scheduler::local::LocalExecutor;
use millstream_core::{Conf, Context, Rdd};
use millstream_streaming::testing::Driver;
use millstream_streaming::{DStream, State, StateSpec};
use proptest::prelude::*;

use crate::tables::{SECOND, conf, millis, run_on, seconds, sorted, step};

type Batch = Vec<(u8, i64)>;
type Rows = Vec<Vec<(u8, i64)>>;
type Kept = Arc<Mutex<Vec<Rdd<(u8, i64)>>>>;

static CONTEXTS: LazyLock<[Context; 3]> = LazyLock::new(|| {
    let faults = Faults { seed: 7, lose: 0.1, delay: 0.05, by: millis(1), repeat: 0.1 };
    let faulty = FaultyExecutor::new(LocalExecutor::new(2).unwrap(), faults);
    [
        Context::new(conf("local[1]")).unwrap(),
        Context::new(conf("local[3]")).unwrap(),
        Context::with_executor(Conf::empty(), faulty).unwrap(),
    ]
});

fn batches() -> impl Strategy<Value = Vec<Batch>> {
    prop::collection::vec(prop::collection::vec((0_u8..7, -9_i64..10), 0..7), 0..12)
}

/// A key whose sum becomes a multiple of 5 leaves.
fn leaves(sum: i64) -> bool {
    sum % 5 == 0
}

fn updated(stream: &DStream<(u8, i64)>) -> DStream<(u8, i64)> {
    stream.update_state_by_key(|values: Vec<i64>, state: Option<i64>| {
        // One more for each batch, so that it shows how often the function was called.
        Some(values.iter().sum::<i64>() + state.unwrap_or(0) + 1).filter(|sum| !leaves(*sum))
    })
}

fn model_of_updated(input: &[Batch], batches: usize) -> Rows {
    let mut states: BTreeMap<u8, i64> = BTreeMap::new();
    let mut rows = Vec::new();
    for number in 0..batches {
        let batch = input.get(number).map_or(&[][..], Vec::as_slice);
        batch.iter().for_each(|(key, _)| _ = states.entry(*key).or_insert(0));
        for (key, state) in &mut states {
            let values = batch.iter().filter(|(other, _)| other == key).map(|(_, value)| value);
            *state += values.sum::<i64>() + 1;
        }
        states.retain(|_, sum| !leaves(*sum));
        rows.push(states.iter().map(|(key, sum)| (*key, *sum)).collect());
    }
    rows
}

/// A record of 0 looks at the state only, and one of -9 at a key that has none gives it none.
fn mapped(stream: &DStream<(u8, i64)>, timeout: u64) -> [DStream<(u8, i64)>; 2] {
    let spec = StateSpec::function(|key: &u8, value: Option<i64>, state: &mut State<'_, i64>| {
        let before = state.get_option().copied();
        match value {
            None => return (*key, -1000 - state.get()),
            Some(0) => {}
            Some(-9) if before.is_none() => {}
            Some(value) if leaves(before.unwrap_or(0) + value) && before.is_some() => state.remove(),
            Some(value) => state.update(before.unwrap_or(0) + value),
        }
        (*key, before.unwrap_or(500))
    });
    let spec = if timeout == 0 { spec } else { spec.timeout(seconds(timeout)) };
    let mapped = stream.map_with_state(spec);
    [mapped.stream(), mapped.state_snapshots()]
}

fn model_of_mapped(input: &[Batch], timeout: u64, batches: usize) -> [Rows; 2] {
    let mut states: BTreeMap<u8, (i64, u64)> = BTreeMap::new();
    let (mut mapped, mut snapshots) = (Vec::new(), Vec::new());
    for number in 0..batches {
        let mut row = Vec::new();
        let time = number as u64;
        for (key, value) in input.get(number).into_iter().flatten() {
            let before = states.get(key).map(|(sum, _)| *sum);
            row.push((*key, before.unwrap_or(500)));
            let after = match (value, before) {
                (0, before) => before,
                (-9, None) => None,
                (value, Some(sum)) => Some(sum + value).filter(|sum| !leaves(*sum)),
                (value, None) => Some(*value),
            };
            match after {
                Some(sum) => _ = states.insert(*key, (sum, time)),
                None => _ = states.remove(key),
            }
        }
        if timeout > 0 {
            states.retain(|key, (sum, last)| {
                let stays = *last + timeout > time;
                if !stays {
                    row.push((*key, -1000 - *sum));
                }
                stays
            });
        }
        mapped.push(sorted(row));
        snapshots.push(states.iter().map(|(key, (sum, _))| (*key, *sum)).collect());
    }
    [mapped, snapshots]
}

fn rows(
    context: &Context,
    input: &[Batch],
    batches: usize,
    operator: impl FnOnce(&DStream<(u8, i64)>) -> DStream<(u8, i64)>,
) -> Rows {
    let rows = run_on(context, SECOND, input.to_vec(), operator, batches);
    rows.into_iter().map(|(_, row)| sorted(row)).collect()
}

/// Reads the batches some batches late, in any order, and some of them twice, while later ones run.
fn read_late(
    context: &Context,
    input: &[Batch],
    batches: usize,
    order: &[prop::sample::Index],
    operator: impl FnOnce(&DStream<(u8, i64)>) -> DStream<(u8, i64)>,
) -> Vec<(usize, Vec<(u8, i64)>)> {
    let driver = Driver::on(context, SECOND).unwrap();
    let rdds: Kept = Arc::default();
    let kept = Arc::clone(&rdds);
    operator(&driver.input(input.to_vec())).foreach_rdd(move |rdd| kept.lock().unwrap().push(rdd));
    let steps = driver.start().unwrap();
    let mut read = Vec::new();
    let mut order = order.iter();
    for batch in 1..=batches {
        step(&steps, 1);
        for index in order.by_ref().take(usize::from(batch % 2 == 0) * 2) {
            let at = index.index(batch);
            let rdd = rdds.lock().unwrap()[at].clone();
            read.push((at, sorted(rdd.collect().unwrap())));
        }
    }
    steps.running.stop(false, false).unwrap();
    read
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn update_state_by_key(
        input in batches(),
        more in 0_usize..4,
        context in 0_usize..3,
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let (context, batches) = (&CONTEXTS[context], input.len() + more);
        let expected = model_of_updated(&input, batches);
        prop_assert_eq!(&rows(context, &input, batches, updated), &expected);
        for (at, row) in read_late(context, &input, batches, &order, updated) {
            prop_assert_eq!((at, &row), (at, &expected[at]));
        }
    }

    #[test]
    fn map_with_state(
        input in batches(),
        more in 0_usize..4,
        context in 0_usize..3,
        timeout in 0_u64..4,
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let (context, batches) = (&CONTEXTS[context], input.len() + more);
        for (output, expected) in model_of_mapped(&input, timeout, batches).iter().enumerate() {
            let operator = |stream: &DStream<(u8, i64)>| mapped(stream, timeout)[output].clone();
            prop_assert_eq!(&rows(context, &input, batches, operator), expected);
            for (at, row) in read_late(context, &input, batches, &order, operator) {
                prop_assert_eq!((at, &row), (at, &expected[at]));
            }
        }
    }
}
