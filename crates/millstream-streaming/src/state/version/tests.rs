use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use millstream_core::shuffle::hash::pinned_hash;
use millstream_core::{Conf, Context, Data, Error, Result};
use proptest::prelude::*;

use super::Version;
use crate::state::making::Step;
use crate::state::room::Room;
use crate::state::shelf::Shelf;
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
    /// Everything of a version's table leaves memory.
    Leave { of: usize },
    /// Somebody begins to read a version, and holds what is read.
    Read { of: usize },
}

mod records;
mod state_map;

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let batch = || prop::collection::vec((0_u8..8, prop::option::weighted(0.7, -9_i64..9)), 0..6);
    prop::collection::vec(
        prop_oneof![
            4 => (any::<prop::sample::Index>(), batch(), any::<bool>())
                .prop_map(|(of, batch, replace)| Op::Step { of: of.index(100), batch, replace }),
            2 => (any::<prop::sample::Index>(), batch(), any::<bool>(), any::<bool>())
                .prop_map(|(of, batch, replace, panic)| Op::Fail { of: of.index(100), batch, replace, panic }),
            2 => any::<prop::sample::Index>().prop_map(|of| Op::Drop { of: of.index(100) }),
            2 => any::<prop::sample::Index>().prop_map(|of| Op::Leave { of: of.index(100) }),
            1 => any::<prop::sample::Index>().prop_map(|of| Op::Read { of: of.index(100) }),
        ],
        0..40,
    )
}

/// The last word on each key of a batch.
fn by_key(batch: &[(u8, Option<i64>)]) -> BTreeMap<String, Option<i64>> {
    batch.iter().map(|(key, state)| (key.to_string(), *state)).collect()
}

/// Changes states; `fails_at` is a key at which replacing them panics.
fn apply(
    step: &mut Step<'_, String, i64>,
    batch: &[(u8, Option<i64>)],
    replace: bool,
    fails_at: Option<&str>,
) -> Result<()> {
    if replace {
        let batch = by_key(batch).into_iter().map(|(key, state)| (pinned_hash(&key), key, state)).collect();
        return step.replace(batch, |key, new, old| {
            assert!(fails_at != Some(key.as_str()), "on purpose");
            new.unwrap_or(old)
        });
    }
    for (key, state) in batch {
        let key = key.to_string();
        let hash = pinned_hash(&key);
        match (step.find(hash, &key)?, state) {
            (Some(at), state) => step.set(at, *state)?,
            (None, Some(state)) => _ = step.put(hash, key, *state)?,
            (None, None) => {}
        }
    }
    Ok(())
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
    version.entries().unwrap().into_iter().map(|(key, state, time)| (key, (state, time))).collect()
}

static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context::new(Conf::empty()).unwrap());

/// Has all of a version's table leave memory, as far as nobody reads it.
fn leave<S: Data>(version: &Version<String, S>) {
    version.lock().make_way(usize::MAX);
}

