//! The cases of Spark's InputStreamsSuite: their inputs and what comes out.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use millstream_core::fs::TextFormat;
use millstream_streaming::listener::{BatchInfo, StreamingListener};
use millstream_streaming::testing::{Collected, Driver, Steps, batches};
use millstream_streaming::{FileStreamOptions, RddQueue, Time};

use crate::fed::fed_stream;
use crate::file_streams::{Directory, put};
use crate::server::{HOST, Server};
use crate::tables::{LONG, SECOND, conf, sorted, step};

/// The batch interval of the cases with files.
const TWO_SECONDS: Duration = Duration::from_secs(2);

/// Counts the records of completed batches.
struct Records(AtomicU64);

impl StreamingListener for Records {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        self.0.fetch_add(batch.num_records(), Ordering::Relaxed);
    }
}

/// Cuts batches until they have given so many records, or it takes too long.
fn step_until<T: Clone>(steps: &Steps, collected: &Collected<T>, records: usize) -> Vec<T> {
    let start = Instant::now();
    while collected.batches().concat().len() < records && start.elapsed() < LONG {
        step(steps, 1);
    }
    collected.batches().concat()
}

#[test]
fn socket_input_stream() {
    let server = Server::start();
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let records = Arc::new(Records(AtomicU64::new(0)));
    driver.streaming().add_streaming_listener(Arc::clone(&records) as _).unwrap();
    let lines = driver.collect(&driver.streaming().socket_text_stream(HOST, server.port()));
    let steps = driver.start().unwrap();
    let mut connection = server.accept();
    // A batch without a block.
    step(&steps, 1);
    assert_eq!(lines.batches(), [Vec::<String>::new()]);
    for n in 1..=5 {
        connection.send(&format!("{n}\n"));
        step(&steps, 1);
    }
    assert_eq!(step_until(&steps, &lines, 5), ["1", "2", "3", "4", "5"]);
    steps.running.stop(true, true).unwrap();
    assert_eq!(records.0.load(Ordering::Relaxed), 5);
}

/// Spark's case of the clean-up of input blocks and persisted RDDs.
#[test]
fn what_the_batches_of_a_socket_kept_is_freed_after_them() {
    let server = Server::start();
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let context = driver.context().clone();
    let lines = driver.streaming().socket_text_stream(HOST, server.port());
    let dotted = lines.map(|line| line + ".").persist();
    let texts = driver.collect(&dotted);
    let (ids, of_batches) = mpsc::channel();
    dotted.foreach_rdd(move |rdd| ids.send(rdd.id()));
    let steps = driver.start().unwrap();
    let mut connection = server.accept();
    for n in 1..=6 {
        connection.send(&format!("{n}\n"));
        assert_eq!(step_until(&steps, &texts, n).len(), n);
    }
    assert_eq!(texts.batches().concat(), ["1.", "2.", "3.", "4.", "5.", "6."]);
    let ids: Vec<_> = of_batches.try_iter().collect();
    let persisted = context.get_persistent_rdds();
    assert!(persisted.contains_key(ids.last().unwrap()) && !persisted.contains_key(&ids[0]));
    // Those of the last batch go when two more have come.
    step(&steps, 2);
    let persisted = context.get_persistent_rdds();
    assert!(persisted.len() <= 2 && !persisted.contains_key(ids.last().unwrap()));
}

/// A driver on a clock that stands one interval after a file of before the start was changed.
fn after(existing: &Path) -> Driver {
    put(existing, 10_000, "0\n");
    Driver::at(conf("local[2]"), TWO_SECONDS, Time::from_millis(12_000)).unwrap()
}

/// Moves the clock into a batch, then puts one file after the other and cuts the batch of each.
fn put_each(steps: &Steps, files: impl IntoIterator<Item = (std::path::PathBuf, Vec<u8>)>) {
    steps.clock.advance(SECOND);
    for (path, bytes) in files {
        let now = u64::try_from(millstream_streaming::clock::Clock::now(&steps.clock).as_millis()).unwrap();
        put(&path, now, bytes);
        step(steps, 1);
    }
}

#[test]
fn binary_records_stream() {
    let directory = Directory::new();
    let driver = after(&directory.path().join("0"));
    let records = driver.collect(&driver.streaming().binary_records_stream(directory.path(), 1));
    let steps = driver.start().unwrap();
    let bytes = |n: u8| (1..=5).map(|byte| byte + n).collect::<Vec<u8>>();
    // The first takes the place of the file that was there before.
    put_each(&steps, (0..3).map(|n| (directory.path().join(n.to_string()), bytes(n))));
    let expected = (0..3).map(|n| bytes(n).into_iter().map(|byte| vec![byte]).collect::<Vec<_>>());
    assert_eq!(records.batches(), expected.collect::<Vec<_>>());
}

