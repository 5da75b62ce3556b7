//! Closures that can not travel to another process.

use std::sync::Arc;

use millstream_core::operator::{self, Operator};
use millstream_core::{Conf, Context, CustomPartitioner, Error, Partitioner, Rdd, Result};

use crate::{context, partitions, sorted};

fn strict() -> Context {
    Context::new(Conf::empty().set("millstream.closures.strict", "true")).unwrap()
}

fn numbers() -> Rdd<u64> {
    strict().parallelize([1, 2, 3], 2)
}

fn pairs() -> Rdd<(u64, u64)> {
    numbers().map(|n| (n % 2, n))
}

/// Something that a closure can only capture.
fn captured() -> u64 {
    std::env::args().count() as u64
}

/// Checks that an operator was refused, and where and what the error says to write instead.
#[track_caller]
fn refused<T: std::fmt::Debug>(operator: &str, remedy: &str, result: Result<T>) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::CapturingClosure { bytes: 8, .. }), "{operator}: {error}");
    let text = error.to_string();
    assert!(text.contains("captures 8 bytes"), "{operator}: {text}");
    assert!(text.contains(&format!("`{remedy}`")), "{operator}: {text}");
    // `the closure of NAME at FILE:LINE:COLUMN captures`
    called_at(operator, text.split(" at ").nth(1).unwrap().split(" captures").next().unwrap());
}

/// Checks that an operator is called at `FILE:LINE:COLUMN`.
#[track_caller]
fn called_at(operator: &str, place: &str) {
    let numbers: Vec<usize> = place.split(':').skip(1).map(|number| number.parse().unwrap()).collect();
    let (line, column) = (numbers[0], numbers[1]);
    let source = include_str!("closures.rs").lines().nth(line - 1).unwrap();
    assert!(place.contains("closures.rs:"), "{operator}: {place}");
    assert!(source[column - 1..].starts_with(&format!("{operator}(")), "{operator}: {place} is `{source}`");
}

/// Checks that an operator has refused its partitioner, for a reason, and where and what the error says to write instead.
#[track_caller]
fn stays<T: std::fmt::Debug>(operator: &str, why: &str, result: Result<T>) {
    let error = result.unwrap_err();
    let Error::Argument { operator: at, problem, remedy } = &error else { panic!("{operator}: {error}") };
    assert_eq!(problem, &format!("its partitioner can not travel to another process: {why}"), "{operator}");
    let form =
        "`Partitioner::custom_env(partitions, values, |values, key| ..)`, whose closure captures nothing";
    assert!(remedy.contains(form), "{operator}: {error}");
    let (name, place) = at.split_once(" at ").unwrap();
    assert_eq!(name, operator.trim_end_matches("_with"), "{error}");
    called_at(operator, place);
}

const CAPTURES: &str = "its function captures 8 bytes of variables";

/// A rule that has captured a variable.
fn capturing() -> Partitioner<u64> {
    let n = captured();
    Partitioner::custom_env(2, (), move |(), key: &u64| usize::from(*key > n))
}