/// What is kept as sums must be the sums, and a state must lie beside each key.
fn check_sums<S: Data>(version: &Version<String, S>) {
    version.look(|table, _| {
        let shelves: usize = table.shelves.iter().map(Shelf::bytes).sum();
        let logs: usize = table.logs.iter().map(|log| log.change.bytes()).sum();
        assert_eq!(table.bytes, shelves + logs);
        assert_eq!(table.keys, table.shelves.iter().map(|shelf| shelf.there.count()).sum::<usize>());
        for (keys, states) in table.shelves.iter().filter_map(Shelf::in_memory) {
            assert_eq!(keys.len(), states.len());
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Times are kept by one of the two tables: a step that replaces all states does not keep them.
    #[test]
    fn each_version_stays_what_it_was(ops in ops(), with_timeouts in any::<bool>()) {
        let first = Version::<String, i64>::of([("1".to_owned(), 7, 5)], with_timeouts, Time::from_millis(5)).unwrap();
        first.lie_in(|| Room::of(&CONTEXT, "a state")).unwrap();
        let mut read = Vec::new();
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
                        apply(step, &batch, replace, None)?;
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
                            apply(step, &batch, replace, panic.then_some("3"))?;
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
                Op::Leave { of } => leave(&held[of % held.len()].0),
                Op::Read { of } => {
                    let (version, expected) = held[of % held.len()].clone();
                    read.extend(Arc::clone(&version).pairs().next_chunk().unwrap().map(|chunk| (chunk, expected)));
                }
            }
            for (version, expected) in &held {
                prop_assert_eq!(&states(version), expected);
                check_sums(version);
            }
            for (chunk, expected) in &read {
                let pairs: BTreeMap<String, i64> = chunk.clone().into_vec().into_iter().collect();
                let expected = expected.iter().map(|(key, (state, _))| (key.clone(), *state));
                prop_assert_eq!(pairs, expected.collect::<BTreeMap<_, _>>());
            }
        }
    }
}

#[test]
fn a_step_that_was_done_is_not_done_again() {
    let first = Version::<String, i64>::of([], false, Time::from_millis(0)).unwrap();
    let step = |n: i64| {
        let put = move |step: &mut Step<'_, String, i64>| {
            step.put(pinned_hash("a"), "a".to_owned(), n)?;
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
    let mut version = Version::<u64, u64>::of([], false, Time::from_millis(0)).unwrap();
    for time in 1..100_u64 {
        let next = version.step::<()>(time, Time::from_millis(time as i64), |step| {
            if let Some(at) = step.find(pinned_hash(&(time - 1)), &(time - 1))? {
                step.set(at, None)?;
            }
            step.put(pinned_hash(&time), time, time)?;
            Ok(Vec::new())
        });
        version = Arc::clone(next.unwrap().version());
        assert_eq!(version.entries().unwrap().len(), 1);
    }
    version.look(|table, _| assert!(table.numbers() <= 4, "{} numbers for one key", table.numbers()));
}

/// Several shelves, states with memory of their own, steps of both kinds, and all that happens to their versions.
#[test]
fn versions_of_many_keys_stay_what_they_were() {
    for seed in 1..=6_u64 {
        println!("seed {seed}");
        let mut random = seed;
        let mut next = move |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let replaces = seed % 2 == 0;
        let first: BTreeMap<String, String> =
            (0..3000).map(|n| (n.to_string(), format!("{n:020}"))).collect();
        let entries = first.iter().map(|(key, state)| (key.clone(), state.clone(), 0));
        let version = Version::of(entries, false, Time::from_millis(0)).unwrap();
        version.lie_in(|| Room::of(&CONTEXT, "a state")).unwrap();
        let mut held = vec![(version, first)];
        for number in 1..30_u64 {
            let (before, mut model) = held[next(held.len() as u64) as usize].clone();
            let batch: BTreeMap<String, Option<String>> = (0..next(400))
                .map(|_| (next(3500).to_string(), (next(4) > 0).then(|| format!("{number:030}"))))
                .collect();
            let after = before.step::<()>(number, Time::from_millis(number as i64), |step| {
                if replaces {
                    let batch =
                        batch.iter().map(|(key, state)| (pinned_hash(key), key.clone(), state.clone()));
                    step.replace(batch.collect(), |_, new, old| new.unwrap_or(old))?;
                } else {
                    for (key, state) in &batch {
                        match (step.find(pinned_hash(key), key)?, state) {
                            (Some(at), state) => step.set(at, state.clone())?,
                            (None, Some(state)) => {
                                _ = step.put(pinned_hash(key), key.clone(), state.clone())?
                            }
                            (None, None) => {}
                        }
                    }
                }
                Ok(Vec::new())
            });
            for (key, state) in batch {
                match state {
                    Some(state) => _ = model.insert(key, state),
                    None => _ = model.remove(&key),
                }
            }
            held.push((Arc::clone(after.unwrap().version()), model));
            if next(3) == 0 {
                leave(&held[next(held.len() as u64) as usize].0);
            }
            if held.len() > 4 {
                held.swap_remove(next(held.len() as u64) as usize);
            }
            for (version, model) in &held {
                check_sums(version);
                let entries = version.entries().unwrap();
                let states: BTreeMap<_, _> =
                    entries.into_iter().map(|(key, state, _)| (key, state)).collect();
                assert!(states == *model, "after step {number}");
            }
        }
    }
}

#[test]
fn a_table_shrinks_when_most_keys_have_left() {
    let entries = (0..20_000).map(|n: u64| (n.to_string(), n, 0));
    let before = Version::of(entries, false, Time::from_millis(0)).unwrap();
    let remove = |step: &mut Step<'_, String, u64>| {
        for key in (10..20_000_u64).map(|n| n.to_string()) {
            if let Some(at) = step.find(pinned_hash(&key), &key)? {
                step.set(at, None)?;
            }
        }
        Ok(Vec::<()>::new())
    };
    let few = before.step(1, Time::from_millis(1), remove).unwrap();
    let after = few.version().step(2, Time::from_millis(2), |_| Ok(Vec::<()>::new())).unwrap();
    assert_eq!((before.entries().unwrap().len(), after.version().entries().unwrap().len()), (20_000, 10));
    after.version().look(|table, _| assert_eq!((table.numbers(), table.shelves()), (10, 1)));
}

#[test]
fn between_versions_in_use_one_log_of_all_states_is_kept() {
    let entries = (0..1000).map(|n: u64| (n.to_string(), n, 0));
    let first = Version::of(entries, false, Time::from_millis(0)).unwrap();
    let mut last = Arc::clone(&first);
    for number in 1..20_u64 {
        let next = last.step(number, Time::from_millis(number as i64), |step| {
            step.replace(Vec::<(u64, String, ())>::new(), |_, _, state| state.map(|n| n + 1))?;
            Ok(Vec::<()>::new())
        });
        last = Arc::clone(next.unwrap().version());
    }
    let sum =
        |version: &Version<String, u64>| version.entries().unwrap().iter().map(|entry| entry.1).sum::<u64>();
    assert_eq!((sum(&first), sum(&last)), (499_500, 499_500 + 19 * 1000));
    last.look(|table, _| {
        let logs: usize = table.logs.iter().map(|log| log.change.bytes()).sum();
        // That of the first version, and that of the step before the last, whose version was in use then.
        assert!(logs <= 2 * 8000, "{logs} bytes");
    });
}
