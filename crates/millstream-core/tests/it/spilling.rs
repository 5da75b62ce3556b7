//! Shuffles, sorts and everything by key of more data than there is memory for.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use millstream_core::scheduler::faulty::{Faults, FaultyExecutor};
use millstream_core::scheduler::local::LocalExecutor;
use millstream_core::{Conf, Context, Data, Rdd};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{partitions, sorted};

const MIB: usize = 1 << 20;

/// Settings that leave tasks so many bytes.
pub(crate) fn confined(bytes: usize) -> Conf {
    Conf::empty()
        .set("spark.driver.memory", format!("{bytes}b"))
        .set("spark.memory.fraction", "1")
        .set("spark.memory.storageFraction", "0")
}

fn context(bytes: usize) -> Context {
    Context::new(confined(bytes).set_master("local[2]")).unwrap()
}

/// The scratch files that there are.
pub(crate) fn scratch_files(context: &Context) -> Vec<PathBuf> {
    fn below(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                below(&entry.path(), files);
            } else {
                files.push(entry.path());
            }
        }
    }
    let mut files = Vec::new();
    context.disk().directories().iter().for_each(|folder| below(folder, &mut files));
    files
}

/// Waits until no scratch file is left and no memory is taken: tasks that others gave up end a little later.
pub(crate) fn wait_until_nothing_is_left(context: &Context) {
    while !scratch_files(context).is_empty() || context.memory().used() > 0 {
        std::thread::yield_now();
    }
}

/// Collects an RDD, whose computation must have written to disk within its memory, and must leave no file.
#[track_caller]
fn spilled<T: Data>(context: &Context, rdd: &Rdd<T>) -> Vec<Vec<T>> {
    let seen = Arc::new(AtomicUsize::new(0));
    let (counted, within) = (Arc::clone(&seen), context.clone());
    let parts = rdd.map_partitions(move |records| {
        counted.fetch_max(scratch_files(&within).len(), Ordering::Relaxed);
        [records.collect::<Vec<_>>()]
    });
    let parts = parts.collect().unwrap();
    assert!(seen.load(Ordering::Relaxed) > 0, "nothing was written to disk");
    assert_eq!(scratch_files(context), Vec::<PathBuf>::new());
    let memory = context.memory();
    // What is being merged at the end, and too little to be written, is held in any case, by each of two tasks.
    let most = memory.budget() + 2 * (MIB + MIB / 2);
    assert!(memory.most_used() <= most, "{} of {} bytes", memory.most_used(), memory.budget());
    assert_eq!(memory.used(), 0);
    parts
}

const BUDGET: usize = 4 * MIB;

/// More than four times the budget: pairs of a number and a text of 100 characters.
fn large(context: &Context) -> Rdd<(u64, String)> {
    let text = |n: u64| format!("{n:0100}");
    context
        .parallelize(0..10, 10)
        .flat_map(move |part| (0..13_000_u64).map(move |n| (n * 7919 % 20_011, text(part * 13_000 + n))))
}

fn records() -> Vec<(u64, String)> {
    large(&Context::new(Conf::empty()).unwrap()).collect().unwrap()
}

fn by_key<V: Clone>(pairs: impl IntoIterator<Item = (u64, V)>) -> BTreeMap<u64, Vec<V>> {
    let mut groups: BTreeMap<u64, Vec<V>> = BTreeMap::new();
    pairs.into_iter().for_each(|(key, value)| groups.entry(key).or_default().push(value));
    groups
}

#[test]
fn a_shuffle_of_more_than_memory() {
    let context = context(BUDGET);
    let moved = spilled(&context, &large(&context).partition_by(3));
    let mut all: Vec<(u64, String)> = moved.into_iter().flatten().collect();
    let mut expected = records();
    // Those of one key are in the order of their arrival.
    all.sort_by_key(|(key, _)| *key);
    expected.sort_by_key(|(key, _)| *key);
    assert!(all == expected);
    let dealt = spilled(&context, &large(&context).repartition(7));
    assert_eq!(dealt.iter().map(Vec::len).sum::<usize>(), 130_000);
}