#[test]
fn operators_that_capture_are_refused_with_the_form_to_write() {
    let n = captured();
    let m = numbers();
    let map = "map_env(values, |values, record| ..)";
    refused("map", map, m.map(move |m| m + n).count());
    refused("map_ref", map, m.map_ref(move |m| m + n).count());
    refused("map_env", map, m.map_env(1, move |one, m| m + n + one).count());
    let filter = "filter_env(values, |values, record| ..)";
    refused("filter", filter, m.filter(move |m| *m > n).count());
    refused("filter_env", filter, m.filter_env(1, move |one, m| m + one > n).count());
    let flat_map = "flat_map_env(values, |values, record| ..)";
    refused("flat_map", flat_map, m.flat_map(move |m| [m, n]).count());
    refused("flat_map_env", flat_map, m.flat_map_env(1, move |one, m| [m, n, *one]).count());
    let into = "flat_map_into_env(values, |values, record, out| ..)";
    refused("flat_map_into", into, m.flat_map_into(move |m, out| out.push(*m + n)).count());
    refused("flat_map_into_env", into, m.flat_map_into_env(1, move |a, m, out| out.push(a + m + n)).count());
    let partitions = "map_partitions_env(values, |values, records| ..)";
    refused("map_partitions", partitions, m.map_partitions(move |all| all.map(move |m| m + n)).count());
    refused("map_partitions_env", partitions, m.map_partitions_env(1, move |a, _| [a + n]).count());
    let indexed = "map_partitions_with_index_env(values, |values, index, records| ..)";
    let with_index = m.map_partitions_with_index(move |_, _| [n]);
    refused("map_partitions_with_index", indexed, with_index.count());
    let with_index = m.map_partitions_with_index_env(1, move |one, _, _| [n + one]);
    refused("map_partitions_with_index_env", indexed, with_index.count());
    refused("key_by", "key_by_env(values, |values, record| ..)", m.key_by(move |m| m + n).count());
    refused("key_by_env", "key_by_env(values, |values, record| ..)", m.key_by_env(1, move |_, _| n).count());
    let group = "group_by_env(values, |values, record| ..)";
    refused("group_by", group, m.group_by(move |m| m + n).count());
    let with = "key_by_env(values, |values, record| ..).group_by_key_with(partitioner)";
    refused("group_by_with", with, m.group_by_with(move |m| m + n, 2).count());
    refused("group_by_env", group, m.group_by_env(1, move |_, m| m + n).count());
    let sort = "sort_by_env(values, |values, record| ..)";
    refused("sort_by", sort, m.sort_by(move |m| m + n).count());
    let with = "key_by_env(values, |values, record| ..).sort_by_key_with(ascending, partitions).values()";
    refused("sort_by_with", with, m.sort_by_with(move |m| m + n, false, 1).count());
    refused("sort_by_env", sort, m.sort_by_env(1, move |_, m| m + n).count());
    let zip = "zip_partitions_env(values, &other, |values, left, right| ..)";
    refused("zip_partitions", zip, m.zip_partitions(&m, move |_, _| [n]).count());
    refused("zip_partitions_env", zip, m.zip_partitions_env(1, &m, move |one, _, _| [n + one]).count());
    let three = "zip_partitions3_env(values, &second, &third, |values, a, b, c| ..)";
    refused("zip_partitions3", three, m.zip_partitions3(&m, &m, move |_, _, _| [n]).count());
    let zipped = m.zip_partitions3_env(1, &m, &m, move |one, _, _, _| [n + one]);
    refused("zip_partitions3_env", three, zipped.count());
    let four = "zip_partitions4_env(values, &second, &third, &fourth, |values, a, b, c, d| ..)";
    refused("zip_partitions4", four, m.zip_partitions4(&m, &m, &m, move |_, _, _, _| [n]).count());
    let zipped = m.zip_partitions4_env(1, &m, &m, &m, move |one, _, _, _, _| [n + one]);
    refused("zip_partitions4_env", four, zipped.count());
    let pipe = "pipe_env(values, command, |values, lines| .., |values, record, lines| ..)";
    let piped = m.pipe_env((), ["cat"], move |(), lines| lines.line(n), |(), m, lines| lines.line(m));
    refused("pipe_env", pipe, piped.count());
    let instead = "parallelize(0..n, n).flat_map_env(values, |values, partition| ..)";
    refused("generate", instead, strict().generate(2, move |partition| [partition as u64 + n]).count());
}

