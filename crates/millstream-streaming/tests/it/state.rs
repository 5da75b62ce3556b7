//! Stateful operators against the tables of Spark's own tests.

use std::time::Duration;

use millstream_core::{Conf, Context, Data};
use millstream_streaming::testing::{Driver, batches};
use millstream_streaming::{DStream, State, StateSpec, UpdateOptions};

use crate::tables::{SECOND, pairs, rows, seconds, sorted, table};

fn letters(rows: &[&str]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.chars().map(String::from).collect()).collect()
}

fn ones(letters: &DStream<String>) -> DStream<(String, i32)> {
    letters.map(|letter| (letter, 1))
}

/// Runs `map_with_state` on a table of keys, each with the value 1, and compares what is mapped and the snapshots.
fn check<S: Data + Ord + std::fmt::Debug, U: Data + Ord + std::fmt::Debug>(
    input: &[&str],
    spec: impl FnOnce(&Context) -> StateSpec<String, i32, S, U>,
    expected: Vec<Vec<U>>,
    states: Vec<Vec<(String, S)>>,
) {
    let driver = Driver::new(Conf::empty().set_master("local[2]"), SECOND).unwrap();
    let mapping = ones(&driver.input(letters(input))).map_with_state(spec(driver.context()));
    let collected = driver.collect(&mapping);
    let snapshots = driver.collect(&mapping.state_snapshots());
    driver.run(input.len()).unwrap();
    assert_eq!(all_sorted(collected.batches()), all_sorted(expected));
    assert_eq!(all_sorted(snapshots.batches()), states);
}

fn all_sorted<T: Ord>(rows: Vec<Vec<T>>) -> Vec<Vec<T>> {
    rows.into_iter().map(sorted).collect()
}

const COUNTED: [&str; 7] = ["", "a", "ab", "abc", "ab", "a", ""];

/// The counts after each batch of [`COUNTED`].
pub(crate) fn counts() -> Vec<Vec<(String, i32)>> {
    table(&[
        &[],
        &[("a", 1)],
        &[("a", 2), ("b", 1)],
        &[("a", 3), ("b", 2), ("c", 1)],
        &[("a", 4), ("b", 3), ("c", 1)],
        &[("a", 5), ("b", 3), ("c", 1)],
        &[("a", 5), ("b", 3), ("c", 1)],
    ])
}

fn count(state: &mut State<'_, i32>, value: Option<i32>) -> i32 {
    let sum = value.unwrap_or(0) + state.get_option().copied().unwrap_or(0);
    state.update(sum);
    sum
}

#[test]
fn map_with_state_basic_operations_with_simple_api() {
    let spec = |_: &Context| StateSpec::function(|_, value, state| count(state, value));
    check(&COUNTED, spec, batches![[], [1], [2, 1], [3, 2, 1], [4, 3], [5], []], counts());
}

#[test]
fn map_with_state_basic_operations_with_advanced_api() {
    let spec = |_: &Context| {
        StateSpec::function_with(|_, key: &String, value, state| {
            count(state, value);
            Some(key.repeat(2))
        })
    };
    let doubled = letters(&COUNTED).into_iter().map(|row| row.into_iter().map(|key| key.repeat(2)).collect());
    check(&COUNTED, spec, doubled.collect(), counts());
}

#[test]
fn map_with_state_states_as_mapped_data() {
    let spec = |_: &Context| {
        StateSpec::function_with(|_, key: &String, value, state| Some((key.clone(), count(state, value))))
    };
    let mut expected = counts();
    expected[4].truncate(2);
    expected[5].truncate(1);
    expected[6].clear();
    check(&COUNTED, spec, expected, counts());
}

#[test]
fn map_with_state_initial_states_with_nothing_returned() {
    let initial = pairs(&[("a", 5), ("b", 10), ("c", -20), ("d", 0)]);
    let with_initial = initial.clone();
    let spec = move |context: &Context| {
        let spec = StateSpec::function_with(|_, _, value, state| {
            count(state, value);
            None::<i32>
        });
        spec.initial_state(context.parallelize(with_initial, 3))
    };
    let mut states = vec![initial; 7];
    for (row, counted) in states.iter_mut().zip(counts()) {
        for (key, n) in counted {
            row.iter_mut().filter(|(other, _)| *other == key).for_each(|(_, state)| *state += n);
        }
    }
    check(&COUNTED, spec, vec![vec![]; 7], states);
}

