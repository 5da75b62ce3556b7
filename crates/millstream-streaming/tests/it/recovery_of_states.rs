//! States survive, whenever the program dies, and also if it is another program afterwards.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millstream_core::Conf;
use millstream_streaming::clock::ManualClock;
use millstream_streaming::testing::{Collected, Driver, Steps, batches};
use millstream_streaming::{DStream, Error, RunningContext, StateSpec, StreamingContext, Time};

use crate::damaged_checkpoints::copy;
use crate::recovery::{Directory, SECOND, at, conf};
use crate::tables::{LONG, step};

/// Ten batches, some of them empty.
fn rows() -> Vec<Vec<(u8, u64)>> {
    batches![
        [(1, 1), (2, 2)],
        [(1, 10)],
        [],
        [(3, 3), (3, 30)],
        [(2, 20)],
        [],
        [(1, 100), (4, 4)],
        [(2, 200)],
        [],
        [(5, 5)]
    ]
}

/// What is put out of each batch, sorted.
type Seen = Vec<(Time, Vec<String>)>;

/// Runs a program of all stateful operators from `now` on.
fn run(directory: &Path, now: i64, count: usize, interval: Option<Duration>) -> Seen {
    let driver = Driver::at(conf(), SECOND, at(now)).unwrap();
    let input = driver.input(rows());
    let often = |stream: DStream<(u8, u64)>| match interval {
        Some(interval) => stream.checkpoint(interval),
        None => stream,
    };
    let sums = often(input.update_state_by_key(|values: Vec<u64>, state: Option<u64>| {
        Some(state.unwrap_or_default() + values.iter().sum::<u64>()).filter(|sum| *sum < 230)
    }));
    let spec = StateSpec::function(
        |key: &u8, value: Option<u64>, state: &mut millstream_streaming::State<'_, u64>| {
            let sum = state.get_option().copied().unwrap_or_default() + value.unwrap_or_default();
            if !state.is_timing_out() {
                state.update(sum);
            }
            (u64::from(*key), if value.is_some() { sum } else { 0 })
        },
    );
    let mapped = input.map_with_state(spec.timeout(3 * SECOND));
    let window = input.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, 3 * SECOND, None);
    let text =
        |stream: &DStream<(u8, u64)>, name: &'static str| stream.map(move |pair| format!("{name} {pair:?}"));
    let mapped_to = mapped.stream().map(|pair| format!("mapped {pair:?}"));
    let all = text(&sums, "sum").union(&text(&mapped.state_snapshots(), "state"));
    let all = all.union(&text(&window, "window")).union(&mapped_to);
    let collected = driver.collect(&all);
    let steps = driver.get_or_create(directory).unwrap().start().unwrap();
    step(&steps, count);
    kill(steps, directory);
    seen(&collected)
}

/// Leaves a directory as a kill at this moment would.
pub(crate) fn kill(steps: Steps, directory: &Path) {
    let left = directory.with_extension("left");
    copy(directory, &left);
    drop(steps);
    std::fs::remove_dir_all(directory).unwrap();
    std::fs::rename(left, directory).unwrap();
}

fn seen(collected: &Collected<String>) -> Seen {
    let mut rows: Seen = collected.times().into_iter().zip(collected.batches()).collect();
    rows.iter_mut().for_each(|(_, row)| row.sort());
    rows
}

#[test]
fn whenever_the_program_dies_the_result_is_that_of_a_run_without_faults() {
    let directory = Directory::new();
    let expected = run(&directory.0.join("whole"), 0, 10, None);
    assert_eq!(expected.len(), 10);
    for interval in [Some(SECOND), Some(3 * SECOND), None] {
        for dies_after in 1..9 {
            let place = directory.0.join(format!("{interval:?}-{dies_after}"));
            let mut seen = run(&place, 0, dies_after, interval);
            // Away for two batches, then on; once more, and on to the end.
            let now = (dies_after as i64 + 2) * 1000 + 100;
            seen.extend(run(&place, now.min(8100), 1, interval));
            let last = seen.last().unwrap().0.as_millis();
            let left = usize::try_from((10_000 - last) / 1000).unwrap();
            seen.extend(run(&place, last + 100, left, interval));
            assert_eq!(seen, expected, "{interval:?}, died after {dies_after}");
        }
    }
}

