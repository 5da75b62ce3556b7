//! Any file of a checkpoint directory is cut or changed: the result is right, or the start is refused; never a wrong result.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use millstream_streaming::testing::Driver;
use millstream_streaming::{DStream, Result, State, StateSpec, checkpoints};

use crate::faulty_disk;
use crate::fed::fed_stream;
use crate::recovery::{Directory, SECOND, at, conf, put};
use crate::recovery_of_receivers::with_log;
use crate::saved_streams::{SmallDisk, may_mount};

/// What was put out, by the batch: what windows hold, states, what a named accumulator has counted.
type Seen = BTreeMap<i64, (Vec<String>, i64)>;

/// Runs batches from `now` on; what is fed is stored one each batch, and put into a file.
fn run(directory: &Path, input: &Path, now: i64, fed: &[u64], batches: usize) -> Result<Seen> {
    let conf = conf()
        .set("spark.streaming.receiver.writeAheadLog.enable", "true")
        .set("spark.streaming.receiver.writeAheadLog.rollingIntervalSecs", "1")
        .set("spark.streaming.driver.writeAheadLog.rollingIntervalSecs", "1");
    let driver = Driver::at(conf, SECOND, at(now))?;
    let context = driver.context().clone();
    let (numbers, feed) = fed_stream::<u64>(driver.streaming());
    let lines = driver.streaming().text_file_stream(input);
    let words = numbers.map(|n| format!("n{n}")).union(&lines);
    let ones = words.map(|word| (word, 1_u64));
    let counts = ones.update_state_by_key(|ones: Vec<u64>, count: Option<u64>| {
        Some(count.unwrap_or_default() + ones.iter().sum::<u64>())
    });
    let order = StateSpec::function(|(): &(), word: Option<String>, last: &mut State<'_, u64>| {
        let number = last.get_option().copied().unwrap_or_default() + 1;
        last.update(number);
        (word.unwrap_or_default(), number)
    });
    let order = words.map(|word| ((), word)).map_with_state(order.num_partitions(1));
    let shown = |stream: DStream<(String, u64)>, name: &'static str| {
        stream.checkpoint(SECOND).map(move |(word, n)| format!("{name} {word} {n}"))
    };
    let all = words.window(3 * SECOND, None).map(|word| format!("window {word}"));
    let all = all.union(&shown(counts, "count")).union(&shown(order.stream(), "order"));
    let seen = Arc::new(Mutex::new(Seen::new()));
    let into = Arc::clone(&seen);
    all.foreach_rdd_with(move |rdd, time| {
        let records = context.long_accumulator_named("records")?;
        rdd.foreach_env(records.clone(), |records, _| records.add(1))?;
        let mut rows = rdd.collect()?;
        rows.sort();
        let before = into.lock().unwrap().insert(time.as_millis(), (rows, records.value()));
        assert_eq!(before, None, "batch {time} ran twice");
        Ok::<_, millstream_core::Error>(())
    });
    let steps = driver.get_or_create(directory)?.start()?;
    let handle = feed.handle();
    for batch in 0..batches {
        if let Some(number) = fed.get(batch) {
            handle.store_many(vec![*number])?;
            // Too late for the batch in whose interval it was changed: that one must not take it when it runs again.
            let changed = (batch as u64 * 1000).saturating_sub(400) + 1;
            put(input, &format!("late-{number}"), changed, &format!("l{number}\n"));
        }
        steps.step()?;
    }
    drop(handle);
    drop(steps);
    let seen = seen.lock().unwrap().clone();
    Ok(seen)
}

pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { found.extend(files(&entry)) } else { found.push(entry) }
    }
    found.sort();
    found
}

/// Copies a directory as it would be left by a kill.
pub(crate) fn copy(from: &Path, to: &Path) {
    let is_whole = |file: &PathBuf| !file.file_name().unwrap().to_string_lossy().starts_with("._");
    for file in files(from).into_iter().filter(is_whole) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        match fs::copy(&file, target) {
            // Deleted just now.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            copied => drop(copied.unwrap()),
        }
    }
}

/// What is done to a file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Damage {
    CutAt(usize),
    ChangedAt(usize),
    Removed,
}