#[test]
fn operators_by_key_that_capture_are_refused_with_what_to_write() {
    let n = captured();
    let p = pairs();
    let values = "map_values_env(values, |values, value| ..)";
    refused("map_values", values, p.map_values(move |m| m + n).count());
    refused("map_values_env", values, p.map_values_env(1, move |_, m| m + n).count());
    let values = "flat_map_values_env(values, |values, value| ..)";
    refused("flat_map_values", values, p.flat_map_values(move |m| [m, n]).count());
    refused("flat_map_values_env", values, p.flat_map_values_env(1, move |_, m| [m, n]).count());
    let reduce = "reduce_by_key_env(values, |values, first, second| ..)";
    refused("reduce_by_key", reduce, p.reduce_by_key(move |a, b| a + b + n).count());
    let spread_first = |instead: &str| format!("partition_by(partitioner).{instead}");
    let with = spread_first(reduce);
    refused("reduce_by_key_with", &with, p.reduce_by_key_with(move |a, b| a + b + n, 2).count());
    refused("reduce_by_key_env", reduce, p.reduce_by_key_env(1, move |_, a, b| a + b + n).count());
    let spread = p.partition_by(2);
    refused("reduce_by_key", reduce, spread.reduce_by_key(move |a, b| a + b + n).count());
    let local = "reduce_by_key_env(values, |values, first, second| ..).collect_as_map()";
    refused("reduce_by_key_locally", local, p.reduce_by_key_locally(move |a, b| a + b + n));
    let combine = "combine_by_key_env(values, |values, value| .., |values, combined, value| .., \
                   |values, first, second| ..)";
    let combined = p.combine_by_key(move |m| m + n, |a, b| a + b, |a, b| a + b);
    refused("combine_by_key", combine, combined.count());
    let combined = p.combine_by_key_with(move |m| m + n, |a, b| a + b, |a, b| a + b, 2);
    refused("combine_by_key_with", &spread_first(combine), combined.count());
    let combined = p.combine_by_key_env(1, move |_, m| m + n, |_, a, b| a + b, |_, a, b| a + b);
    refused("combine_by_key_env", combine, combined.count());
    let fold = "fold_by_key_env(values, zero, |values, first, second| ..)";
    refused("fold_by_key", fold, p.fold_by_key(0, move |a, b| a + b + n).count());
    let with = spread_first(fold);
    refused("fold_by_key_with", &with, p.fold_by_key_with(0, move |a, b| a + b + n, 2).count());
    refused("fold_by_key_env", fold, p.fold_by_key_env(1, 0, move |_, a, b| a + b + n).count());
    let aggregate = "aggregate_by_key_env(values, zero, |values, sum, value| .., |values, first, second| ..)";
    let aggregated = p.aggregate_by_key(0, move |a, b| a + b + n, |a, b| a + b);
    refused("aggregate_by_key", aggregate, aggregated.count());
    let aggregated = p.aggregate_by_key_with(0, move |a, b| a + b + n, |a, b| a + b, 2);
    refused("aggregate_by_key_with", &spread_first(aggregate), aggregated.count());
    let aggregated = p.aggregate_by_key_env(1, 0, move |_, a, b| a + b + n, |_, a, b| a + b);
    refused("aggregate_by_key_env", aggregate, aggregated.count());
}

#[test]
fn partitioners_that_stay_are_refused_with_what_to_write() {
    struct Zero;
    impl CustomPartitioner<u64> for Zero {
        fn partitions(&self) -> usize {
            1
        }
        fn partition(&self, _: &u64) -> usize {
            0
        }
    }
    let (n, p, by) = (numbers(), pairs(), capturing);
    let own = "what `Partitioner::custom` makes stays in this one";
    stays("partition_by", own, p.partition_by(Partitioner::custom(Zero)).count());
    stays("cogroup_with", own, p.cogroup_with(&p, Partitioner::custom(Zero)).count());
    stays("partition_by", CAPTURES, p.partition_by(by()).count());
    let sorted = p.repartition_and_sort_within_partitions(by());
    stays("repartition_and_sort_within_partitions", CAPTURES, sorted.count());
    stays("group_by_key_with", CAPTURES, p.group_by_key_with(by()).count());
    stays("reduce_by_key_with", CAPTURES, p.reduce_by_key_with(|a, b| a + b, by()).count());
    stays("fold_by_key_with", CAPTURES, p.fold_by_key_with(0, |a, b| a + b, by()).count());
    let sums = p.aggregate_by_key_with(0, |a, b| a + b, |a, b| a + b, by());
    stays("aggregate_by_key_with", CAPTURES, sums.count());
    let sums = p.combine_by_key_with(|a| a, |a, b| a + b, |a, b| a + b, by());
    stays("combine_by_key_with", CAPTURES, sums.count());
    let estimates = p.count_approx_distinct_by_key_with(0.1, by());
    stays("count_approx_distinct_by_key_with", CAPTURES, estimates.count());
    stays("cogroup_with", CAPTURES, p.cogroup_with(&p, by()).count());
    stays("cogroup3_with", CAPTURES, p.cogroup3_with(&p, &p, by()).count());
    stays("cogroup4_with", CAPTURES, p.cogroup4_with(&p, &p, &p, by()).count());
    stays("join_with", CAPTURES, p.join_with(&p, by()).count());
    stays("left_outer_join_with", CAPTURES, p.left_outer_join_with(&p, by()).count());
    stays("right_outer_join_with", CAPTURES, p.right_outer_join_with(&p, by()).count());
    stays("full_outer_join_with", CAPTURES, p.full_outer_join_with(&p, by()).count());
    stays("subtract_by_key_with", CAPTURES, p.subtract_by_key_with(&p, by()).count());
    stays("subtract_with", CAPTURES, n.subtract_with(&n, by()).count());
    stays("intersection_with", CAPTURES, n.intersection_with(&n, by()).count());
    stays("distinct_with", CAPTURES, n.distinct_with(by()).count());
    stays("group_by_with", CAPTURES, n.group_by_with(|n| *n, by()).count());
    // What follows has no other error to tell.
    stays("partition_by", CAPTURES, p.partition_by(by()).map_values(|n| n + 1).count());
}