/// The first version of a program: how often each word came.
fn first_version(driver: &Driver) -> DStream<(u8, u64)> {
    let counts = driver.input(rows()).update_state_by_key(|values: Vec<u64>, state: Option<u64>| {
        Some(state.unwrap_or_default() + values.len() as u64)
    });
    counts.uid("counts").checkpoint(SECOND)
}

fn two_batches_of_the_first_version(directory: &Path) {
    let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
    driver.collect(&first_version(&driver));
    step(&driver.get_or_create(directory).unwrap().start().unwrap(), 2);
}

#[test]
fn the_second_version_of_a_program_keeps_the_state() {
    let directory = Directory::new();
    two_batches_of_the_first_version(&directory.0);
    // An operator more before the state, a field more in it, an output more, and a state that is new.
    let driver = Driver::at(conf(), SECOND, at(2100)).unwrap();
    driver.streaming().migrate_state(|count: u64| (count, 0_u64));
    let input = driver.input(rows()).filter(|(key, _)| *key < 4);
    let counts = input.update_state_by_key(|values: Vec<u64>, state: Option<(u64, u64)>| {
        let (count, sum) = state.unwrap_or_default();
        Some((count + values.len() as u64, sum + values.iter().sum::<u64>()))
    });
    let counts = driver.collect(&counts.uid("counts"));
    let new = input.update_state_by_key(|values: Vec<u64>, state: Option<u64>| {
        Some(state.unwrap_or(100) + values.len() as u64)
    });
    let new = driver.collect(&new.uid("new"));
    let steps = driver.get_or_create(&directory.0).unwrap().start().unwrap();
    step(&steps, 2);
    let last = |mut row: Vec<(u8, (u64, u64))>| {
        row.sort();
        row
    };
    assert_eq!(last(counts.batches()[1].clone()), [(1, (2, 0)), (2, (1, 0)), (3, (2, 33))]);
    assert_eq!(new.batches(), [vec![], vec![(3, 102)]]);
}

#[test]
fn a_state_that_is_gone_or_of_another_type_is_refused_with_what_differs() {
    let directory = Directory::new();
    two_batches_of_the_first_version(&directory.0);
    let start = |conf: Conf, describe: &dyn Fn(&Driver)| {
        let driver = Driver::at(conf, SECOND, at(2100)).unwrap();
        describe(&driver);
        driver.get_or_create(&directory.0).unwrap().start()
    };
    let gone = |driver: &Driver| drop(driver.input(rows()).print());
    let retyped = |driver: &Driver| {
        let states = driver.input(rows()).update_state_by_key(|_: Vec<u64>, _: Option<String>| None);
        states.uid("counts").print();
    };
    let refused = start(conf(), &gone).err().unwrap();
    assert!(matches!(refused, Error::Differences { .. }) && refused.exit_code() == 3, "{refused}");
    let text = refused.to_string();
    assert!(text.contains("(`counts`) is gone") && text.contains("allowStateLoss"), "{text}");
    let refused = start(conf(), &retyped).err().unwrap();
    assert_eq!(refused.exit_code(), 3, "{refused}");
    let text = refused.to_string();
    assert!(text.contains("`counts`") && text.contains("String") && text.contains("u64"), "{text}");
    let allowed = conf().set("millstream.recovery.allowStateLoss", "true");
    step(&start(allowed, &gone).unwrap(), 1);
}