impl Damage {
    /// At three positions of a file, and the file as a whole.
    pub(crate) fn all_of(length: usize) -> impl Iterator<Item = Damage> {
        let positions = [0, length / 2, length - 1].into_iter();
        positions.flat_map(|at| [Damage::CutAt(at), Damage::ChangedAt(at)]).chain([Damage::Removed])
    }

    pub(crate) fn do_to(self, file: &Path) {
        let mut bytes = fs::read(file).unwrap();
        match self {
            Damage::CutAt(at) => bytes.truncate(at),
            Damage::ChangedAt(at) => bytes[at] ^= 0x20,
            Damage::Removed => return fs::remove_file(file).unwrap(),
        }
        fs::write(file, bytes).unwrap();
    }
}

#[test]
fn any_file_may_be_cut_or_changed_at_any_place_or_missing() {
    let directory = Directory::new();
    let input = directory.0.join("in");
    fs::create_dir_all(&input).unwrap();
    let whole = directory.0.join("whole");
    let mut expected = run(&whole, &input, 0, &[1, 20, 300, 4000], 4).unwrap();
    let reference = directory.0.join("reference");
    copy(&whole, &reference);
    expected.extend(run(&reference, &input, 4100, &[], 2).unwrap());
    assert_eq!(expected.len(), 6);
    let rows = &expected[&5000].0;
    for row in ["window l300", "window n4000", "count n1 1", "order l20 4"] {
        let is_there = expected.values().any(|(rows, _)| rows.iter().any(|other| other == row));
        assert!(is_there, "{row}: {rows:?}");
    }

    let context = millstream_core::Context::new(conf()).unwrap();
    let (mut right, mut refused) = (BTreeMap::<String, usize>::new(), BTreeMap::<String, usize>::new());
    for file in files(&whole) {
        let name = file.strip_prefix(&whole).unwrap();
        let kind = name.to_string_lossy().split(['-', '/']).next().unwrap().to_owned();
        for damage in Damage::all_of(fs::read(&file).unwrap().len()) {
            let damaged = directory.0.join("damaged");
            copy(&whole, &damaged);
            damage.do_to(&damaged.join(name));
            let what = format!("{} {damage:?}", name.display());
            let is_whole =
                checkpoints::verify(&context.file_systems(), &damaged).unwrap().problems.is_empty();
            match run(&damaged, &input, 4100, &[], 2) {
                Ok(seen) => {
                    *right.entry(kind.clone()).or_default() += 1;
                    for (time, row) in &seen {
                        assert_eq!(row, &expected[time], "{what}, batch {time}");
                    }
                    assert!(seen.contains_key(&5000) && seen.contains_key(&6000), "{what}: {seen:?}");
                }
                Err(error) => {
                    *refused.entry(kind.clone()).or_default() += 1;
                    let error = error.to_string();
                    assert!(error.contains(&*damaged.to_string_lossy()), "{what}: {error}");
                    assert!(!is_whole, "{what}: verified as whole, and refused: {error}");
                }
            }
            fs::remove_dir_all(&damaged).unwrap();
        }
    }
    // Another file takes the place of a manifest, of states and of variables; the lease counts while its holder lives. A log has
    // no other file: only what is not needed any more may be damaged.
    let kinds: Vec<&str> = refused.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["receivedBlockMetadata", "receivedData"], "{refused:?}");
    let kinds: Vec<&str> = right.keys().map(String::as_str).collect();
    assert!(["checkpoint", "lease", "state"].iter().all(|kind| kinds.contains(kind)), "{right:?}");
}

