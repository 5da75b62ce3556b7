//! The values of Spark's `MapWithStateRDDSuite`: what a batch makes of the states of a partition.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millstream_core::Data;

use super::super::{Entry, Version};
use crate::StateSpec;
use crate::time::Time;

type States = Arc<Version<String, i64>>;

fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

fn states(entries: &[(&str, i64, i64)], time: i64) -> States {
    Version::of(owned(entries), true, at(time)).unwrap()
}

fn owned(entries: &[(&str, i64, i64)]) -> Vec<Entry<String, i64>> {
    entries.iter().map(|(key, state, time)| ((*key).to_owned(), *state, *time)).collect()
}

fn all(states: &States) -> Vec<Entry<String, i64>> {
    let mut entries = states.entries().unwrap();
    entries.sort();
    entries
}

/// Gives a partition the records of a batch; returns the states after it and what the records are mapped to.
fn updated<V: Data>(
    before: &States,
    time: i64,
    data: &[(&str, V)],
    spec: &StateSpec<String, V, i64, i64>,
) -> (States, Vec<i64>) {
    static STEPS: AtomicU64 = AtomicU64::new(1);
    let records = data.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let step = STEPS.fetch_add(1, Ordering::Relaxed);
    let held = before.step(step, at(time), |step| spec.run(at(time), records, step)).unwrap();
    (Arc::clone(held.version()), held.mapped().to_vec())
}

/// What the function was called with and has seen.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    called: bool,
    removed: Vec<i64>,
    timing_out: Vec<i64>,
}

#[test]
fn updating_state_and_generating_mapped_data() {
    const INITIAL: i64 = 1000;
    const UPDATED: i64 = 2000;
    let check = |initial: Option<i64>,
                 data: &[&str],
                 timeout: Option<u64>,
                 expected: Option<(i64, i64)>,
                 mapped: &[i64],
                 expected_seen: Seen| {
        let entries: Vec<_> = initial.map(|state| ("key", state, INITIAL)).into_iter().collect();
        let before = states(&entries, INITIAL);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let data: Vec<_> = data.iter().map(|said| ("key", (*said).to_owned())).collect();
        let into = Arc::clone(&seen);
        let spec = StateSpec::function_with(move |time, key: &String, said: Option<String>, state| {
            let mut seen = into.lock().unwrap();
            seen.called = true;
            assert_eq!((time, key.as_str()), (at(UPDATED), "key"));
            match said.as_deref() {
                Some("noop") => None,
                Some("get-state") => Some(state.get_option().copied().unwrap_or(-1)),
                Some("update-state") => {
                    state.update(state.get_option().map_or(0, |state| state + 1));
                    None
                }
                Some("remove-state") => {
                    seen.removed.push(*state.get());
                    state.remove();
                    None
                }
                Some(other) => panic!("{other}"),
                None => {
                    assert!(state.is_timing_out());
                    seen.timing_out.push(*state.get());
                    None
                }
            }
        });
        let spec = timeout.iter().fold(spec, |spec, millis| spec.timeout(Duration::from_millis(*millis)));
        let (after, output) = updated(&before, UPDATED, &data, &spec);
        let what = format!("{initial:?} {data:?} {timeout:?}");
        let expected: Vec<_> = expected.map(|(state, time)| ("key", state, time)).into_iter().collect();
        assert_eq!(all(&after), owned(&expected), "{what}");
        assert_eq!(output, mapped, "{what}");
        assert_eq!(*seen.lock().unwrap(), expected_seen, "{what}");
        assert_eq!(all(&before), owned(&entries), "{what}");
    };
    let none = Seen::default;
    let called = || Seen { called: true, ..none() };
    let removed = |state| Seen { removed: vec![state], ..called() };
    let timed_out = |state| Seen { timing_out: vec![state], ..called() };

    // Without data nothing is called.
    check(None, &[], None, None, &[], none());
    check(Some(0), &[], None, Some((0, INITIAL)), &[], none());
    // With data the function is called, whether there is a state or not. A key counts as touched by its data.
    check(Some(0), &["noop"], None, Some((0, UPDATED)), &[], called());
    check(None, &["noop"], None, None, &[], called());
    check(None, &["get-state"], None, None, &[-1], called());
    check(Some(123), &["get-state"], None, Some((123, UPDATED)), &[123], called());
    check(None, &["update-state"], None, Some((0, UPDATED)), &[], called());
    check(Some(0), &["update-state"], None, Some((1, UPDATED)), &[], called());
    check(Some(345), &["remove-state"], None, None, &[], removed(345));
    // A state whose last data came less than the timeout ago stays, another one leaves.
    check(Some(123), &[], Some(1001), Some((123, INITIAL)), &[], none());
    check(Some(123), &[], Some(1000), None, &[], timed_out(123));
    // Not once there is data.
    check(Some(123), &["noop"], Some(1000), Some((123, UPDATED)), &[], called());
    check(Some(123), &["remove-state"], Some(1000), None, &[], removed(123));
    // One that was not set has nothing to time out.
    check(None, &["noop"], Some(1000), None, &[], called());
}