#[test]
fn a_state_that_has_moved_in_the_graph_is_found_by_the_name_that_the_refusal_tells() {
    let directory = Directory::new();
    let count = |input: &DStream<(u8, u64)>| {
        input.update_state_by_key(|values: Vec<u64>, state: Option<u64>| {
            Some(state.unwrap_or_default() + values.len() as u64)
        })
    };
    let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
    driver.collect(&count(&driver.input(rows())).checkpoint(SECOND));
    step(&driver.get_or_create(&directory.0).unwrap().start().unwrap(), 2);
    let moved = |uid: Option<&str>, of_other_type: bool| {
        let driver = Driver::at(conf(), SECOND, at(2100)).unwrap();
        let counts = count(&driver.input(rows()).filter(|(key, _)| *key < 4));
        let counts = uid.iter().fold(counts, |counts, uid| counts.uid(*uid));
        let counts = driver.collect(&counts);
        if of_other_type {
            driver.input(rows()).update_state_by_key(|_: Vec<u64>, _: Option<String>| None).print();
        }
        driver.get_or_create(&directory.0).unwrap().start().map(|steps| (steps, counts))
    };
    let refused = moved(None, true).err().unwrap();
    assert_eq!(refused.exit_code(), 3, "{refused}");
    let text = refused.to_string();
    let (_, told) = text.split_once("is new and keeps the like: ").unwrap_or_else(|| panic!("{text}"));
    let uid = told.split('"').nth(1).unwrap();
    let (steps, counts) = moved(Some(uid), false).unwrap();
    step(&steps, 2);
    let mut last = counts.batches()[1].clone();
    last.sort_unstable();
    assert_eq!(last, [(1, 2), (2, 1), (3, 2)]);
}

#[test]
fn a_migration_that_fails_stops_the_start_or_gives_up_all_of_the_state() {
    let directory = Directory::new();
    two_batches_of_the_first_version(&directory.0);
    let start = |conf: Conf| {
        let driver = Driver::at(conf, SECOND, at(2100)).unwrap();
        // Of the keys 1 and 2, which were counted twice and once, one can be migrated.
        driver.streaming().migrate_state(|count: u64| {
            assert!(count < 2, "there are too many");
            (count, String::new())
        });
        let counts =
            driver.input(rows()).update_state_by_key(|new: Vec<u64>, state: Option<(u64, String)>| {
                Some((state.map_or(0, |(count, _)| count) + new.len() as u64, String::new()))
            });
        let collected = driver.collect(&counts.uid("counts"));
        driver.get_or_create(&directory.0).unwrap().start().map(|steps| (steps, collected))
    };
    let refused = start(conf()).err().unwrap();
    assert_eq!(refused.exit_code(), 3, "{refused}");
    let text = refused.to_string();
    assert!(text.contains("`counts`") && text.contains("there are too many"), "{text}");
    let (steps, counts) = start(conf().set("millstream.recovery.allowStateLoss", "true")).unwrap();
    step(&steps, 2);
    assert_eq!(counts.batches(), [vec![], vec![(3, (2, String::new()))]]);
}

#[test]
fn changes_after_a_snapshot_hold_what_the_states_are_however_many_there_are() {
    // Keys come, change and leave; more batches than changes that follow a snapshot.
    let touched = |batch: u64| [batch % 7, (batch * 5) % 11 + 10, batch + 100];
    let rows: Vec<Vec<(u64, u64)>> =
        (1..=40).map(|batch| touched(batch).map(|key| (key, batch)).to_vec()).collect();
    let update = |values: &[u64], sum: Option<u64>| {
        let sum = sum.unwrap_or_default() + values.iter().sum::<u64>();
        // Those of one batch only, and those that have grown large, leave.
        Some(sum).filter(|sum| !values.is_empty() && *sum < 90 || values.is_empty() && *sum % 4 != 0)
    };
    let mut model = std::collections::BTreeMap::new();
    let mut expected = Vec::new();
    for row in &rows {
        for key in row.iter().map(|(key, _)| *key) {
            model.entry(key).or_insert(None);
        }
        for (key, state) in &mut model {
            let values: Vec<u64> = row.iter().filter(|(of, _)| of == key).map(|(_, value)| *value).collect();
            *state = update(&values, *state);
        }
        model.retain(|_, state| state.is_some());
        expected.push(model.iter().map(|(key, state)| (*key, state.unwrap())).collect::<Vec<_>>());
    }
    let directory = Directory::new();
    let run = |now: i64, count: usize| {
        let driver = Driver::at(conf(), SECOND, at(now)).unwrap();
        let sums = driver
            .input(rows.clone())
            .update_state_by_key(move |values: Vec<u64>, sum: Option<u64>| update(&values, sum));
        let collected = driver.collect(&sums.checkpoint(SECOND));
        let steps = driver.get_or_create(directory.0.join("checkpoints")).unwrap().start().unwrap();
        step(&steps, count);
        kill(steps, &directory.0.join("checkpoints"));
        let mut batches = collected.batches();
        batches.iter_mut().for_each(|batch| batch.sort());
        batches
    };
    let mut seen = Vec::new();
    for lives in [1, 2, 3, 24, 1, 9] {
        seen.extend(run(seen.len() as i64 * 1000 + 100, lives));
    }
    assert_eq!(seen, expected);
}