#[test]
fn map_with_state_state_removing() {
    let input = ["", "a", "ab", "abc", "abc", "ab", "a", ""];
    let spec = |_: &Context| {
        let spec = StateSpec::function_with(|_, key: &String, value: Option<i32>, state| {
            if state.exists() {
                state.remove();
                return Some(key.clone());
            }
            state.update(value?);
            None
        });
        spec.num_partitions(1)
    };
    let states =
        table(&[&[], &[("a", 1)], &[("b", 1)], &[("a", 1), ("c", 1)], &[("b", 1)], &[("a", 1)], &[], &[]]);
    check(&input, spec, letters(&["", "", "a", "b", "ac", "b", "a", ""]), states);
}

#[test]
fn map_with_state_state_timing_out() {
    let input: Vec<&str> = ["abc", "ab", "a", "", "", "a"].into_iter().chain(["a"; 20]).collect();
    let spec = |_: &Context| {
        let spec = StateSpec::function_with(|_, key: &String, value: Option<i32>, state| {
            if value.is_some() {
                state.update(1);
            }
            state.is_timing_out().then(|| key.clone())
        });
        spec.timeout(seconds(3))
    };
    // In the first batch that is three seconds later than the last one with the key, and once.
    let mut expected = vec![vec![]; 26];
    expected[3] = vec!["c".to_owned()];
    expected[4] = vec!["b".to_owned()];
    let mut states = vec![pairs(&[("a", 1)]); 26];
    for row in &mut states[..3] {
        *row = pairs(&[("a", 1), ("b", 1), ("c", 1)]);
    }
    states[3] = pairs(&[("a", 1), ("b", 1)]);
    check(&input, spec, expected, states);
}

#[test]
fn a_key_that_comes_in_the_batch_of_its_timeout_stays_and_one_that_was_gone_begins_anew() {
    let spec = |_: &Context| {
        let spec = StateSpec::function(|key: &String, value, state| {
            if state.is_timing_out() {
                format!("{key} gone with {}", state.get())
            } else {
                format!("{key}{}", count(state, value))
            }
        });
        spec.timeout(seconds(2))
    };
    let expected: Vec<Vec<String>> = batches![["a1"], [], ["a2"], [], ["a gone with 2"], ["a1"], []]
        .into_iter()
        .map(|row: Vec<&str>| row.into_iter().map(String::from).collect())
        .collect();
    let state = |n| pairs(&[("a", n)]);
    let states = vec![state(1), state(1), state(2), state(2), vec![], state(1), state(1)];
    check(&["a", "", "a", "", "", "a", ""], spec, expected, states);
}

#[test]
fn misuse_of_a_state_names_the_operator_and_the_line() {
    let place = |line: u32| format!("map_with_state at {}:{line}:", file!());
    let error = |spec: StateSpec<String, i32, i32, i32>| {
        let driver = Driver::new(Conf::empty().set_master("local[1,1]"), SECOND).unwrap();
        let line = line!() + 1;
        driver.collect(&ones(&driver.input(letters(&["a", "", ""]))).map_with_state(spec));
        (driver.run(3).unwrap_err().to_string(), line)
    };
    let spec = StateSpec::function(|_, _, state| *state.get());
    let (text, line) = error(spec);
    assert!(text.contains(&place(line)) && text.contains("`get` of a key without a state at"), "{text}");
    let spec = StateSpec::function(|_, _, state: &mut State<'_, i32>| {
        state.remove();
        state.update(1);
        1
    });
    let (text, line) = error(spec);
    assert!(text.contains(&place(line)) && text.contains("`update` of a state that was removed"), "{text}");
    let spec = StateSpec::function(|_, _, state| count(state, Some(1))).timeout(seconds(1));
    let (text, line) = error(spec);
    assert!(text.contains(&place(line)) && text.contains("`update` of a state that is timing out"), "{text}");
    assert!(text.contains("batch 2000 ms"), "{text}");
}

