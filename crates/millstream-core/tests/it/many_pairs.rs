//! So many pairs that they cross the shuffle in clusters give what a naive model gives, and in the same order by key.

use std::collections::BTreeMap;

use millstream_core::{Context, Rdd};

use crate::processes::elsewhere;
use crate::spilling::{confined, wait_until_nothing_is_left};
use crate::{context, sorted};

type Pairs = Vec<(u64, u64)>;
type Values = BTreeMap<u64, (Vec<u64>, Vec<u64>)>;

const KEYS: u64 = 90_000;

/// One large partition, which is cut into clusters by its map task, then one that is too small for it.
fn partitions(seed: u64, pairs: u64) -> Vec<Pairs> {
    let all: Pairs = (0..pairs).map(|n| ((n * 7_919 + seed) % KEYS, n)).collect();
    let (large, small) = all.split_at(all.len() * 9 / 10);
    vec![large.to_vec(), small.to_vec()]
}

fn sides() -> [Vec<Pairs>; 2] {
    // One key of the right side has very many values.
    let mut right = partitions(50_000, 150_000);
    right[0].extend((0..2_000).map(|n| (11, n)));
    [partitions(0, 220_000), right]
}

fn rdds(context: &Context) -> [Rdd<(u64, u64)>; 2] {
    sides().map(|side| {
        let [large, small] = side.try_into().unwrap();
        context.parallelize(large, 1).union(&context.parallelize(small, 1))
    })
}

/// The values of each key, in the order of their arrival.
fn model() -> Values {
    let mut values = Values::new();
    let [left, right] = sides();
    left.into_iter().flatten().for_each(|(key, value)| values.entry(key).or_default().0.push(value));
    right.into_iter().flatten().for_each(|(key, value)| values.entry(key).or_default().1.push(value));
    values
}

fn options(values: &[u64]) -> Vec<Option<u64>> {
    if values.is_empty() { vec![None] } else { values.iter().copied().map(Some).collect() }
}

/// Sorted by key alone: those of one key stay as they came.
fn ordered<T>(mut pairs: Vec<(u64, T)>) -> Vec<(u64, T)> {
    pairs.sort_by_key(|(key, _)| *key);
    pairs
}

fn check_by_key(context: &Context) {
    let [left, right] = rdds(context);
    let expected = model();
    let groups = left.group_by_key_with(2).collect().unwrap();
    let lefts = || expected.iter().filter(|(_, (v, _))| !v.is_empty());
    assert!(ordered(groups).into_iter().eq(lefts().map(|(key, (v, _))| (*key, v.clone()))));
    let firsts = left.reduce_by_key_with(|first, _| first, 1).collect().unwrap();
    assert!(ordered(firsts).into_iter().eq(lefts().map(|(key, (v, _))| (*key, v[0]))));
    let both = left.cogroup_with(&right, 2).collect().unwrap();
    assert!(ordered(both).into_iter().eq(expected));
}

fn check_joins(context: &Context) {
    let [left, right] = rdds(context);
    let expected = model();
    let full: Vec<_> = expected
        .iter()
        .flat_map(|(key, (v, w))| {
            let (v, w) = (options(v), options(w));
            v.into_iter().flat_map(move |v| w.clone().into_iter().map(move |w| (*key, (v, w))))
        })
        .collect();
    // A key's rows follow its left values, and for each of them its right values.
    let outer = left.full_outer_join_with(&right, 2).collect().unwrap();
    assert!(ordered(outer) == full);
    let inner = ordered(left.join_with(&right, 1).collect().unwrap());
    let met = full.iter().filter_map(|(key, (v, w))| Some((*key, ((*v)?, (*w)?))));
    assert!(inner.into_iter().eq(met));
    let alone = sorted(left.subtract_by_key_with(&right, 2).collect().unwrap());
    let kept = expected.iter().filter(|(_, (_, w))| w.is_empty());
    assert!(alone.into_iter().eq(kept.flat_map(|(key, (v, _))| v.iter().map(|v| (*key, *v)))));
}

#[test]
fn by_key() {
    check_by_key(&context());
}

#[test]
fn joins() {
    check_joins(&context());
}

#[test]
fn what_comes_from_other_processes_is_cut_by_its_reader() {
    check_joins(&elsewhere());
}

#[test]
fn a_second_job_reads_copies() {
    let context = context();
    let [left, right] = rdds(&context);
    let joined = left.join_with(&right, 2);
    let first = sorted(joined.collect().unwrap());
    for _ in 0..3 {
        assert!(sorted(joined.collect().unwrap()) == first);
    }
}

#[test]
fn within_little_memory() {
    // In none of these all lies in memory; in the larger ones some is written out only once it waits for its reducer.
    for mebibytes in [2, 5, 8] {
        let context = Context::new(confined(mebibytes << 20).set_master("local[2]")).unwrap();
        check_joins(&context);
        wait_until_nothing_is_left(&context);
    }
}