#[test]
fn states_go_on_with_another_batch_interval() {
    let directory = Directory::new();
    for (place, interval) in [("saved", 2 * SECOND), ("made again", 10 * SECOND)] {
        let place = directory.0.join(place);
        let describe = |driver: &Driver| {
            let ones = driver.streaming().generator_stream(1, |_, _| [((), 1_u64)]);
            let counts = ones.update_state_by_key(|values: Vec<u64>, state: Option<u64>| {
                Some(state.unwrap_or_default() + values.len() as u64)
            });
            driver.collect(&counts.checkpoint(interval))
        };
        let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
        describe(&driver);
        let steps = driver.get_or_create(&place).unwrap().start().unwrap();
        step(&steps, 3);
        kill(steps, &place);
        let driver = Driver::at(conf(), 2 * SECOND, at(3100)).unwrap();
        let counts = describe(&driver);
        step(&driver.get_or_create(&place).unwrap().start().unwrap(), 2);
        assert_eq!(counts.times(), [at(4000), at(6000)]);
        assert_eq!(counts.batches(), [[((), 4)], [((), 5)]]);
    }
}

#[test]
fn without_a_directory_a_state_is_refused() {
    let context = millstream_streaming::StreamingContext::new(conf(), SECOND).unwrap();
    let ones = context.generator_stream(1, |_, _| [((), 1_u64)]);
    ones.update_state_by_key(|_, state: Option<u64>| state).print();
    let refused = context.start().err().unwrap().to_string();
    assert!(
        refused.contains("update_state_by_key at ") && refused.contains("call `checkpoint`"),
        "{refused}"
    );
    // A directory of the context does, for data that ends with the program.
    let directory = Directory::new();
    let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
    driver.context().set_checkpoint_dir(&directory.0).unwrap();
    let states = driver.input(rows()).update_state_by_key(|values: Vec<u64>, state: Option<u64>| {
        Some(state.unwrap_or_default() + values.len() as u64)
    });
    let context = driver.context().clone();
    let files = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let into = std::sync::Arc::clone(&files);
    states.foreach_rdd(move |rdd| {
        let evens = rdd.filter(|(key, _)| key % 2 == 0);
        evens.checkpoint()?;
        evens.count()?;
        assert!(context.get_checkpoint_dir().is_some());
        into.lock().unwrap().push(evens.get_checkpoint_file());
        Ok::<_, millstream_core::Error>(())
    });
    step(&driver.start().unwrap(), 2);
    assert!(files.lock().unwrap().iter().all(Option::is_some));
    assert!(!directory.0.join("checkpoint-1000").exists());
}

#[test]
fn an_interval_that_is_no_multiple_of_the_slide_is_refused() {
    let directory = Directory::new();
    let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
    driver.streaming().checkpoint(&directory.0);
    let states = driver.input(rows()).update_state_by_key(|_, state: Option<u64>| state);
    states.checkpoint(Duration::from_millis(1500)).print();
    let refused = driver.start().err().unwrap().to_string();
    assert!(refused.contains("the checkpoint interval 1.5s is no multiple of its slide"), "{refused}");
}

/// Returns how many bytes were written of a state of so many keys: at first, and after a batch that touched a hundred.
fn bytes_written(keys: u32) -> (u64, u64) {
    let directory = Directory::new();
    // Values that can not be compressed.
    let value = |key: u32| u64::from(key + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let row = |keys: u32| (0..keys).map(|key| (key, value(key))).collect::<Vec<_>>();
    let driver = Driver::new(conf(), SECOND).unwrap();
    let spec = StateSpec::function(
        |_: &u32, value: Option<u64>, state: &mut millstream_streaming::State<'_, u64>| {
            state.update(value.unwrap_or_default().rotate_left(state.exists().into()));
        },
    );
    let input = driver.input(vec![row(keys), row(100)]);
    let mapped = input.map_with_state(spec.num_partitions(2)).stream().checkpoint(SECOND);
    mapped.foreach_rdd(|rdd| rdd.count().map(drop));
    driver.streaming().checkpoint(&directory.0);
    // A save is begun when the one before it has been written.
    driver.run(3).unwrap();
    let of_batch = |millis: u64| {
        let files = std::fs::read_dir(directory.0.join("state/1")).unwrap().map(|entry| entry.unwrap());
        let part = format!("-{millis}-");
        let files = files.filter(|file| file.file_name().to_str().unwrap().contains(&part));
        files.map(|file| file.metadata().unwrap().len()).sum()
    };
    (of_batch(1000), of_batch(2000))
}

