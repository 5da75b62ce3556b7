//! States of more than four times the memory there is: slower, and right.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use millstream_core::{Conf, Context};
use millstream_streaming::testing::{Collected, Driver, Steps};
use millstream_streaming::{DStream, State, StateSpec, UpdateOptions};

use crate::recovery::{Directory, at};
use crate::saved_streams::{SmallDisk, may_mount};
use crate::tables::{LONG, SECOND, seconds, sorted, step};

const BUDGET: usize = 2 << 20;
const KEYS: u64 = 40_000;
/// A state takes so many bytes at least.
const STATE: usize = 220;

fn conf() -> Conf {
    assert!(KEYS as usize * STATE > 4 * BUDGET);
    let conf = Conf::empty().set_master("local[2]").set("spark.memory.fraction", "1");
    conf.set("spark.driver.memory", format!("{BUDGET}b"))
}

fn state(sum: u64) -> String {
    format!("{sum:0200}")
}

fn sum(state: &str) -> u64 {
    state.trim_start_matches('0').parse().unwrap_or(0)
}

type Batch = Vec<(u64, u64)>;

/// All keys, then some of them in no order, others and the same: 0 takes the key away, where it is there.
fn input() -> Vec<Batch> {
    let mut random = 1_u64;
    let mut next = move |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut batches = vec![(0..KEYS).map(|key| (key, key + 1)).collect::<Batch>()];
    for _ in 0..5 {
        batches.push((0..600).map(|_| (next(KEYS + 2000), next(4))).collect());
    }
    batches
}

fn updated(stream: &DStream<(u64, u64)>) -> DStream<(u64, u64)> {
    let states = stream.update_state_by_key(|values: Vec<u64>, before: Option<String>| {
        if values.contains(&0) {
            return None;
        }
        Some(state(values.iter().sum::<u64>() + before.as_deref().map_or(0, sum)))
    });
    states.map(|(key, state)| (key, sum(&state)))
}

/// What `updated` puts out of each batch.
fn model_of_updated(input: &[Batch]) -> Vec<Batch> {
    let mut states = BTreeMap::new();
    let after = |batch: &Batch| {
        let mut values: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        batch.iter().for_each(|(key, value)| values.entry(*key).or_default().push(*value));
        for (key, values) in values {
            if values.contains(&0) {
                states.remove(&key);
            } else {
                *states.entry(key).or_insert(0) += values.iter().sum::<u64>();
            }
        }
        states.iter().map(|(key, sum)| (*key, *sum)).collect()
    };
    input.iter().map(after).collect()
}

fn mapped(stream: &DStream<(u64, u64)>, timeout: Option<u64>) -> [DStream<(u64, u64)>; 2] {
    let spec = StateSpec::function(|key: &u64, value: Option<u64>, of: &mut State<'_, String>| {
        let before = of.get_option().map_or(0, |state| sum(state));
        match value {
            None => {}
            Some(0) if of.exists() => of.remove(),
            Some(value) => of.update(state(before + value)),
        }
        (*key, before)
    });
    let spec = match timeout {
        Some(timeout) => spec.timeout(seconds(timeout)),
        None => spec,
    };
    let mapped = stream.map_with_state(spec);
    [mapped.stream(), mapped.state_snapshots().map(|(key, state)| (key, sum(&state)))]
}

/// What `mapped` puts out of each batch, and the states after it.
fn model_of_mapped(input: &[Batch], timeout: Option<u64>) -> [Vec<Batch>; 2] {
    let mut states: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    let (mut mapped, mut snapshots) = (Vec::new(), Vec::new());
    for (time, batch) in input.iter().enumerate() {
        let (time, mut row) = (time as u64, Vec::new());
        for (key, value) in batch {
            let before = states.get(key).map(|(sum, _)| *sum);
            row.push((*key, before.unwrap_or(0)));
            match (value, before) {
                (0, Some(_)) => _ = states.remove(key),
                (value, before) => _ = states.insert(*key, (before.unwrap_or(0) + value, time)),
            }
        }
        if let Some(timeout) = timeout {
            states.retain(|key, (sum, last)| {
                let stays = *last + timeout > time;
                if !stays {
                    row.push((*key, *sum));
                }
                stays
            });
        }
        mapped.push(sorted(row));
        snapshots.push(states.iter().map(|(key, (sum, _))| (*key, *sum)).collect());
    }
    [mapped, snapshots]
}