fn sum(values: Vec<i32>, state: Option<i32>) -> Option<i32> {
    Some(values.into_iter().sum::<i32>() + state.unwrap_or(0))
}

#[test]
fn update_state_by_key() {
    let input = letters(&["a", "ab", "abc", "ab", "a", ""]);
    let expected: Vec<_> = counts().into_iter().skip(1).collect();
    assert_eq!(rows(input, |s| ones(s).update_state_by_key(sum), 6), expected);
}

/// Beginning with 1 for a and 2 for c.
fn counts_with_initial_value() -> Vec<Vec<(String, i32)>> {
    table(&[
        &[("a", 2), ("c", 2)],
        &[("a", 3), ("b", 1), ("c", 2)],
        &[("a", 4), ("b", 2), ("c", 3)],
        &[("a", 5), ("b", 3), ("c", 3)],
        &[("a", 6), ("b", 3), ("c", 3)],
        &[("a", 6), ("b", 3), ("c", 3)],
    ])
}

#[test]
fn update_state_by_key_simple_with_initial_value() {
    let input = letters(&["a", "ab", "abc", "ab", "a", ""]);
    let updated = |s: &DStream<String>| {
        let initial = s.context().parallelize(pairs(&[("a", 1), ("c", 2)]), 2);
        let options = UpdateOptions::default().partitioner(3).initial_state(initial);
        ones(s).update_state_by_key_with(|_, _, values, state| sum(values, state), options)
    };
    assert_eq!(rows(input, updated, 6), counts_with_initial_value());
}

#[test]
fn update_state_by_key_with_initial_value_and_iterators() {
    let input = letters(&["a", "ab", "abc", "ab", "a", ""]);
    let updated = |s: &DStream<String>| {
        let initial = s.context().parallelize(pairs(&[("a", 1), ("c", 2)]), 1);
        ones(s).update_state_by_key_partitions(
            |_, keys| keys.filter_map(|(key, values, state)| Some((key, sum(values, state)?))),
            UpdateOptions::default().initial_state(initial),
        )
    };
    assert_eq!(rows(input, updated, 6), counts_with_initial_value());
}

/// The state is the values seen and, in a row, how many batches had none: after two of them the key leaves.
#[test]
fn update_state_by_key_object_lifecycle() {
    let input = letters(&["a", "abc", "bc", "", "a"]);
    type Seen = (Vec<i32>, i32);
    let updated = |s: &DStream<String>| {
        ones(s).update_state_by_key(|values, state: Option<Seen>| {
            let (mut seen, missed) = state.unwrap_or_default();
            let missed = if values.is_empty() { missed + 1 } else { 0 };
            seen.extend(values);
            (missed < 2).then_some((seen, missed))
        })
    };
    let seen = |row: &[(&str, usize)]| {
        row.iter().map(|(key, n)| ((*key).to_owned(), vec![1; *n])).collect::<Vec<_>>()
    };
    let expected = vec![
        seen(&[("a", 1)]),
        seen(&[("a", 2), ("b", 1), ("c", 1)]),
        seen(&[("a", 2), ("b", 2), ("c", 2)]),
        seen(&[("b", 2), ("c", 2)]),
        seen(&[("a", 1)]),
    ];
    let actual = rows(input, |s| updated(s).map(|(key, (seen, _))| (key, seen)), 5);
    assert_eq!(actual, expected);
}

/// As above, with the counts and the batches of Spark's table.
#[test]
fn update_state_by_key_object_lifecycle_of_counts() {
    let updated = |s: &DStream<String>| {
        let states = ones(s).update_state_by_key(|values, state: Option<(i32, i32)>| {
            let (count, missed) = state.unwrap_or_default();
            let missed = if values.is_empty() { missed + 1 } else { 0 };
            (missed < 2).then_some((count + values.into_iter().sum::<i32>(), missed))
        });
        states.map_values(|(count, _)| count)
    };
    let expected = table(&[
        &[("a", 1), ("b", 1)],
        &[("a", 1), ("b", 1)],
        &[("a", 3), ("c", 1)],
        &[("a", 3), ("c", 2)],
        &[("c", 2)],
        &[],
    ]);
    assert_eq!(rows(letters(&["ab", "", "aca", "c", "", ""]), updated, 6), expected);
}