#[test]
fn a_sort_of_more_than_memory_is_complete_and_stable() {
    let context = context(BUDGET);
    let mut expected = records();
    for ascending in [true, false] {
        let rdd = large(&context).sort_by_key_with(ascending, 3);
        let all: Vec<(u64, String)> = spilled(&context, &rdd).concat();
        if ascending {
            expected.sort_by_key(|(key, _)| *key);
        } else {
            expected = records();
            expected.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
        }
        assert!(all == expected);
    }
}

#[test]
fn numbers_that_are_sorted_by_themselves() {
    let context = context(BUDGET);
    let numbers = context
        .parallelize(0..8, 8)
        .flat_map(|part| (0..150_000_u64).map(move |n| (n * 7919 + part) % 65_537));
    let all = spilled(&context, &numbers.sort_by_with(|n| *n, true, 3)).concat();
    let mut expected = numbers.collect().unwrap();
    expected.sort();
    assert!(all == expected);
}

#[test]
fn groups_of_more_than_memory_keep_the_order_of_their_values() {
    let context = context(BUDGET);
    let groups = spilled(&context, &large(&context).group_by_key_with(3)).concat();
    assert_eq!(groups.len(), by_key(records()).len());
    assert!(groups.into_iter().collect::<BTreeMap<_, _>>() == by_key(records()));
}

#[test]
fn aggregations_of_more_than_memory_merge_in_order() {
    let context = context(BUDGET);
    // Texts that grow, in the order of arrival.
    let texts = large(&context).map_values(|text| text[60..].to_owned());
    let joined = spilled(&context, &texts.reduce_by_key_with(|a, b| a + &b, 3)).concat();
    let expected = by_key(texts.collect().unwrap()).into_iter().map(|(key, texts)| (key, texts.concat()));
    assert!(sorted(joined) == expected.collect::<Vec<_>>());
    let once = large(&context).map(|(_, text)| text).distinct_with(3);
    let once = spilled(&context, &once.union(&context.empty_rdd())).concat();
    assert!(sorted(once) == sorted(records().into_iter().map(|(_, text)| text).collect()));
}

#[test]
fn joins_of_more_than_memory() {
    let context = context(BUDGET);
    let left = large(&context).filter(|(key, _)| key % 3 != 0);
    let right = large(&context).filter(|(key, _)| key % 2 != 0).map_values(|text| text[50..].to_owned());
    let (v, w) = (by_key(left.collect().unwrap()), by_key(right.collect().unwrap()));
    let some = |values: Option<&Vec<String>>| -> Vec<Option<String>> {
        values.map_or_else(|| vec![None], |values| values.iter().cloned().map(Some).collect())
    };
    let mut expected = Vec::new();
    for key in 0..20_011 {
        for v in some(v.get(&key)) {
            expected.extend(some(w.get(&key)).into_iter().map(|w| (key, (v.clone(), w))));
        }
    }
    expected.retain(|(_, values)| *values != (None, None));
    let mut all = spilled(&context, &left.full_outer_join_with(&right, 3)).concat();
    all.sort_by_key(|(key, _)| *key);
    assert!(all == expected);
    let mut inner = spilled(&context, &left.join_with(&right, 3)).concat();
    inner.sort_by_key(|(key, _)| *key);
    expected.retain(|(_, (v, w))| v.is_some() && w.is_some());
    assert!(inner.into_iter().map(|(key, (v, w))| (key, (Some(v), Some(w)))).eq(expected));
    let both = spilled(&context, &left.cogroup_with(&right, 3)).concat();
    for (key, (vs, ws)) in both {
        assert!(
            vs == v.get(&key).cloned().unwrap_or_default() && ws == w.get(&key).cloned().unwrap_or_default()
        );
    }
}

#[test]
fn what_lies_where_it_belongs_is_gathered_on_disk_too() {
    let context = context(BUDGET);
    // Made anew for each: of what a second job asks for the buckets are kept.
    let spread = || large(&context).partition_by(3);
    let groups = spilled(&context, &spread().group_by_key()).concat();
    assert!(groups.into_iter().collect::<BTreeMap<_, _>>() == by_key(records()));
    let first = spilled(&context, &spread().reduce_by_key(|first, _| first)).concat();
    let expected = by_key(records()).into_iter().map(|(key, texts)| (key, texts[0].clone()));
    assert!(sorted(first) == expected.collect::<Vec<_>>());
}

