//! A form that takes values along gives what the plain form gives whose closure captures them.

use std::collections::BTreeMap;
use std::fmt::Debug;

use millstream_core::{Data, Rdd};

use crate::{context, partitions, sorted};

/// A value no compiler can fold into the closures.
fn value() -> i64 {
    std::hint::black_box(3)
}

fn numbers() -> Rdd<i64> {
    context().parallelize(0..20, 4)
}

fn pairs() -> Rdd<(i64, i64)> {
    numbers().map(|n| (n % 6, n))
}

/// The same records, in the same order, in the same partitions.
#[track_caller]
fn alike<T: Data + PartialEq + Debug>(plain: &Rdd<T>, env: &Rdd<T>, expected: &[T]) {
    assert_eq!(plain.collect().unwrap(), expected);
    assert_eq!(partitions(env), partitions(plain));
}

/// The same pairs, in whatever order, spread in the same way.
#[track_caller]
fn alike_by_key<V: Data + Ord + Debug>(plain: &Rdd<(i64, V)>, env: &Rdd<(i64, V)>, expected: &[(i64, V)]) {
    assert_eq!(sorted(plain.collect().unwrap()), expected);
    assert_eq!(sorted(env.collect().unwrap()), expected);
    assert_eq!(env.partitioned_by(), plain.partitioned_by());
}

#[test]
fn of_records() {
    let k = value();
    let (n, few) = (numbers(), context().parallelize(0..4, 2));
    let keyed = [(0, 0), (1, 1), (2, 2), (0, 3)];
    alike(&few.key_by(move |n| n % k), &few.key_by_env(k, |k, n| n % k), &keyed);
    alike(
        &few.map_partitions_with_index(move |at, records| records.map(move |n| (at, n * k))),
        &few.map_partitions_with_index_env(k, |k, at, records| records.map(move |n| (at, n * k))),
        &[(0, 0), (0, 3), (1, 6), (1, 9)],
    );
    let by_rest: Vec<i64> = (0..3).flat_map(|rest| (0..20).filter(move |n| n % 3 == rest)).collect();
    alike(&n.sort_by(move |n| n % k), &n.sort_by_env(k, |k, n| n % k), &by_rest);
    let groups: Vec<(i64, Vec<i64>)> =
        (0..3).map(|rest| (rest, (0..20).filter(|n| n % 3 == rest).collect())).collect();
    alike_by_key(&n.group_by(move |n| n % k), &n.group_by_env(k, |k, n| n % k), &groups);
    let tens = few.map(|n| 10 * n);
    alike(
        &few.zip_partitions(&tens, move |a, b| a.zip(b).map(move |(a, b)| a * k + b)),
        &few.zip_partitions_env(k, &tens, |k, a, b| a.zip(b).map(move |(a, b)| a * k + b)),
        &[0, 13, 26, 39],
    );
    let hundreds = few.map(|n| 100 * n);
    alike(
        &few.zip_partitions3(&tens, &hundreds, move |a, b, c| {
            a.zip(b).zip(c).map(move |((a, b), c)| a * k + b + c)
        }),
        &few.zip_partitions3_env(k, &tens, &hundreds, |k, a, b, c| {
            a.zip(b).zip(c).map(move |((a, b), c)| a * k + b + c)
        }),
        &[0, 113, 226, 339],
    );
    alike(
        &few.zip_partitions4(&tens, &hundreds, &few, move |a, b, c, d| {
            a.zip(b).zip(c.zip(d)).map(move |((a, b), (c, d))| a * k + b + c + d)
        }),
        &few.zip_partitions4_env(k, &tens, &hundreds, &few, |k, a, b, c, d| {
            a.zip(b).zip(c.zip(d)).map(move |((a, b), (c, d))| a * k + b + c + d)
        }),
        &[0, 114, 228, 342],
    );
}

#[test]
fn of_pairs() {
    let k = value();
    let p = context().parallelize([(1, 2), (2, 5)], 2).partition_by(2);
    let both = |scaled: [(i64, i64); 2]| sorted(scaled.to_vec());
    alike_by_key(&p.map_values(move |n| n * k), &p.map_values_env(k, |k, n| n * k), &both([(1, 6), (2, 15)]));
    let flat = [(1, 2), (1, 6), (2, 5), (2, 15)];
    alike_by_key(
        &p.flat_map_values(move |n| [n, n * k]),
        &p.flat_map_values_env(k, |k, n| [n, n * k]),
        &flat,
    );
    let p = pairs();
    // The numbers of each rest: their sum, once and for each of them one more.
    let sums: Vec<(i64, i64)> = (0..6).map(|rest| (rest, (0..20).filter(|n| n % 6 == rest).sum())).collect();
    let capped: Vec<(i64, i64)> = sums.iter().map(|(rest, sum)| (*rest, (*sum).min(10 * k))).collect();
    alike_by_key(
        &p.reduce_by_key(move |a, b| (a + b).min(10 * k)),
        &p.reduce_by_key_env(k, |k, a, b| (a + b).min(10 * k)),
        &capped,
    );
    alike_by_key(
        &p.fold_by_key(0, move |a, b| (a + b).min(10 * k)),
        &p.fold_by_key_env(k, 0, |k, a, b| (a + b).min(10 * k)),
        &capped,
    );
    let scaled: Vec<(i64, i64)> = sums.iter().map(|(rest, sum)| (*rest, sum * k)).collect();
    alike_by_key(
        &p.aggregate_by_key(0, move |sum, n| sum + n * k, |a, b| a + b),
        &p.aggregate_by_key_env(k, 0, |k, sum, n| sum + n * k, |_, a, b| a + b),
        &scaled,
    );
    alike_by_key(
        &p.combine_by_key(move |n| n * k, move |sum, n| sum + n * k, |a, b| a + b),
        &p.combine_by_key_env(k, |k, n| n * k, |k, sum, n| sum + n * k, |_, a, b| a + b),
        &scaled,
    );
}