fn all_sorted(collected: &Collected<(u64, u64)>) -> Vec<Batch> {
    collected.batches().into_iter().map(sorted).collect()
}

fn files_in(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let (directories, mut files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.extend(directories.iter().flat_map(|directory| files_in(directory)));
    files
}

fn scratch_files(context: &Context) -> Vec<PathBuf> {
    context.disk().directories().iter().flat_map(|directory| files_in(directory)).collect()
}

/// What the state has written out, and that it gives back all it took.
fn assert_spilled(context: &Context, run: impl FnOnce(Driver) -> Steps) {
    let steps = run(Driver::on(context, SECOND).unwrap());
    let bytes = |file: &PathBuf| std::fs::metadata(file).map_or(0, |file| file.len());
    let written: u64 = scratch_files(context).iter().map(bytes).sum();
    assert!(written > 0, "nothing was written to disk");
    // Batches, what is shuffled, an index and a shelf of each of two partitions lie there in any case.
    let most = context.memory().most_used();
    assert!(most <= BUDGET + BUDGET, "{most} bytes of {BUDGET}");
    steps.running.stop(false, false).unwrap();
    drop(steps);
    // The threads of the last job may hold it for a moment.
    let deadline = std::time::Instant::now() + LONG;
    while context.memory().used() > 0 || !scratch_files(context).is_empty() {
        assert!(std::time::Instant::now() < deadline, "{} bytes are held", context.memory().used());
        std::thread::yield_now();
    }
}

#[test]
fn update_state_by_key() {
    let context = Context::new(conf()).unwrap();
    assert_spilled(&context, |driver| {
        let rows = driver.collect(&updated(&driver.input(input())));
        let steps = driver.start().unwrap();
        step(&steps, input().len());
        assert!(all_sorted(&rows) == model_of_updated(&input()));
        steps
    });
}

#[test]
fn update_state_by_key_with_windows_that_read_older_states() {
    let context = Context::new(conf()).unwrap();
    assert_spilled(&context, |driver| {
        let windows = updated(&driver.input(input())).window(seconds(3), None);
        let counts =
            windows.map(|(_, sum)| ((), (1_u64, sum))).reduce_by_key(|(a, b), (c, d)| (a + c, b + d));
        let counts = driver.collect(&counts);
        let steps = driver.start().unwrap();
        step(&steps, input().len());
        let model = model_of_updated(&input());
        for (batch, row) in counts.batches().iter().enumerate() {
            let window = model[batch.saturating_sub(2)..=batch].iter().flatten();
            let expected = window.fold((0, 0), |(n, all), (_, sum)| (n + 1, all + sum));
            assert_eq!(*row, [((), expected)], "batch {batch}");
        }
        steps
    });
}

#[test]
fn map_with_state() {
    for timeout in [None, Some(2)] {
        let context = Context::new(conf()).unwrap();
        assert_spilled(&context, |driver| {
            let rows = mapped(&driver.input(input()), timeout).map(|stream| driver.collect(&stream));
            let steps = driver.start().unwrap();
            // With a timeout most keys leave in the third batch.
            let batches = if timeout.is_some() { 2 } else { input().len() };
            step(&steps, batches);
            let expected = model_of_mapped(&input()[..batches], timeout);
            assert!(rows.each_ref().map(all_sorted) == expected, "timeout {timeout:?}");
            steps
        });
    }
}

#[test]
fn keys_that_time_out_all_at_once_make_room() {
    let context = Context::new(conf()).unwrap();
    let driver = Driver::on(&context, SECOND).unwrap();
    let [rows, states] = mapped(&driver.input(input()), Some(2)).map(|stream| driver.collect(&stream));
    let steps = driver.start().unwrap();
    step(&steps, 2);
    let before = context.memory().used();
    step(&steps, 4);
    let expected = model_of_mapped(&input(), Some(2));
    assert!([&rows, &states].map(all_sorted) == expected);
    assert!(states.batches()[5].len() < 2000);
    // The index as well: two batches remember what they began with.
    let after = context.memory().used();
    assert!(after < before / 3, "{after} bytes after {before}");
}

/// Both operators, saved each batch; each run goes on where the one before died.
fn recovered(directory: &Path, now: i64, batches: usize) -> [Vec<Batch>; 2] {
    let driver = Driver::at(conf(), SECOND, at(now)).unwrap();
    let pairs = driver.input(input());
    let sums = updated(&pairs).uid("sums").checkpoint(SECOND);
    let [_, states] = mapped(&pairs, None);
    let rows = [driver.collect(&sums), driver.collect(&states)];
    let steps = driver.get_or_create(directory).unwrap().start().unwrap();
    step(&steps, batches);
    rows.each_ref().map(all_sorted)
}

#[test]
fn checkpoints_and_recovery() {
    let directory = Directory::new();
    let place = directory.0.join("checkpoints");
    let mut rows = recovered(&place, 0, 3);
    for (all, more) in rows.iter_mut().zip(recovered(&place, 3100, 3)) {
        all.extend(more);
    }
    assert!(rows[0] == model_of_updated(&input()));
    assert!(rows[1] == model_of_mapped(&input(), None)[1]);
}

#[test]
fn a_full_disk_is_an_error_that_names_the_operator_and_the_remedy() {
    // Other users can not mount: there a folder that can not be made stands in for a disk that takes nothing.
    let mounted = may_mount().then(SmallDisk::new);
    let folder =
        mounted.as_ref().map_or_else(|| PathBuf::from("/dev/null/none"), |full| full.path().to_owned());
    for with_map in [false, true] {
        let conf = conf().set("spark.local.dir", folder.to_str().unwrap());
        let driver = Driver::new(conf, SECOND).unwrap();
        let pairs = driver.input(vec![(0..8000).map(|n| (n, 1)).collect::<Batch>(); 3]);
        // Of a kilobyte, in no way to be packed.
        let large = |key: u64| {
            let byte = |n: u64| {
                let mixed = (key * 1000 + n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb).to_le_bytes()[7]
            };
            (0..1000).map(byte).collect::<Vec<u8>>()
        };
        let (stream, name) = if with_map {
            let spec = StateSpec::function(move |key, value: Option<u64>, of: &mut State<'_, Vec<u8>>| {
                of.update(large(key + value.unwrap_or(0)));
            });
            (pairs.map_with_state(spec).stream().count(), "map_with_state")
        } else {
            let options = UpdateOptions::default();
            let updated = pairs.update_state_by_key_with(move |_, key, _, _| Some(large(*key)), options);
            (updated.count(), "update_state_by_key")
        };
        driver.collect(&stream);
        let error = driver.run(3).unwrap_err().to_string();
        assert!(error.contains(folder.to_str().unwrap()) && error.contains("spark.local.dir"), "{error}");
        assert!(error.contains(&format!("{name} at {}", file!())), "{error}");
    }
    // Tasks that have not heard of it yet still write; when they have, nothing is left and the disk can go.
    let begun = Instant::now();
    while mounted.is_some() && std::fs::read_dir(&folder).unwrap().next().is_some() {
        assert!(begun.elapsed() < LONG, "scratch files are left in {}", folder.display());
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn flip(file: &PathBuf) {
    let mut bytes = std::fs::read(file).unwrap();
    for at in [bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
        bytes[at] ^= 1;
    }
    std::fs::write(file, bytes).unwrap();
}

fn cut(file: &PathBuf) {
    let length = std::fs::metadata(file).unwrap().len();
    std::fs::File::options().write(true).open(file).unwrap().set_len(length / 2).unwrap();
}

fn remove(file: &PathBuf) {
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_damaged_file_is_an_error_and_no_wrong_result() {
    for tamper in [flip, cut, remove] {
        for operator in [updated, |stream: &DStream<(u64, u64)>| mapped(stream, None)[1].clone()] {
            let context = Context::new(conf()).unwrap();
            let driver = Driver::on(&context, SECOND).unwrap();
            driver.collect(&operator(&driver.input(input())));
            let steps = driver.start().unwrap();
            step(&steps, 2);
            let files = scratch_files(&context);
            assert!(!files.is_empty());
            files.iter().for_each(tamper);
            let error = steps.step().unwrap_err().to_string();
            assert!(error.contains("a state of ") && error.contains("scratch file"), "{error}");
        }
    }
}