#[test]
fn what_a_checkpoint_writes_follows_the_keys_touched_not_the_keys_held() {
    let ((few, after_few), (many, after_many)) = (bytes_written(1_000), bytes_written(50_000));
    assert!(many > 40 * few, "{few} and {many} bytes of snapshots");
    // A hundred keys of some ten bytes each.
    assert!((800..4_000).contains(&after_few), "{after_few}");
    assert!(after_many < after_few + after_few / 4, "{after_few} and {after_many} bytes of changes");
}

#[test]
fn batches_go_on_while_a_save_takes_long_and_the_next_one_saves_all_that_has_changed() {
    crate::faulty_disk::register();
    let directory = Directory::new();
    let place = directory.0.join("checkpoints");
    let faulty = crate::faulty_disk::path(&place);
    let clock = ManualClock::new(0);
    let start = || {
        let sums = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&sums);
        let streaming = StreamingContext::get_or_create(&faulty, || {
            let streaming = StreamingContext::with_clock(conf(), SECOND, Arc::new(clock.clone()))?;
            let ones = streaming.generator_stream(1, |_, _| [((), 1_u64)]);
            let sums = ones.update_state_by_key(|ones: Vec<u64>, sum: Option<u64>| {
                Some(sum.unwrap_or_default() + ones.iter().sum::<u64>())
            });
            sums.checkpoint(SECOND).foreach_rdd(move |rdd| {
                into.lock().unwrap().extend(rdd.collect()?.into_iter().map(|(_, sum)| sum));
                Ok::<_, millstream_core::Error>(())
            });
            Ok::<_, Error>(streaming)
        });
        (streaming.unwrap().start().unwrap(), sums)
    };
    let batches = |running: &RunningContext, numbers: std::ops::RangeInclusive<i64>| {
        for number in numbers {
            clock.advance(SECOND);
            assert!(running.await_batch(at(number * 1000), LONG).unwrap(), "batch {number} waits for a save");
        }
    };
    let saved = || {
        let files = std::fs::read_dir(place.join("state/1")).into_iter().flatten();
        let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let times = names
            .filter(|name| !name.starts_with('.'))
            .filter_map(|name| name.split('-').nth(1).and_then(|time| time.parse::<i64>().ok()));
        crate::tables::sorted(times.collect::<Vec<_>>())
    };
    let (running, sums) = start();
    let held = crate::faulty_disk::Held::new(&place.join("state"));
    batches(&running, 1..=5);
    assert_eq!(saved(), [0_i64; 0]);
    drop(held);
    // What is due is saved once the first save is found to have come to its end.
    let mut number = 5;
    while saved().iter().all(|time| *time <= 5000) {
        number += 1;
        assert!(number < 1000, "nothing is saved any more");
        batches(&running, number..=number);
    }
    assert!(saved().iter().all(|time| *time == 1000 || *time > 5000), "{:?}", saved());
    running.stop(true, false).unwrap();
    assert_eq!(*sums.lock().unwrap(), (1..=number.unsigned_abs()).collect::<Vec<_>>());
    let (running, sums) = start();
    number += 1;
    batches(&running, number..=number);
    running.stop(true, false).unwrap();
    assert_eq!(*sums.lock().unwrap(), [number.unsigned_abs()]);
    // A stop at once leaves code of the user's alone after two seconds, and waits for a save: the directory must be free after it.
    let (running, _) = start();
    let held = crate::faulty_disk::Held::new(&place.join("state"));
    batches(&running, number + 1..=number + 2);
    let stopping = std::thread::spawn(move || running.stop(true, false));
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert!(!stopping.is_finished());
    drop(held);
    stopping.join().unwrap().unwrap();
    drop(start());
}