#[test]
fn update_state_by_key_testing_time_stamps_as_input() {
    let updated = |s: &DStream<String>| {
        let initial = s.context().parallelize(pairs(&[("a", 0), ("c", 0)]), 2);
        let options = UpdateOptions::default().partitioner(2).initial_state(initial);
        ones(s).update_state_by_key_with(
            |time, _, values, state| {
                let now = if values.is_empty() { 0 } else { i32::try_from(time.as_millis()).unwrap() };
                Some(now + state.unwrap_or(0))
            },
            options,
        )
    };
    let expected = table(&[
        &[("a", 1000), ("c", 0)],
        &[("a", 3000), ("b", 2000), ("c", 0)],
        &[("a", 6000), ("b", 5000), ("c", 3000)],
        &[("a", 10_000), ("b", 9000), ("c", 3000)],
        &[("a", 15_000), ("b", 9000), ("c", 3000)],
        &[("a", 15_000), ("b", 9000), ("c", 3000)],
    ]);
    assert_eq!(rows(letters(&["a", "ab", "abc", "ab", "a", ""]), updated, 6), expected);
}

#[test]
fn update_state_by_key_with_time_and_key() {
    let updated = |s: &DStream<String>| {
        ones(s).update_state_by_key_with(
            |time, key, values, state: Option<String>| {
                let stamp = format!("{key}{}@{}", values.len(), time.as_millis());
                Some(state.map_or(stamp.clone(), |state| format!("{state} {stamp}")))
            },
            UpdateOptions::default(),
        )
    };
    let last = rows(letters(&["aa", "", "a"]), updated, 3).pop().unwrap();
    assert_eq!(last, [("a".to_owned(), "a2@1000 a0@2000 a1@3000".to_owned())]);
}

#[test]
fn a_key_of_another_partition_is_refused() {
    let driver = Driver::new(Conf::empty().set_master("local[2,1]"), SECOND).unwrap();
    let line = line!() + 1;
    let updated = driver.input(batches![[(1, 1)]]).update_state_by_key_partitions(
        |_, keys| keys.flat_map(|(_, _, state)| (0..10).map(move |key| (key, state.unwrap_or(0)))),
        UpdateOptions::default().partitioner(4),
    );
    driver.collect(&updated);
    let error = driver.run(1).unwrap_err().to_string();
    assert!(error.contains("belongs to another partition"), "{error}");
    assert!(error.contains(&format!("update_state_by_key at {}:{line}:", file!())), "{error}");
}

#[test]
fn no_partitions_are_refused_at_the_start() {
    let driver = Driver::new(Conf::empty(), SECOND).unwrap();
    let options = UpdateOptions::default().partitioner(0);
    let input = driver.input(batches![[(1, 1)]]);
    let line = line!() + 1;
    let updated = input.update_state_by_key_with(|_, _, n, state| sum(n, state), options);
    driver.collect(&updated);
    let error = driver.run(1).unwrap_err().to_string();
    assert!(error.contains("0 partitions") && error.contains(&format!("{}:{line}", file!())), "{error}");
}

#[test]
fn states_are_co_partitioned_with_what_joins_them() {
    let joined = |s: &DStream<String>| {
        let counts = ones(s).update_state_by_key(sum);
        counts.join(&counts).map(|(key, (a, b))| (key, a + b))
    };
    let expected = table(&[&[("a", 2)], &[("a", 4), ("b", 2)]]);
    assert_eq!(rows(letters(&["a", "ab"]), joined, 2), expected);
}

#[test]
fn a_window_over_states_reads_each_as_it_was() {
    let windows = |s: &DStream<String>| ones(s).update_state_by_key(sum).window(Duration::from_secs(3), None);
    let expected = table(&[
        &[("a", 1)],
        &[("a", 1), ("a", 2), ("b", 1)],
        &[("a", 1), ("a", 2), ("a", 2), ("b", 1), ("b", 2)],
        &[("a", 2), ("a", 2), ("a", 2), ("b", 1), ("b", 2), ("b", 2)],
    ]);
    assert_eq!(rows(letters(&["a", "ab", "b", ""]), windows, 4), expected);
}