#[test]
fn states_generated_by_batch_after_batch() {
    const INITIAL: i64 = 123;
    const UPDATED: i64 = 345;
    let of_initial = [("k1", 0, INITIAL), ("k2", 0, INITIAL)];
    let initial = states(&of_initial, INITIAL);
    let check = |before: &States, data: &[(&str, u8)], expected: &[(&str, i64, i64)]| {
        let unchanged = all(before);
        let touched = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&touched);
        let spec = StateSpec::function_with(move |_, key: &String, said, state| {
            into.lock().unwrap().push(key.clone());
            match said {
                Some(1) => state.update(state.get_option().map_or(0, |state| state + 1)),
                Some(2) => state.remove(),
                _ => {}
            }
            None
        });
        let (after, _) = updated(before, UPDATED, data, &spec);
        assert_eq!(all(&after), owned(expected), "{data:?}");
        assert!(touched.lock().unwrap().iter().eq(data.iter().map(|(key, _)| key)), "{data:?}");
        assert_eq!(all(before), unchanged, "{data:?}");
        assert_eq!(all(&initial), owned(&of_initial), "{data:?}");
        after
    };
    check(&initial, &[], &of_initial);
    // The state stays what it is; that there was data counts for its timeout.
    check(&initial, &[("k1", 0)], &[("k1", 0, UPDATED), ("k2", 0, INITIAL)]);
    check(&initial, &[("k3", 0)], &of_initial);
    let first = check(&initial, &[("k3", 1)], &[("k1", 0, INITIAL), ("k2", 0, INITIAL), ("k3", 0, UPDATED)]);
    let four = [("k1", 0, INITIAL), ("k2", 0, INITIAL), ("k3", 0, UPDATED), ("k4", 0, UPDATED)];
    check(&first, &[("k4", 1)], &four);
    let third = check(&initial, &[("k1", 1)], &[("k1", 1, UPDATED), ("k2", 0, INITIAL)]);
    let fourth = check(
        &third,
        &[("x", 0), ("k2", 1), ("k2", 1), ("k3", 1)],
        &[("k1", 1, UPDATED), ("k2", 2, UPDATED), ("k3", 0, UPDATED)],
    );
    check(&fourth, &[("k3", 1)], &[("k1", 1, UPDATED), ("k2", 2, UPDATED), ("k3", 1, UPDATED)]);
    let sixth = check(&initial, &[("k1", 2)], &[("k2", 0, INITIAL)]);
    let seventh = check(&sixth, &[("k2", 2), ("k0", 2), ("k3", 1)], &[("k3", 0, UPDATED)]);
    check(&seventh, &[("k3", 2)], &[]);
}