#[test]
fn what_takes_the_place_of_files_that_are_not_whole_is_said_and_without_any_the_start_is_refused() {
    let directory = Directory::new();
    let input = directory.0.join("in");
    fs::create_dir_all(&input).unwrap();
    let whole = directory.0.join("whole");
    run(&whole, &input, 0, &[1, 20, 300, 4000], 4).unwrap();
    let context = millstream_core::Context::new(conf()).unwrap();
    let explain = |directory: &Path| checkpoints::explain(&context.file_systems(), directory, at(4100));
    let text = explain(&whole).unwrap();
    assert!(!text.contains("passed over"), "{text}");

    let reference = directory.0.join("reference");
    copy(&whole, &reference);
    let expected = run(&reference, &input, 4100, &[], 1).unwrap();
    let of_batch = |batch: i64| move |file: &PathBuf| file.to_string_lossy().contains(&format!("-{batch}-"));
    for (batches, place) in [(vec![4000], 3000), (vec![4000, 3000], 2000)] {
        let damaged = directory.0.join(format!("without-{place}"));
        copy(&whole, &damaged);
        for batch in batches {
            files(&damaged.join("state")).into_iter().filter(of_batch(batch)).for_each(|file| {
                fs::write(file, "torn").unwrap();
            });
        }
        let text = explain(&damaged).unwrap();
        // Which checkpoint it is, and which states it has, depends on when the thread that saves states was done.
        let said = "its length or checksum is wrong; checkpoint-";
        assert!(text.contains("passed over") && text.contains(said), "{text}");
        let states = text.lines().filter_map(|line| line.trim().strip_prefix("state of batch "));
        let batches: Vec<i64> = states.map(|text| text.split(' ').next().unwrap().parse().unwrap()).collect();
        assert!(!batches.is_empty() && batches.iter().all(|batch| *batch <= place), "{text}");
        assert!(
            text.contains("a restart would make states again, without outputs, of the batches"),
            "{text}"
        );
        assert_eq!(run(&damaged, &input, 4100, &[], 1).unwrap(), expected);
    }
    // When the first checkpoint, which needs no states, is not kept any more, and all others lack theirs.
    let long = directory.0.join("long");
    run(&long, &input, 0, &[1, 20, 300, 4000], 6).unwrap();
    files(&long.join("state")).into_iter().for_each(|file| fs::remove_file(file).unwrap());
    for refused in [explain(&long).unwrap_err(), run(&long, &input, 6100, &[], 1).unwrap_err()] {
        let text = refused.to_string();
        assert!(text.contains("variables-6000: the file is missing"), "{text}");
        assert!(text.contains("no checkpoint that is kept can take its place"), "{text}");
        assert!(text.contains("start from a savepoint"), "{text}");
    }
}

#[test]
fn a_disk_that_may_not_be_written_any_more_stops_the_streams_and_nothing_is_lost() {
    if !may_mount() {
        return;
    }
    let disk = SmallDisk::new();
    let directory = Directory::new();
    let checkpoints = disk.path().join("checkpoints");
    run(&checkpoints, &directory.0, 0, &[1, 20], 2).unwrap();
    disk.set_writable(false);
    for refused in [checkpoints.clone(), disk.path().join("new")] {
        let error = run(&refused, &directory.0, 2100, &[300], 1).unwrap_err().to_string();
        assert!(error.contains(&*refused.to_string_lossy()), "{error}");
    }
    disk.set_writable(true);
    let seen = run(&checkpoints, &directory.0, 2100, &[300], 1).unwrap();
    each_once(&seen, &["n1", "n20", "n300"]);
}

/// Checks that each of some words was counted once in the end, and none more often.
#[track_caller]
fn each_once(seen: &Seen, words: &[&str]) {
    let (rows, _) = seen.values().next_back().unwrap();
    let counts: Vec<&str> = rows.iter().filter_map(|row| row.strip_prefix("count ")).collect();
    assert!(counts.iter().all(|count| count.ends_with(" 1")), "{counts:?}");
    for word in words {
        assert!(counts.contains(&&*format!("{word} 1")), "{word}: {counts:?}");
    }
}

