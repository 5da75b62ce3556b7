//! Runs an operation on a table of batches, on any master and for any number of batches.

use std::time::Duration;

use millstream_core::{Conf, Context, Data};
use millstream_streaming::DStream;
use millstream_streaming::testing::{Driver, Steps};

/// The batch interval of the tables.
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Longer than anything may take that does not hang.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) fn conf(master: &str) -> Conf {
    Conf::empty().set_master(master).set("millstream.closures.strict", "true")
}

pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(' ').filter(|word| !word.is_empty()).map(String::from).collect()
}

pub(crate) fn pairs<V: Clone>(pairs: &[(&str, V)]) -> Vec<(String, V)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

/// The pairs of each batch.
pub(crate) fn table<V: Clone>(batches: &[&[(&str, V)]]) -> Vec<Vec<(String, V)>> {
    batches.iter().map(|batch| pairs(batch)).collect()
}

/// Runs `batches` batches of an operation; returns what each batch in which one was due has put out, with its time.
pub(crate) fn run_on<T: Data, U: Data>(
    context: &Context,
    interval: Duration,
    input: Vec<Vec<T>>,
    operation: impl FnOnce(&DStream<T>) -> DStream<U>,
    batches: usize,
) -> Vec<(i64, Vec<U>)> {
    let driver = Driver::on(context, interval).unwrap();
    let collected = driver.collect(&operation(&driver.input(input)));
    driver.run(batches).unwrap();
    collected.times().into_iter().map(|time| time.as_millis()).zip(collected.batches()).collect()
}

/// Runs an operation on a table of seconds; returns the rows, sorted.
pub(crate) fn rows<T: Data, U: Data + Ord>(
    input: Vec<Vec<T>>,
    operation: impl FnOnce(&DStream<T>) -> DStream<U>,
    batches: usize,
) -> Vec<Vec<U>> {
    let context = Context::new(conf("local[2]")).unwrap();
    let rows = run_on(&context, SECOND, input, operation, batches);
    rows.into_iter().map(|(_, row)| sorted(row)).collect()
}

pub(crate) fn sorted<T: Ord>(mut records: Vec<T>) -> Vec<T> {
    records.sort();
    records
}

/// Cuts `batches` batches.
pub(crate) fn step(steps: &Steps, batches: usize) {
    for _ in 0..batches {
        steps.step().unwrap();
    }
}
