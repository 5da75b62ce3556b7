use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use millstream_core::Error;
use millstream_core::shuffle::hash::pinned_hash;
use proptest::prelude::*;

use super::Version;
use crate::state::table::Step;
use crate::time::Time;

type States = BTreeMap<String, (i64, i64)>;

/// What happens to the versions that are held.
#[derive(Debug, Clone)]
enum Op {
    /// A step is made of a version, perhaps one of several.
    Step { of: usize, batch: Vec<(u8, Option<i64>)>, replace: bool },
    /// A step that fails after its changes.
    Fail { of: usize, batch: Vec<(u8, Option<i64>)>, replace: bool, panic: bool },
    /// A version is let go of.
    Drop { of: usize },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let batch = || prop::collection::vec((0_u8..8, prop::option::weighted(0.7, -9_i64..9)), 0..6);
    prop::collection::vec(
        prop_oneof![
            4 => (any::<prop::sample::Index>(), batch(), any::<bool>())
                .prop_map(|(of, batch, replace)| Op::Step { of: of.index(100), batch, replace }),
            2 => (any::<prop::sample::Index>(), batch(), any::<bool>(), any::<bool>())
                .prop_map(|(of, batch, replace, panic)| Op::Fail { of: of.index(100), batch, replace, panic }),
            2 => any::<prop::sample::Index>().prop_map(|of| Op::Drop { of: of.index(100) }),
        ],
        0..40,
    )
}

/// The last word on each key of a batch.
fn by_key(batch: &[(u8, Option<i64>)]) -> BTreeMap<String, Option<i64>> {
    batch.iter().map(|(key, state)| (key.to_string(), *state)).collect()
}

fn apply(step: &mut Step<'_, String, i64>, batch: &[(u8, Option<i64>)], replace: bool) {
    if replace {
        let batch = by_key(batch).into_iter().map(|(key, state)| (pinned_hash(&key), key, state)).collect();
        step.replace(batch, |_, new, old| new.unwrap_or(old));
        return;
    }
    for (key, state) in batch {
        let key = key.to_string();
        let hash = pinned_hash(&key);
        match (step.find(hash, &key), state) {
            (Some(at), state) => step.set(at, *state),
            (None, Some(state)) => _ = step.put(hash, key, *state),
            (None, None) => {}
        }
    }
}

fn model(before: &States, batch: &[(u8, Option<i64>)], time: i64) -> States {
    let mut after = before.clone();
    for (key, state) in by_key(batch) {
        match state {
            Some(state) => _ = after.insert(key, (state, time)),
            None => _ = after.remove(&key),
        }
    }
    after
}

fn states(version: &Version<String, i64>) -> States {
    version.entries().into_iter().map(|(key, state, time)| (key, (state, time))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Times are kept by one of the two tables: a step that replaces all states does not keep them.
    #[test]
    fn each_version_stays_what_it_was(ops in ops(), with_timeouts in any::<bool>()) {
        let first = Version::<String, i64>::of([("1".to_owned(), 7, 5)], with_timeouts, Time::from_millis(5));
        let time = |time| if with_timeouts { time } else { 0 };
        let mut held = vec![(first, States::from([("1".to_owned(), (7, time(5)))]))];
        let mut number = 10;
        for op in ops {
            number += 1;
            match op {
                Op::Step { of, batch, replace } => {
                    let replace = replace && !with_timeouts;
                    let (before, model_before) = held[of % held.len()].clone();
                    let after = before.step(number as u64, Time::from_millis(number), |step| {
                        apply(step, &batch, replace);
                        Ok(vec![number])
                    });
                    let expected = model(&model_before, &batch, time(number));
                    held.push((Arc::clone(after.unwrap().version()), expected));
                }
                Op::Fail { of, batch, replace, panic } => {
                    let replace = replace && !with_timeouts;
                    let before = Arc::clone(&held[of % held.len()].0);
                    let failing = || {
                        before.step::<()>(u64::MAX - 1, Time::from_millis(number), |step| {
                            apply(step, &batch, replace);
                            assert!(!panic, "on purpose");
                            Err(Error::user("on purpose"))
                        })
                    };
                    let failed = catch_unwind(AssertUnwindSafe(failing));
                    prop_assert!(!matches!(failed, Ok(Ok(_))));
                }
                Op::Drop { of } if held.len() > 1 => {
                    held.swap_remove(of % held.len());
                }
                Op::Drop { .. } => {}
            }
            for (version, expected) in &held {
                prop_assert_eq!(&states(version), expected);
            }
        }
    }
}

#[test]
fn a_step_that_was_done_is_not_done_again() {
    let first = Version::<String, i64>::of([], false, Time::from_millis(0));
    let step = |n: i64| {
        let put = move |step: &mut Step<'_, String, i64>| {
            step.put(pinned_hash("a"), "a".to_owned(), n);
            Ok(vec![n])
        };
        first.step(7, Time::from_millis(1), put).unwrap()
    };
    let made = step(1);
    assert_eq!(*step(2).mapped(), [1]);
    assert_eq!(states(step(2).version()), states(made.version()));
    drop(made);
    // Nobody has it: it is done again, from where it began.
    assert_eq!(*step(3).mapped(), [3]);
}

#[test]
fn numbers_of_keys_that_left_are_used_again() {
    let mut version = Version::<u64, u64>::of([], false, Time::from_millis(0));
    for time in 1..100_u64 {
        let next = version.step::<()>(time, Time::from_millis(time as i64), |step| {
            if let Some(at) = step.find(pinned_hash(&(time - 1)), &(time - 1)) {
                step.set(at, None);
            }
            step.put(pinned_hash(&time), time, time);
            Ok(Vec::new())
        });
        version = Arc::clone(next.unwrap().version());
        assert_eq!(version.entries().len(), 1);
    }
    version.look(|table, _| assert!(table.numbers() <= 4, "{} numbers for one key", table.numbers()));
}