#[test]
fn later_jobs_read_what_was_written_out() {
    let context = context(BUDGET);
    let spread = large(&context).partition_by(4);
    let counts = [(); 3].map(|()| spread.map(|(key, _)| key).collect().unwrap());
    assert!(counts[0] == counts[1] && counts[0] == counts[2]);
    drop(spread);
    assert_eq!(scratch_files(&context), Vec::<PathBuf>::new());
}

#[test]
fn results_that_are_lost_are_made_again() {
    let faults = Faults { seed: 5, lose: 0.2, repeat: 0.2, by: Duration::from_millis(1), delay: 0.2 };
    let executor = FaultyExecutor::new(LocalExecutor::new(2).unwrap(), faults);
    let context = Context::with_executor(confined(BUDGET), executor).unwrap();
    let groups = large(&context).group_by_key_with(3).collect().unwrap();
    assert!(groups.into_iter().collect::<BTreeMap<_, _>>() == by_key(records()));
    let all = large(&context).sort_by_key_with(true, 3).collect().unwrap();
    let mut expected = records();
    expected.sort_by_key(|(key, _)| *key);
    assert!(all == expected);
}

/// The partitions of an RDD, each sorted by key: those of one key stay in their order.
fn by_keys<K: Data + Ord, V: Data>(rdd: &Rdd<(K, V)>) -> Vec<Vec<(K, V)>> {
    let mut parts = partitions(rdd);
    parts.iter_mut().for_each(|part| part.sort_by(|(a, _), (b, _)| a.cmp(b)));
    parts
}

fn same<T: PartialEq + Debug>(confined: &T, free: &T) -> Result<(), TestCaseError> {
    prop_assert!(confined == free, "with little memory the result is another one");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn little_memory_changes_no_result(
        records in vec((any::<u8>(), 0..600_usize), 500..1500),
        others in vec((any::<u8>(), 0..60_usize), 0..200),
        (budget, from, to) in (70_000..400_000_usize, 1..5_usize, 1..5_usize),
    ) {
        let (little, much) = (context(budget), Context::new(Conf::empty().set_master("local[2]")).unwrap());
        let numbered = |context: &Context| {
            let text = |(n, (key, len)): (usize, (u8, usize))| (key, format!("{n} {}", "x".repeat(len)));
            context.parallelize(records.clone().into_iter().enumerate().map(text), from)
        };
        let (a, b) = (numbered(&little), numbered(&much));
        let beside = |context: &Context| context.parallelize(others.clone(), 2);
        let (c, d) = (beside(&little), beside(&much));
        same(&by_keys(&a.partition_by(to)), &by_keys(&b.partition_by(to)))?;
        same(&partitions(&a.sort_by_key_with(true, to)), &partitions(&b.sort_by_key_with(true, to)))?;
        same(&partitions(&a.sort_by_key_with(false, to)), &partitions(&b.sort_by_key_with(false, to)))?;
        same(&by_keys(&a.group_by_key_with(to)), &by_keys(&b.group_by_key_with(to)))?;
        let concat = |a: String, b: String| a + &b;
        same(&by_keys(&a.reduce_by_key_with(concat, to)), &by_keys(&b.reduce_by_key_with(concat, to)))?;
        same(&by_keys(&a.cogroup_with(&c, to)), &by_keys(&b.cogroup_with(&d, to)))?;
        same(&by_keys(&c.join_with(&a, to)), &by_keys(&d.join_with(&b, to)))?;
        same(&by_keys(&c.full_outer_join_with(&a, to)), &by_keys(&d.full_outer_join_with(&b, to)))?;
        same(&by_keys(&a.right_outer_join_with(&c, to)), &by_keys(&b.right_outer_join_with(&d, to)))?;
        prop_assert_eq!(scratch_files(&little), Vec::<PathBuf>::new());
        prop_assert_eq!(little.memory().used(), 0);
    }
}
