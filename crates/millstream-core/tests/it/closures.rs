//! Closures that can not travel to another process.

use std::sync::Arc;

use millstream_core::operator::{self, Operator};
use millstream_core::{Conf, Context, Error, Result};

use crate::context;

fn strict() -> Context {
    Context::new(Conf::empty().set("millstream.closures.strict", "true")).unwrap()
}

/// Checks that an action was refused, and where and what the error says to write instead.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, operator: &str, line: u32, remedy: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::CapturingClosure { bytes: 8, .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("the closure of {operator} at ")), "{text}");
    assert!(text.contains(&format!("closures.rs:{line}:")), "{text}");
    assert!(text.contains("captures 8 bytes"), "{text}");
    assert!(text.contains(&format!("`{remedy}`")), "{text}");
}

#[test]
fn what_captures_is_refused_with_the_form_to_write() {
    let numbers = strict().parallelize([1_u64, 2, 3], 2);
    let pairs = numbers.map(|n| (n % 2, n));
    let n: u64 = std::env::args().count() as u64;
    let here = line!();
    let map = numbers.map(move |m| m + n);
    let map_ref = numbers.map_ref(move |m| m + n);
    let filter = numbers.filter(move |m| *m > n);
    let flat_map = numbers.flat_map(move |m| [m, n]);
    let flat_map_into = numbers.flat_map_into(move |m, out| out.push(*m + n));
    let map_partitions = numbers.map_partitions(move |records| records.map(move |m| m + n));
    let sums = pairs.reduce_by_key(move |a, b| a + b + n);
    let map_env = numbers.map_env(1, move |one, m| m + n + one);
    let generate = strict().generate(2, move |partition| [partition as u64 + n]);
    refused(map.count(), "map", here + 1, "map_env(values, |values, ..| ..)");
    refused(map_ref.count(), "map_ref", here + 2, "map_env(values, |values, record| ..)");
    refused(filter.count(), "filter", here + 3, "filter_env(values, |values, ..| ..)");
    refused(flat_map.count(), "flat_map", here + 4, "flat_map_env(values, |values, ..| ..)");
    refused(flat_map_into.count(), "flat_map_into", here + 5, "flat_map_into_env(values, |values, ..| ..)");
    refused(
        map_partitions.count(),
        "map_partitions",
        here + 6,
        "map_partitions_env(values, |values, ..| ..)",
    );
    let before = "map_env(values, |values, record| ..).reduce_by_key(|a, b| ..)";
    refused(sums.count(), "reduce_by_key", here + 7, before);
    refused(map_env.count(), "map_env", here + 8, "map_env(values, |values, ..| ..)");
    let instead = "parallelize(0..n, n).flat_map_env(values, |values, partition| ..)";
    refused(generate.count(), "generate", here + 9, instead);
    let here = line!();
    let foreach = numbers.foreach(move |m| assert!(m > n));
    let foreach_partition = numbers.foreach_partition(move |records| assert!(records.count() as u64 > n));
    let reduce = numbers.reduce(move |a, b| a + b + n);
    refused(foreach, "foreach", here + 1, "foreach_env(values, |values, ..| ..)");
    refused(
        foreach_partition,
        "foreach_partition",
        here + 2,
        "foreach_partition_env(values, |values, ..| ..)",
    );
    refused(reduce, "reduce", here + 3, "map_env(values, |values, record| ..).reduce(|a, b| ..)");
}

#[test]
fn the_forms_to_write_are_not_refused() {
    let context = strict();
    let numbers = context.parallelize([1_u64, 2, 3], 2);
    let n: u64 = 10;
    assert_eq!(numbers.map_env(n, |n, m| m + n).collect().unwrap(), [11, 12, 13]);
    assert_eq!(numbers.filter_env(n, |n, m| m < n).count().unwrap(), 3);
    assert_eq!(numbers.flat_map_env(n, |n, m| [m, *n]).count().unwrap(), 6);
    assert_eq!(numbers.flat_map_into_env(n, |n, m, out| out.push(m + n)).count().unwrap(), 3);
    assert_eq!(numbers.map_partitions_env(n, |n, records| records.map(move |m| m + n)).count().unwrap(), 3);
    numbers.foreach_env(n, |n, m| assert!(m < *n)).unwrap();
    numbers.foreach_partition_env(n, |n, records| assert!((records.count() as u64) < *n)).unwrap();
    let sums = numbers.map_env(n, |n, m| (m % 2, m + n)).reduce_by_key(|a, b| a + b);
    assert_eq!(sums.count().unwrap(), 2);
    assert_eq!(numbers.map_env(n, |n, m| m + n).reduce(|a, b| a + b).unwrap(), Some(36));
    let made = context.parallelize(0..2_u64, 2).flat_map_env(n, |n, partition| [partition + n]);
    assert_eq!(made.collect().unwrap(), [10, 11]);
}

#[test]
fn a_closure_of_an_operator_of_the_graph_may_capture() {
    let numbers = strict().parallelize([1_u64, 2, 3], 2);
    let n: u64 = 10;
    let operator = Arc::new(Operator::call("map", std::panic::Location::caller()));
    let mapped = operator::apply(&operator, vec![numbers.any()], || numbers.map(move |m| m + n));
    assert_eq!(mapped.collect().unwrap(), [11, 12, 13]);
    let within = operator::apply(&operator, vec![], || operator::user_code(|| numbers.map(move |m| m + n)));
    assert!(matches!(within.count().unwrap_err(), Error::CapturingClosure { .. }));
}

#[test]
fn a_closure_may_capture_unless_that_is_forbidden() {
    let n: u64 = 10;
    assert_eq!(context().parallelize([1_u64], 1).map(move |m| m + n).collect().unwrap(), [11]);
}