#[test]
#[cfg(unix)]
fn a_directory_that_may_not_be_written_is_refused_at_the_start() {
    use std::os::unix::fs::PermissionsExt;
    let directory = Directory::new();
    let closed = directory.0.join("closed");
    fs::create_dir_all(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    // Whoever may write everywhere, such as root, is not refused.
    let refuses = fs::write(closed.join("try"), "").is_err();
    let outcome = run(&closed, &directory.0, 0, &[1], 1);
    assert_eq!(outcome.is_err(), refuses);
    if let Err(error) = outcome {
        assert!(error.to_string().contains("closed"), "{error}");
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_full_disk_stops_the_streams_and_room_lets_them_go_on() {
    faulty_disk::register();
    let directory = Directory::new();
    let checkpoints = faulty_disk::path(&directory.0.join("checkpoints"));
    let input = directory.0.join("in");
    fs::create_dir_all(&input).unwrap();
    let expected = run(&checkpoints, &input, 0, &[1, 20], 2).unwrap();
    assert!(expected[&2000].0.contains(&"window n20".to_owned()), "{expected:?}");
    let mut stopped = 0;
    // It gets full at any place: while a block or an event is logged, while a manifest or the variables are written.
    for room in [0, 50, 150, 300, 600, 1000, 1500, 2500] {
        let copied = directory.0.join(format!("room-{room}"));
        copy(&directory.0.join("checkpoints"), &copied);
        let small = faulty_disk::path(&copied);
        faulty_disk::leave_room(&copied, room);
        let first = run(&small, &input, 2100, &[300, 4000], 2);
        faulty_disk::leave_room(&copied, 1 << 20);
        if let Err(error) = first {
            stopped += 1;
            assert!(error.to_string().contains("make room there"), "{error}");
        }
        // What was accepted is not lost; what was not is stored again by whoever was told so.
        each_once(&run(&small, &input, 4100, &[], 1).unwrap(), &["n1", "n20"]);
    }
    assert!(stopped >= 4, "{stopped} were stopped");
}

/// As above with a disk that really is full, where a segment of the log grows instead of being closed after each write.
#[test]
fn a_disk_that_really_is_full_stops_the_streams_and_room_lets_them_go_on() {
    if !may_mount() {
        return;
    }
    let disk = SmallDisk::new();
    let directory = Directory::new();
    let (checkpoints, input) = (disk.path().join("checkpoints"), directory.0.join("in"));
    fs::create_dir_all(&input).unwrap();
    run(&checkpoints, &input, 0, &[1, 20], 2).unwrap();
    let whole = directory.0.join("whole");
    copy(&checkpoints, &whole);
    let mut stopped = 0;
    for pages in [0, 1, 2, 3, 5, 8, 12] {
        fs::remove_dir_all(&checkpoints).unwrap();
        copy(&whole, &checkpoints);
        let filler = disk.fill_but_for(pages);
        if let Err(error) = run(&checkpoints, &input, 2100, &[300, 4000], 2) {
            stopped += 1;
            assert!(error.to_string().contains("make room there"), "{pages} pages: {error}");
        }
        fs::remove_file(filler).unwrap();
        each_once(&run(&checkpoints, &input, 4100, &[], 1).unwrap(), &["n1", "n20"]);
        // They come anew the next time, and a file that is replaced by another is none that a batch has taken.
        for late in ["late-300", "late-4000"] {
            let _ = fs::remove_file(input.join(late));
        }
    }
    assert!(stopped >= 4, "{stopped} were stopped");
}

#[test]
fn a_checkpoint_that_can_not_be_read_now_is_not_passed_over() {
    faulty_disk::register();
    let directory = Directory::new();
    let input = directory.0.join("in");
    fs::create_dir_all(&input).unwrap();
    let place = directory.0.join("checkpoints");
    run(&place, &input, 0, &[1, 20], 2).unwrap();
    let expected = {
        let copied = directory.0.join("copied");
        copy(&place, &copied);
        run(&copied, &input, 2100, &[], 1).unwrap()
    };
    let faulty = faulty_disk::path(&place);
    let newest = place.join("checkpoint-2000");
    let unreadable = faulty_disk::Unreadable::new(&newest);
    let refused = run(&faulty, &input, 2100, &[], 1).unwrap_err().to_string();
    assert!(refused.contains("checkpoint-2000") && refused.contains("the disk does not answer"), "{refused}");
    drop(unreadable);
    assert_eq!(run(&faulty, &input, 2100, &[], 1).unwrap(), expected);
}

#[test]
fn what_was_acknowledged_is_found_whatever_became_of_the_end_of_the_log_of_metadata() {
    let directory = Directory::new();
    let start = |place: &Path, now: i64| {
        let driver = Driver::at(with_log(), SECOND, at(now)).unwrap();
        let (numbers, feed) = fed_stream::<u64>(driver.streaming());
        let collected = driver.collect(&numbers);
        let started = driver.get_or_create(place).and_then(Driver::start);
        started.map(|steps| (steps, feed, collected))
    };
    let place = directory.0.join("whole");
    let (steps, feed, _) = start(&place, 0).unwrap();
    let handle = feed.handle();
    handle.store_many([1]).unwrap();
    steps.step().unwrap();
    handle.store_many([20]).unwrap();
    handle.store_many([300]).unwrap();
    // Before the stop writes a checkpoint.
    let killed = directory.0.join("killed");
    copy(&place, &killed);
    drop((handle, steps));

    let name = files(&killed.join("receivedBlockMetadata")).pop().unwrap();
    let name = name.strip_prefix(&killed).unwrap();
    let whole = fs::read(killed.join(name)).unwrap();
    let (mut right, mut refused) = (0, 0);
    for at in (0..whole.len()).step_by(3).chain([whole.len() - 1]) {
        for damage in [Damage::CutAt(at), Damage::ChangedAt(at)] {
            let damaged = directory.0.join("damaged");
            copy(&killed, &damaged);
            damage.do_to(&damaged.join(name));
            let started = start(&damaged, 1100).and_then(|(steps, _, collected)| {
                steps.step()?;
                Ok(collected)
            });
            match started {
                Ok(collected) => {
                    right += 1;
                    // The first batch may run again: its end was not written yet.
                    let mut batches = collected.batches();
                    assert_eq!(batches.pop().unwrap(), [20, 300], "{damage:?}");
                    assert!(batches.is_empty() || batches == [[1]], "{damage:?}: {batches:?}");
                }
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains("receivedBlockMetadata"), "{damage:?}: {error}");
                }
            }
            fs::remove_dir_all(&damaged).unwrap();
        }
    }
    // What the checkpoint relies on may not be missing; that the two blocks have come lies behind it.
    assert!(right > 20 && refused > 20, "{right} right, {refused} refused");
}

#[test]
fn what_tells_of_what_batches_were_made_is_there_twice() {
    let directory = Directory::new();
    let input = directory.0.join("in");
    fs::create_dir_all(&input).unwrap();
    let run = |place: &Path, now: i64, batches: usize| {
        let driver = Driver::at(conf(), SECOND, at(now))?;
        let lines = driver.streaming().text_file_stream(&input);
        let collected = driver.collect(&lines.window(4 * SECOND, None));
        let steps = driver.get_or_create(place)?.start()?;
        for _ in 0..batches {
            steps.step()?;
        }
        let rows = collected.batches().into_iter().map(crate::tables::sorted);
        Ok::<_, millstream_streaming::Error>(rows.collect::<Vec<_>>())
    };
    // So many files that a manifest does not hold their names.
    let of_batch = |batch: u64| (0..60).map(move |file| format!("{batch}-{file:0100}"));
    for batch in 1..=5 {
        of_batch(batch).for_each(|name| put(&input, &name, batch * 1000 - 500, &format!("{name}\n")));
    }
    let place = directory.0.join("whole");
    run(&place, 0, 4).unwrap();
    // What comes too late for its batch is not taken by it when it is made again.
    put(&input, "late", 3600, "late\n");
    let reference = directory.0.join("reference");
    copy(&place, &reference);
    let expected = run(&reference, 4100, 1).unwrap();
    let all: Vec<_> = (2..=5).flat_map(of_batch).chain(["late".to_owned()]).collect();
    assert_eq!(expected, [crate::tables::sorted(all)]);

    let is_input = |file: &PathBuf| file.file_name().unwrap().to_string_lossy().starts_with("inputs-");
    let inputs: Vec<_> = files(&place.join("state")).into_iter().filter(is_input).collect();
    assert!(inputs.len() >= 2, "{inputs:?}");
    let names: Vec<_> = inputs.iter().map(|file| file.strip_prefix(&place).unwrap()).collect();
    for name in &names {
        for damage in Damage::all_of(fs::read(place.join(name)).unwrap().len()) {
            let damaged = directory.0.join("damaged");
            copy(&place, &damaged);
            damage.do_to(&damaged.join(name));
            assert_eq!(run(&damaged, 4100, 1).unwrap(), expected, "{name:?} {damage:?}");
            fs::remove_dir_all(&damaged).unwrap();
        }
    }
    let damaged = directory.0.join("damaged");
    copy(&place, &damaged);
    names.iter().for_each(|name| Damage::ChangedAt(30).do_to(&damaged.join(name)));
    let refused = run(&damaged, 4100, 1).unwrap_err().to_string();
    assert!(refused.contains("inputs-") && refused.contains("bring the file back from a copy"), "{refused}");
}