/// Every process makes the partitioner of an operator of the graph, but not what the user's own calls make of it.
#[test]
fn a_partitioner_of_an_operator_of_the_graph_may_stay() {
    let p = pairs();
    let operator = Arc::new(Operator::call("partition_by", std::panic::Location::caller()));
    let spread = operator::apply(&operator, vec![p.any()], || p.partition_by(capturing()));
    assert_eq!(spread.count().unwrap(), 3);
    assert_eq!(spread.map_values(|n| n + 1).reduce_by_key(|a, b| a + b).count().unwrap(), 2);
    stays("join", CAPTURES, spread.join(&p).count());
    let mapped = spread.map(|(key, n)| (key, n + 1));
    let told = mapped.preserving_partitioning_of(&spread);
    stays("preserving_partitioning_of", CAPTURES, told.count());
    let user = || operator::user_code(|| p.partition_by(capturing()));
    stays("partition_by", CAPTURES, operator::apply(&operator, vec![p.any()], user).count());
}

#[test]
fn actions_that_capture_are_refused_with_what_to_write() {
    let n = captured();
    let m = numbers();
    let each = "foreach_env(values, |values, record| ..)";
    refused("foreach", each, m.foreach(move |m| assert!(m > n)));
    refused("foreach_env", each, m.foreach_env(1, move |_, m| assert!(m > n)));
    let partition = "foreach_partition_env(values, |values, records| ..)";
    refused("foreach_partition", partition, m.foreach_partition(move |all| assert!(all.count() as u64 > n)));
    let done = m.foreach_partition_env(1, move |_, all| assert!(all.count() as u64 > n));
    refused("foreach_partition_env", partition, done);
    let each = "foreach_async_env(values, |values, record| ..)";
    refused("foreach_async", each, m.foreach_async(move |m| assert!(m > n)).wait());
    refused("foreach_async_env", each, m.foreach_async_env(1, move |_, m| assert!(m > n)).wait());
    let partition = "foreach_partition_async_env(values, |values, records| ..)";
    let done = m.foreach_partition_async(move |all| assert!(all.count() as u64 > n));
    refused("foreach_partition_async", partition, done.wait());
    let done = m.foreach_partition_async_env(1, move |_, all| assert!(all.count() as u64 > n));
    refused("foreach_partition_async_env", partition, done.wait());
    let job = "run_job_env(values, partitions, |values, records| ..)";
    refused("run_job", job, m.run_job([0], move |all| all.count() as u64 + n));
    refused("run_job_env", job, m.run_job_env(1, [0], move |_, all| all.count() as u64 + n));
    let reduce = "reduce_env(values, |values, first, second| ..)";
    refused("reduce", reduce, m.reduce(move |a, b| a + b + n));
    refused("reduce_env", reduce, m.reduce_env(1, move |_, a, b| a + b + n));
    let before = |name: &str| format!("map_env(values, |values, record| ..).{name}(..)");
    refused("max_by", &before("max_by"), m.max_by(move |a, b| (a % n).cmp(b)));
    refused("min_by", &before("min_by"), m.min_by(move |a, b| (a % n).cmp(b)));
    refused("top_by", &before("top_by"), m.top_by(2, move |a, b| (a % n).cmp(b)));
    refused("take_ordered_by", &before("take_ordered_by"), m.take_ordered_by(2, move |a, b| (a % n).cmp(b)));
    let fold = "fold_env(values, zero, |values, first, second| ..)";
    refused("fold", fold, m.fold(0, move |a, b| a + b + n));
    refused("fold_env", fold, m.fold_env(1, 0, move |_, a, b| a + b + n));
    let aggregate = "aggregate_env(values, zero, |values, sum, record| .., |values, first, second| ..)";
    refused("aggregate", aggregate, m.aggregate(0, move |a, b| a + b + n, |a, b| a + b));
    let aggregated = m.aggregate_env(1, 0, move |_, a, b| a + b + n, |_, a, b| a + b);
    refused("aggregate_env", aggregate, aggregated);
    let tree =
        "tree_aggregate_env(values, zero, |values, sum, record| .., |values, first, second| .., depth)";
    refused("tree_aggregate", tree, m.tree_aggregate(0, move |a, b| a + b + n, |a, b| a + b));
    let aggregated = m.tree_aggregate_with(0, move |a, b| a + b + n, |a, b| a + b, 3);
    refused("tree_aggregate_with", tree, aggregated);
    let aggregated = m.tree_aggregate_env(1, 0, move |_, a, b| a + b + n, |_, a, b| a + b, 3);
    refused("tree_aggregate_env", tree, aggregated);
    let reduce = "tree_reduce_env(values, |values, first, second| .., depth)";
    refused("tree_reduce", reduce, m.tree_reduce(move |a, b| a + b + n));
    refused("tree_reduce_with", reduce, m.tree_reduce_with(move |a, b| a + b + n, 3));
    refused("tree_reduce_env", reduce, m.tree_reduce_env(1, move |_, a, b| a + b + n, 3));
    // Where there are levels, too, and of what merges in them.
    let many = || strict().range(0, 100, 1, 30).map(|n| n as u64);
    refused("tree_reduce", reduce, many().tree_reduce(move |a, b| a + b + n));
    refused("tree_aggregate", tree, many().tree_aggregate(0, |a, b| a + b, move |a, b| a + b + n));
}

