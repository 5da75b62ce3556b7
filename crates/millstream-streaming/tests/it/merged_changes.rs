//! What has changed in a large state is saved many times, and lies in few files.

use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::path::Path;

use millstream_streaming::Result;
use millstream_streaming::testing::{Collected, Driver, Steps};

use crate::damaged_checkpoints::{Damage, copy};
use crate::recovery::{Directory, SECOND, at, conf};
use crate::recovery_of_states::kill;
use crate::tables::step;

const KEYS: u64 = 3_000;

/// All keys with values that can not be compressed; then some that change and one that leaves, with 0, in each batch.
fn rows(count: u64) -> Vec<Vec<(u64, u64)>> {
    let all = (0..KEYS).map(|key| (key, (key + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let some = |batch| vec![(batch * 7 % KEYS, batch), (batch % 3, batch), (batch * 29 % KEYS, 0)];
    std::iter::once(all).chain((2..=count).map(some)).collect()
}

fn update(values: &[u64], state: Option<u64>) -> Option<u64> {
    let add = |sum: u64, value: &u64| sum.wrapping_add(*value);
    (!values.contains(&0)).then(|| values.iter().fold(state.unwrap_or_default(), add))
}

/// The states after each batch, without faults.
fn model(rows: &[Vec<(u64, u64)>]) -> Vec<Vec<(u64, u64)>> {
    let mut states = BTreeMap::new();
    let after = |row: &Vec<(u64, u64)>| {
        let mut values: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        row.iter().for_each(|(key, value)| values.entry(*key).or_default().push(*value));
        for (key, values) in values {
            match update(&values, states.get(&key).copied()) {
                Some(state) => _ = states.insert(key, state),
                None => _ = states.remove(&key),
            }
        }
        states.iter().map(|(key, state)| (*key, *state)).collect()
    };
    rows.iter().map(after).collect()
}

/// Starts a program that saves its states after each batch at `now`.
fn start(place: &Path, rows: &[Vec<(u64, u64)>], now: i64) -> Result<(Steps, Collected<(u64, u64)>)> {
    let driver = Driver::at(conf(), SECOND, at(now))?;
    let states = driver
        .input(rows.to_vec())
        .update_state_by_key(|values: Vec<u64>, state: Option<u64>| update(&values, state));
    let collected = driver.collect(&states.checkpoint(SECOND));
    Ok((driver.get_or_create(place)?.start()?, collected))
}

/// Returns the states after each batch, in the order of the keys.
fn states(collected: &Collected<(u64, u64)>) -> Vec<Vec<(u64, u64)>> {
    let mut batches = collected.batches();
    batches.iter_mut().for_each(|batch| batch.sort_unstable());
    batches
}

/// Runs that program from `now` on; in the middle `meanwhile` happens.
fn run(
    place: &Path,
    rows: &[Vec<(u64, u64)>],
    now: i64,
    counts: [usize; 2],
    meanwhile: impl FnOnce(),
) -> Vec<Vec<(u64, u64)>> {
    let (steps, collected) = start(place, rows, now).unwrap();
    step(&steps, counts[0]);
    meanwhile();
    step(&steps, counts[1]);
    kill(steps, place);
    states(&collected)
}

/// The names and lengths of the files of states.
fn files(place: &Path) -> Vec<(String, u64)> {
    let runs = std::fs::read_dir(place.join("state")).unwrap().map(|entry| entry.unwrap().path());
    let entries = runs.flat_map(|run| std::fs::read_dir(run).unwrap()).map(|entry| entry.unwrap());
    let name = |entry: &DirEntry| entry.path().strip_prefix(place).unwrap().to_str().unwrap().to_owned();
    entries.map(|entry| (name(&entry), entry.metadata().unwrap().len())).collect()
}

fn snapshots(files: &[(String, u64)]) -> usize {
    files.iter().filter(|(_, bytes)| *bytes > 20_000).count()
}

#[test]
fn a_hundred_saves_of_changes_lie_in_few_files_beside_one_snapshot() {
    let directory = Directory::new();
    let place = directory.0.join("checkpoints");
    let rows = rows(150);
    let mut seen = run(&place, &rows, 100, [70, 50], || {});
    let lying = files(&place);
    assert_eq!(snapshots(&lying), 1, "{lying:?}");
    // Nine of each rank, and those that the manifests of the last ten batches name.
    assert!(lying.len() < 40, "{} files of 120 saves: {lying:?}", lying.len());
    assert!(lying.iter().any(|(name, _)| name.contains("merged")), "{lying:?}");
    // Also after a restart what changes is saved, and no more.
    seen.extend(run(&place, &rows, 120_100, [29, 1], || {}));
    let lying = files(&place);
    assert_eq!(snapshots(&lying), 1, "{lying:?}");
    assert!(seen == model(&rows), "a state is not what it was");
}

#[test]
fn changes_that_can_not_be_read_any_more_are_replaced_by_a_snapshot() {
    let directory = Directory::new();
    let place = directory.0.join("checkpoints");
    let rows = rows(30);
    let mut seen = run(&place, &rows, 100, [8, 12], || {
        let (name, _) = files(&place).into_iter().find(|(name, _)| name.contains("-4000-")).unwrap();
        let path = place.join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(path, bytes).unwrap();
    });
    let lying = files(&place);
    assert!(lying.iter().any(|(name, bytes)| *bytes > 20_000 && !name.contains("-1000-")), "{lying:?}");
    seen.extend(run(&place, &rows, 20_100, [9, 1], || {}));
    assert!(seen == model(&rows), "a state is not what it was");
}

#[test]
fn merged_changes_may_be_cut_or_changed_at_any_place_or_missing() {
    let directory = Directory::new();
    let place = directory.0.join("checkpoints");
    let rows = rows(30);
    run(&place, &rows, 100, [25, 0], || {});
    let expected = &model(&rows)[25..27];
    let lying = files(&place).into_iter();
    let merged: Vec<_> = lying.filter(|(name, _)| name.contains("merged")).collect();
    assert!(!merged.is_empty());
    for (name, bytes) in merged {
        for damage in Damage::all_of(bytes as usize) {
            let damaged = directory.0.join("damaged");
            copy(&place, &damaged);
            damage.do_to(&damaged.join(&name));
            let went_on = start(&damaged, &rows, 25_100).and_then(|(steps, collected)| {
                steps.step()?;
                steps.step()?;
                Ok(states(&collected))
            });
            match went_on {
                Ok(seen) => assert!(seen == expected, "{name} {damage:?}: a state is not what it was"),
                Err(error) => assert!(error.to_string().contains(&name), "{name} {damage:?}: {error}"),
            }
            std::fs::remove_dir_all(&damaged).unwrap();
        }
    }
}
