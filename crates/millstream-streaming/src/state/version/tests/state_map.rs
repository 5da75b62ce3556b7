//! The cases of Spark's tests of its state maps: a map is a version of a partition, a copy of it the next one.

use std::collections::BTreeMap;
use std::sync::Arc;

use millstream_core::shuffle::hash::pinned_hash;
use millstream_core::{Error, Result};

use super::super::{Entry, Held, Version};
use crate::state::making::Step;
use crate::time::Time;

type Map = Arc<Version<i32, i32>>;
type Model = BTreeMap<i32, (i32, i64)>;

#[derive(Clone, Copy)]
enum Op {
    Put(i32, i32),
    Remove(i32),
}
use Op::{Put, Remove};

fn empty() -> Map {
    Version::of([], true, Time::from_millis(0)).unwrap()
}

/// Does something with the next version of a map, which nobody keeps if `f` fails.
fn next(
    map: &Map,
    time: i64,
    f: impl FnOnce(&mut Step<'_, i32, i32>) -> Result<Vec<i32>>,
) -> Held<i32, i32, i32> {
    static STEPS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let number = STEPS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    map.step(number, Time::from_millis(time), f).unwrap()
}

fn apply(step: &mut Step<'_, i32, i32>, op: Op) -> Result<()> {
    match op {
        Put(key, state) => _ = step.put(pinned_hash(&key), key, state)?,
        Remove(key) => {
            if let Some(at) = step.find(pinned_hash(&key), &key)? {
                step.set(at, None)?;
            }
        }
    }
    Ok(())
}

fn changed(map: &Map, time: i64, ops: &[Op]) -> Map {
    let held = next(map, time, |step| {
        ops.iter().try_for_each(|op| apply(step, *op))?;
        Ok(Vec::new())
    });
    Arc::clone(held.version())
}

fn all(map: &Map) -> Vec<Entry<i32, i32>> {
    let mut entries = map.entries().unwrap();
    entries.sort_unstable();
    entries
}

fn get(map: &Map, key: i32) -> Option<i32> {
    let mut state = None;
    next(map, 0, |step| {
        if let Some(at) = step.find(pinned_hash(&key), &key)? {
            state = step.get(at)?.1.copied();
        }
        Ok(Vec::new())
    });
    state
}

/// The keys that were last touched before a time.
fn by_time(map: &Map, time: i64) -> Vec<i32> {
    let mut keys = Vec::new();
    // Those it is told of a step must take away: this one does not come to that.
    let asked = map.step::<()>(u64::MAX, Time::from_millis(0), |step| {
        for at in step.idle(time - 1) {
            keys.push(*step.get(at)?.0);
        }
        Err(Error::user("asked"))
    });
    assert!(asked.is_err());
    keys.sort_unstable();
    keys
}

fn assert_map(map: &Map, model: &Model, last: i64) {
    let expected: Vec<_> = model.iter().map(|(key, (state, time))| (*key, *state, *time)).collect();
    assert_eq!(all(map), expected);
    for (key, state, _) in &expected {
        assert_eq!(get(map, *key), Some(*state));
    }
    for time in 0..=last + 1 {
        let before: Vec<i32> = expected.iter().filter(|entry| entry.2 < time).map(|entry| entry.0).collect();
        assert_eq!(by_time(map, time), before, "before {time}");
    }
}

#[test]
fn empty_state_map() {
    let map = empty();
    assert_eq!((get(&map, 1), by_time(&map, 10_000), all(&map)), (None, vec![], vec![]));
    assert_eq!(all(&changed(&map, 1, &[Remove(1)])), []);
}

#[test]
fn put_get_get_by_time_get_all_remove() {
    let map = changed(&empty(), 10, &[Put(1, 100)]);
    assert_eq!((get(&map, 1), get(&map, 2)), (Some(100), None));
    assert_eq!([11, 10, 9].map(|time| by_time(&map, time)), [vec![1], vec![], vec![]]);
    assert_eq!(all(&map), [(1, 100, 10)]);
    let map = changed(&map, 20, &[Put(2, 200)]);
    assert_eq!([21, 11, 10, 9].map(|time| by_time(&map, time)), [vec![1, 2], vec![1], vec![], vec![]]);
    assert_eq!(all(&map), [(1, 100, 10), (2, 200, 20)]);
    let map = changed(&map, 30, &[Remove(1)]);
    assert_eq!((get(&map, 1), all(&map)), (None, vec![(2, 200, 20)]));
}

/// Each row: when, what is done, and all there is then. All versions before stay what they were.
#[test]
fn put_get_get_by_time_get_all_remove_with_copy() {
    type Row = (i64, &'static [Op], &'static [(i32, i32, i64)]);
    const ROWS: &[Row] = &[
        (1, &[Put(1, 100)], &[(1, 100, 1)]),
        (2, &[Put(2, 200), Remove(1)], &[(2, 200, 2)]),
        // New ones.
        (3, &[Put(3, 300)], &[(2, 200, 2), (3, 300, 3)]),
        (4, &[Put(4, 400)], &[(2, 200, 2), (3, 300, 3), (4, 400, 4)]),
        // Put and taken out in the same version, and in the one before.
        (5, &[Remove(4), Remove(2)], &[(3, 300, 3)]),
        // One that left long ago, one that left just now, one that is there, one that came and left.
        (100, &[Put(1, 1000)], &[(1, 1000, 100), (3, 300, 3)]),
        (200, &[Put(2, 2000)], &[(1, 1000, 100), (2, 2000, 200), (3, 300, 3)]),
        (300, &[Put(3, 3000)], &[(1, 1000, 100), (2, 2000, 200), (3, 3000, 300)]),
        (400, &[Put(4, 4000)], &[(1, 1000, 100), (2, 2000, 200), (3, 3000, 300), (4, 4000, 400)]),
        (401, &[Remove(2)], &[(1, 1000, 100), (3, 3000, 300), (4, 4000, 400)]),
        (402, &[], &[(1, 1000, 100), (3, 3000, 300), (4, 4000, 400)]),
        (403, &[Put(2, 20_000)], &[(1, 1000, 100), (2, 20_000, 403), (3, 3000, 300), (4, 4000, 400)]),
    ];
    let mut maps = vec![(empty(), Model::new())];
    for (time, ops, expected) in ROWS {
        let (last, _) = maps.last().unwrap();
        let map = changed(last, *time, ops);
        let model = expected.iter().map(|(key, state, time)| (*key, (*state, *time))).collect();
        maps.push((map, model));
        for (map, model) in &maps {
            let all_of_model: Vec<_> =
                model.iter().map(|(key, (state, time))| (*key, *state, *time)).collect();
            assert_eq!(all(map), all_of_model);
        }
    }
    // Asked last: to ask an older map for what times out is to begin another history.
    for (map, model) in &maps[3..6] {
        assert_map(map, model, 10);
    }
}

/// Written and read back: alone, with what was mapped, after one batch and after more than a chain of deltas may have.
#[test]
fn serializing_and_deserializing() {
    let rows: &[&[Op]] =
        &[&[], &[Put(1, 100), Put(2, 200)], &[], &[Put(3, 300), Put(4, 400)], &[], &[Put(3, 600), Remove(2)]];
    let more: Vec<Vec<Op>> = (0..30).map(|n| vec![Put(n * 7919, n)]).collect();
    let (mut map, mut all_held) = (empty(), Vec::new());
    for (time, ops) in rows.iter().copied().chain(more.iter().map(Vec::as_slice)).enumerate() {
        let held = next(&map, time as i64 + 1, |step| {
            ops.iter().try_for_each(|op| apply(step, *op))?;
            Ok(vec![time as i32, 7])
        });
        map = Arc::clone(held.version());
        all_held.push(held);
    }
    for held in all_held {
        let bytes = postcard::to_stdvec(&held).unwrap();
        let read: Held<i32, i32, i32> = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(all(read.version()), all(held.version()));
        assert_eq!(read.mapped(), held.mapped());
        assert_eq!(read.version().time(), held.version().time());
        assert!(!Arc::ptr_eq(read.version(), held.version()));
    }
}

/// Three copies, three operations in each: a key for each of the 512 sequences of putting and removing.
#[test]
fn all_possible_sequences_of_operations_with_copies() {
    const SETS: u32 = 3;
    const OPS: u32 = 3;
    for each_is_a_version in [false, true] {
        let (mut map, mut model) = (empty(), Model::new());
        let mut before: Option<(Map, Model)> = None;
        for set in 0..SETS {
            let parent = (Arc::clone(&map), model.clone());
            let ops = (0..OPS).map(|op| set * OPS + op).map(|number| {
                (0..1_i32 << (SETS * OPS)).map(move |key| {
                    let is_put = key >> (SETS * OPS - number - 1) & 1 == 0;
                    if is_put { Put(key, key * 31 + number as i32) } else { Remove(key) }
                })
            });
            let steps: Vec<Vec<Op>> = if each_is_a_version {
                ops.map(Iterator::collect).collect()
            } else {
                vec![ops.flatten().collect()]
            };
            for (n, ops) in steps.iter().enumerate() {
                let time = i64::from(set) * 10 + n as i64 + 1;
                for op in ops {
                    match op {
                        Put(key, state) => _ = model.insert(*key, (*state, time)),
                        Remove(key) => _ = model.remove(key),
                    }
                }
                map = changed(&map, time, ops);
                let expected: Vec<_> =
                    model.iter().map(|(key, (state, time))| (*key, *state, *time)).collect();
                assert_eq!(all(&map), expected);
                for (map, model) in before.iter().chain([&parent]) {
                    let expected: Vec<_> = model.iter().map(|(key, (s, time))| (*key, *s, *time)).collect();
                    assert_eq!(all(map), expected);
                }
            }
            before = Some(parent);
        }
        drop(before);
        assert_map(&map, &model, 30);
    }
}