#[test]
fn what_is_done_on_the_driver_may_capture() {
    let n = captured();
    let merged = numbers().aggregate(0, |sum, m| sum + m, move |a, b| a + b + n - n);
    assert_eq!(merged.unwrap(), 6);
}

#[test]
fn the_forms_to_write_are_not_refused() {
    let context = strict();
    let numbers = context.parallelize([1_u64, 2, 3], 2);
    let n: u64 = 10;
    assert_eq!(numbers.map_env(n, |n, m| m + n).collect().unwrap(), [11, 12, 13]);
    assert_eq!(numbers.map_partitions_env(n, |n, records| records.map(move |m| m + n)).count().unwrap(), 3);
    numbers.foreach_partition_env(n, |n, records| assert!((records.count() as u64) < *n)).unwrap();
    let sums = numbers.map_env(n, |n, m| (m % 2, m + n)).reduce_by_key(|a, b| a + b);
    assert_eq!(sums.count().unwrap(), 2);
    let most = captured().min(1) + 2;
    let mut sums = pairs().reduce_by_key_env(most, |most, a, b| (a + b).min(*most)).collect().unwrap();
    sums.sort_unstable();
    assert_eq!(sums, [(0, 2), (1, 3)]);
    assert_eq!(numbers.reduce_env(most, |most, a, b| (a + b).min(*most)).unwrap(), Some(3));
    let made = context.parallelize(0..2_u64, 2).flat_map_env(n, |n, partition| [partition + n]);
    assert_eq!(made.collect().unwrap(), [10, 11]);
    let by_rule = Partitioner::custom_env(2, n, |n, key: &u64| usize::from(key > n));
    assert_eq!(pairs().partition_by(by_rule).count().unwrap(), 3);
}

/// What is written in the place of a longer form keeps the direction and the partitions that were asked for.
#[test]
fn the_forms_to_write_keep_what_was_asked_for() {
    let most = captured().min(1) + 2;
    let (lenient, strict) = (context().parallelize(0..20_u64, 3), strict().parallelize(0..20_u64, 3));
    let ordered = lenient.sort_by_with(move |n| n % most, false, 2);
    let instead = strict.key_by_env(most, |most, n| n % most).sort_by_key_with(false, 2).values();
    assert_eq!(partitions(&instead), partitions(&ordered));
    assert_eq!(partitions(&ordered).len(), 2);
    let groups = lenient.group_by_with(move |n| n % most, 5);
    let instead = strict.key_by_env(most, |most, n| n % most).group_by_key_with(5);
    assert_eq!(partitions(&instead), partitions(&groups));
    assert_eq!(partitions(&groups).len(), 5);
    let sums = lenient.map(|n| (n % 7, n)).reduce_by_key_with(move |a, b| a + b % most, 4);
    let pairs = strict.map(|n| (n % 7, n));
    let instead = pairs.partition_by(4).reduce_by_key_env(most, |most, a, b| a + b % most);
    assert_eq!(instead.partitioned_by(), sums.partitioned_by());
    assert_eq!(sorted(instead.collect().unwrap()), sorted(sums.collect().unwrap()));
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
    let pairs = context().parallelize([(1_u64, 'a')], 1);
    assert_eq!(pairs.partition_by(capturing()).collect().unwrap(), [(1, 'a')]);
}