fn numbered(directory: &Path, numbers: impl Iterator<Item = i32>) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    numbers.map(|n| (directory.join(n.to_string()), format!("{n}\n").into_bytes())).collect()
}

#[test]
fn file_input_stream_of_new_files_only_and_of_all() {
    for new_files_only in [true, false] {
        let directory = Directory::new();
        let driver = after(&directory.path().join("0"));
        let options = FileStreamOptions::default().filter(|_| true).existing(!new_files_only);
        let lines = driver.streaming().file_stream_with(directory.path(), TextFormat::default(), options);
        let lines = driver.collect(&lines);
        let steps = driver.start().unwrap();
        put_each(&steps, numbered(directory.path(), 1..=5));
        let mut expected = batches![["1"], ["2"], ["3"], ["4"], ["5"]];
        if !new_files_only {
            expected[0].insert(0, "0");
        }
        assert_eq!(lines.batches().into_iter().map(sorted).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn file_input_stream_of_a_wildcard() {
    let directory = Directory::new();
    let [one, two] = ["tmp1", "tmp2"].map(|name| directory.path().join(name));
    fs::create_dir_all(&one).unwrap();
    fs::create_dir_all(&two).unwrap();
    let driver = after(&directory.path().join("0"));
    let pattern = format!("{}/*/", directory.path().display());
    let lines = driver.collect(&driver.streaming().text_file_stream(pattern));
    let steps = driver.start().unwrap();
    put_each(&steps, numbered(&one, 1..=5).into_iter().chain(numbered(&two, 6..=10)));
    assert_eq!(lines.batches(), (1..=10).map(|n| vec![n.to_string()]).collect::<Vec<_>>());
}

#[test]
fn a_directory_that_is_moved_under_the_pattern_gives_its_new_files_only() {
    let directory = Directory::new();
    let [streaming, generated] = ["streaming", "generated"].map(|name| directory.path().join(name));
    fs::create_dir_all(&streaming).unwrap();
    let driver = after(&generated.join("subdir/existing"));
    let lines = driver.collect(&driver.streaming().text_file_stream(streaming.join("sub*")));
    let steps = driver.start().unwrap();
    step(&steps, 1);
    put(&generated.join("subdir/renamed.txt"), 15_000, "renamed\n");
    fs::rename(generated.join("subdir"), streaming.join("subdir")).unwrap();
    step(&steps, 1);
    assert_eq!(lines.batches(), batches![[], ["renamed"]]);
}

#[test]
fn multi_thread_receiver() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let (stream, feed) = fed_stream::<i32>(driver.streaming());
    let collected = driver.collect(&stream);
    let counts = driver.collect(&stream.count());
    let steps = driver.start().unwrap();
    let handle = feed.handle();
    std::thread::scope(|scope| {
        for thread in 1..=10 {
            let handle = handle.clone();
            scope.spawn(move || (1..=1000).for_each(|n| handle.store(thread * 1000 + n).unwrap()));
        }
    });
    assert_eq!(sorted(step_until(&steps, &collected, 10_000)), (1001..=11_000).collect::<Vec<_>>());
    assert_eq!(counts.batches().concat().into_iter().sum::<u64>(), 10_000);
}

#[test]
fn queue_input_stream() {
    for one_at_a_time in [true, false] {
        let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
        let queue = RddQueue::new();
        let lines =
            driver.collect(&driver.streaming().queue_stream_with(&queue, one_at_a_time, None).map(|n| n));
        let steps = driver.start().unwrap();
        let mut numbers = (1..=5).map(|n| n.to_string());
        // More than one come at once.
        let pushed = if one_at_a_time { vec![2, 2, 2, 2, 2] } else { vec![3, 5] };
        for n in pushed {
            for number in numbers.by_ref().take(n) {
                queue.push(steps.running.context().parallelize([number], 1));
            }
            step(&steps, 1);
        }
        let expected = if one_at_a_time {
            batches![["1"], ["2"], ["3"], ["4"], ["5"]]
        } else {
            batches![["1", "2", "3"], ["4", "5"]]
        };
        assert_eq!(lines.batches(), expected);
    }
}