#[test]
fn of_actions() {
    let k = value();
    let n = numbers();
    let most = move |a: i64, b: i64| (a + b).min(40 * k);
    assert_eq!(n.reduce(most).unwrap(), Some(120));
    assert_eq!(n.reduce_env(k, |k, a, b| (a + b).min(40 * k)).unwrap(), Some(120));
    assert_eq!(n.fold(0, most).unwrap(), 120);
    assert_eq!(n.fold_env(k, 0, |k, a, b| (a + b).min(40 * k)).unwrap(), 120);
    assert_eq!(n.aggregate(0, move |sum, n| sum + n * k, |a, b| a + b).unwrap(), 570);
    assert_eq!(n.aggregate_env(k, 0, |k, sum, n| sum + n * k, |_, a, b| a + b).unwrap(), 570);
    for (depth, partitions) in [(1, 4), (2, 4), (2, 20), (3, 20), (9, 20)] {
        let n = n.repartition(partitions);
        let sum = n.tree_aggregate_with(0, move |sum, n| sum + n * k, |a, b| a + b, depth).unwrap();
        assert_eq!(sum, 570);
        let sum = n.tree_aggregate_env(k, 0, |k, sum, n| sum + n * k, |_, a, b| a + b, depth).unwrap();
        assert_eq!(sum, 570, "{partitions} partitions in {depth} levels");
        assert_eq!(n.tree_reduce_with(most, depth).unwrap(), Some(120));
        let sum = n.tree_reduce_env(k, |k, a, b| (a + b).min(40 * k), depth).unwrap();
        assert_eq!(sum, Some(120), "{partitions} partitions in {depth} levels");
    }
    assert_eq!(n.filter(|n| *n < 0).tree_reduce_env(k, |_, a, _| a, 2).unwrap(), None);
    assert!(n.tree_aggregate_env(k, 0, |_, a, b| a + b, |_, a, b| a + b, 0).is_err());
    assert!(n.tree_reduce_env(k, |_, a, _| a, 0).is_err());
    assert_eq!(n.run_job([3, 0], move |all| all.count() as i64 * k).unwrap(), [15, 15]);
    assert_eq!(n.run_job_env(k, [3, 0], |k, all| all.count() as i64 * k).unwrap(), [15, 15]);
}

/// Records and numbers of partitions of Spark's AsyncRDDActionsSuite.
#[test]
fn of_asynchronous_actions() {
    let context = context();
    let numbers = context.parallelize(1..=1000, 3);
    let (counted, adds) = (context.long_accumulator(None), 1);
    numbers
        .foreach_async_env((counted.clone(), adds), |(counted, adds), _| counted.add(*adds))
        .wait()
        .unwrap();
    assert_eq!(counted.value(), 1000);
    let parts = context.parallelize(1..=1000, 9);
    let (captured, sent) = (context.collection_accumulator(None), context.collection_accumulator(None));
    let add = captured.clone();
    parts.foreach_partition_async(move |all| add.add(all.count())).wait().unwrap();
    let env = (sent.clone(), 1);
    parts.foreach_partition_async_env(env, |(sent, more), all| sent.add(all.count() + more)).wait().unwrap();
    let of = |sizes: Vec<usize>| {
        sizes.into_iter().fold(BTreeMap::new(), |mut counts, size| {
            *counts.entry(size).or_insert(0) += 1;
            counts
        })
    };
    assert_eq!(of(captured.value()), BTreeMap::from([(111, 8), (112, 1)]));
    assert_eq!(of(sent.value()), BTreeMap::from([(112, 8), (113, 1)]));
    // Of no partitions nothing is done; an error of the closure is the action's.
    let none = context.empty_rdd::<i32>();
    none.foreach_async_env(1, |_, _| Err("no luck")).wait().unwrap();
    none.foreach_partition_async(|_| Err("no luck")).wait().unwrap();
    let error = numbers.foreach_async_env(500, |n, m| if m == *n { Err("no luck") } else { Ok(()) }).wait();
    let error = error.unwrap_err().to_string();
    assert!(error.contains("foreach_async_env at") && error.contains("no luck"), "{error}");
    assert!(parts.foreach_partition_async(|_| Err("no luck")).wait().is_err());
}
