//! Stateful operators in child processes; each test is a program, as in `child_process`.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::Arc;

use millstream_core::Context;
use millstream_streaming::testing::Driver;
use millstream_streaming::{DStream, State, StateSpec};
use millstream_testkit::process_executor::ProcessExecutor;

use crate::child_process::{context_of, local};
use crate::tables::{SECOND, seconds, sorted, step};

type Pairs = DStream<(u32, i64)>;
type Rows = Vec<Vec<(u32, i64)>>;

fn context(name: &'static str) -> (Context, Option<Arc<ProcessExecutor>>) {
    context_of("child_process_states", name)
}

fn input() -> Rows {
    (0..10).map(|batch| (0..12).map(|n| (n % (batch % 4 + 1), i64::from(batch * n + 1))).collect()).collect()
}

fn updated(pairs: &Pairs) -> Pairs {
    pairs.update_state_by_key(|values: Vec<i64>, state: Option<i64>| {
        Some(values.iter().sum::<i64>() + state.unwrap_or(0)).filter(|sum| sum % 7 != 0)
    })
}

fn mapped(pairs: &Pairs) -> [Pairs; 2] {
    let spec = StateSpec::function(|key: &u32, value: Option<i64>, state: &mut State<'_, i64>| {
        let sum = value.unwrap_or(-1) + state.get_option().copied().unwrap_or(0);
        if sum % 7 == 0 && !state.is_timing_out() {
            state.remove();
        } else if !state.is_timing_out() {
            state.update(sum);
        }
        (*key, sum)
    });
    let mapped = pairs.map_with_state(spec.timeout(seconds(2)));
    [mapped.stream(), mapped.state_snapshots()]
}

/// Runs all of them; `while_running` is called after each batch.
fn run(context: &Context, mut while_running: impl FnMut(usize)) -> Vec<Rows> {
    let driver = Driver::on(context, SECOND).unwrap();
    let pairs = driver.input(input());
    let streams = [updated(&pairs)].into_iter().chain(mapped(&pairs));
    let collected: Vec<_> = streams.map(|stream| driver.collect(&stream)).collect();
    let steps = driver.start().unwrap();
    for batch in 0..input().len() + 2 {
        step(&steps, 1);
        while_running(batch);
    }
    collected.iter().map(|rows| rows.batches().into_iter().map(sorted).collect()).collect()
}

fn on_threads() -> Vec<Rows> {
    run(&Context::new(local()).unwrap(), |_| {})
}

#[test]
fn both_operators() {
    let (context, executor) = context("both_operators");
    let in_processes = run(&context, |_| {});
    assert!(executor.is_some(), "an executor does not come here");
    let expected = on_threads();
    assert!(expected.iter().all(|rows| rows.iter().any(|row| !row.is_empty())));
    assert_eq!(in_processes, expected);
}

/// After some batches one of the processes is killed, and with it the states it had: they are made again.
#[test]
fn a_killed_process_loses_no_state() {
    let (context, executor) = context("a_killed_process_loses_no_state");
    let mut killed = BTreeSet::new();
    let in_processes = run(&context, |batch| {
        let executor = executor.as_ref().expect("an executor does not come here");
        if batch % 3 != 2 {
            return;
        }
        let processes = executor.process_ids();
        let process = processes[batch / 3 % processes.len()];
        let mut kill = Command::new("kill");
        if kill.args(["-9", &process.to_string()]).stderr(Stdio::null()).status().unwrap().success() {
            killed.insert(process);
        }
    });
    assert!(killed.len() >= 3, "{killed:?}");
    assert_eq!(in_processes, on_threads());
}
