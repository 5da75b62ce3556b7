//! Batches that are stored once, however often they are run.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use millstream_core::fs::{FileSystem, FileSystems, LocalFs, TextFormat, register};
use millstream_core::sink::{BatchPartition, ExactlyOnceSink, FileSink, Stored};
use millstream_core::{Conf, Context, Result, stream};

use crate::directory::Directory;
use crate::other_disk::OtherDisk;

fn read(directory: &Directory, names: &[&str]) -> Vec<Option<String>> {
    names.iter().map(|name| std::fs::read_to_string(directory.path("n-1000").join(name)).ok()).collect()
}

#[test]
fn a_batch_that_failed_half_way_is_completed_by_its_next_run() {
    let directory = Directory::new("exactly-once-completed");
    let context = Context::new(Conf::empty().set_master("local[1]")).unwrap();
    let sink = FileSink::new(directory.path(""), TextFormat::default()).unwrap();
    static BROKEN: AtomicBool = AtomicBool::new(true);
    let numbers = context.parallelize(0..5000, 2).map(|n| {
        // In the second chunk of the second partition.
        assert!(n != 4000 || !BROKEN.load(Ordering::Relaxed), "broken");
        n
    });
    let names = ["part-00000-of-00002", "part-00001-of-00002"];
    let error = numbers.save_exactly_once("n", 1000, sink.clone()).unwrap_err().to_string();
    assert!(error.contains("broken") && error.contains("map at"), "{error}");
    let first = read(&directory, &names);
    assert!(first[0].is_some() && first[1].is_none(), "a file of a part of a partition is there");

    BROKEN.store(false, Ordering::Relaxed);
    assert_eq!(numbers.save_exactly_once("n", 1000, sink.clone()).unwrap(), 1);
    let both: String = read(&directory, &names).into_iter().flatten().collect();
    assert_eq!(both, (0..5000).map(|n| format!("{n}\n")).collect::<String>());

    // What it would store now is something else: the first run counts.
    assert_eq!(numbers.map(|n| n + 1).save_exactly_once("n", 1000, sink.clone()).unwrap(), 0);
    assert_eq!(read(&directory, &names).into_iter().flatten().collect::<String>(), both);
    assert_eq!(numbers.save_exactly_once("n", 2000, sink.clone()).unwrap(), 2);
    assert_eq!(numbers.save_exactly_once("other", 1000, sink).unwrap(), 2);
}

#[test]
fn a_batch_that_is_spread_differently_when_it_is_run_again_is_refused() {
    let directory = Directory::new("exactly-once-spread");
    let context = Context::new(Conf::empty()).unwrap();
    let sink = FileSink::new(directory.path(""), TextFormat::default()).unwrap();
    context.parallelize(0..4, 2).save_exactly_once("n", 1000, sink.clone()).unwrap();
    let error = context.parallelize(0..4, 3).save_exactly_once("n", 1000, sink).unwrap_err().to_string();
    // Of whichever partition is tried first.
    assert!(
        error.contains(" of 3 of batch 1000 ms of output `n`") && error.contains("it had 2 partitions"),
        "{error}"
    );
    let names = ["part-00000-of-00003", "part-00001-of-00003", "part-00002-of-00003"];
    assert_eq!(read(&directory, &names), [None, None, None]);
}

#[test]
fn of_tasks_that_store_the_same_partition_at_once_one_does() {
    let directory = Directory::new("exactly-once-race");
    let path = directory.path("");
    let stored: usize = std::thread::scope(|scope| {
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let sink = FileSink::new(&path, TextFormat::default()).unwrap();
                scope.spawn(move || {
                    let context = Context::new(Conf::empty()).unwrap();
                    context.parallelize(0..1000, 2).save_exactly_once("n", 1000, sink).unwrap()
                })
            })
            .collect();
        tasks.into_iter().map(|task| task.join().unwrap()).sum()
    });
    assert_eq!(stored, 2);
    let hidden = std::fs::read_dir(path.join("n-1000")).unwrap().count();
    assert_eq!(hidden, 2, "what the others wrote is left behind");
}

/// How often directories of the other disk are listed.
static LISTS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn the_directory_of_a_batch_is_listed_for_the_batch_and_not_for_each_partition() {
    fn lists() {
        LISTS.fetch_add(1, Ordering::Relaxed);
    }
    register("listed", |_, _| Ok(Arc::new(OtherDisk { lists, create: |path| LocalFs.create(path) })));
    let directory = Directory::new("exactly-once-listed");
    let context = Context::new(Conf::empty().set_master("local[1]")).unwrap();
    let path = format!("listed://disk{}", directory.path("").display());
    let sink = || FileSink::new(&path, TextFormat::default()).unwrap();
    let lists = |partitions: usize, time, sink: &FileSink<TextFormat>| {
        let before = LISTS.load(Ordering::Relaxed);
        let stored =
            context.parallelize(0..100, partitions).save_exactly_once("n", time, sink.clone()).map_err(drop);
        (stored, LISTS.load(Ordering::Relaxed) - before)
    };
    let first = sink();
    assert_eq!(lists(8, 1000, &first), (Ok(8), 2), "before and after its first file");
    assert_eq!(lists(8, 2000, &first), (Ok(8), 2), "each batch is another");
    assert_eq!(lists(8, 1000, &first), (Ok(0), 0), "it is known how it is spread");
    assert_eq!(lists(8, 1000, &sink()), (Ok(0), 1), "a program that is started again finds files");
    // What is known of a number of partitions says nothing of another.
    let (stored, looked) = lists(7, 1000, &first);
    assert!(stored.is_err() && looked > 0, "{stored:?} {looked}");
}

#[test]
fn of_writers_that_spread_a_batch_differently_at_once_one_is_refused() {
    let directory = Directory::new("exactly-once-at-once");
    let path = directory.path("");
    let both_have_looked = Arc::new(Barrier::new(2));
    // The last partition of a batch each: there is no next one for which they would look again.
    let store = |partitions: usize| {
        let barrier = Arc::clone(&both_have_looked);
        let sink = FileSink::new(&path, TextFormat::default()).unwrap();
        let id = BatchPartition { output: "n".into(), time_ms: 1000, partition: partitions - 1, partitions };
        // Records are asked for when the writer has looked and found nothing.
        let mut records = vec![partitions as u64];
        let records = stream::from_fn(move || {
            let chunk = std::mem::take(&mut records);
            if chunk.is_empty() {
                return Ok(None);
            }
            barrier.wait();
            Ok(Some(chunk.into()))
        });
        sink.store(&id, records, &FileSystems::new(Conf::empty()))
    };
    let stored: Vec<Result<Stored>> = std::thread::scope(|scope| {
        let writers = [1, 2].map(|partitions| {
            let store = &store;
            scope.spawn(move || store(partitions))
        });
        writers.map(|writer| writer.join().unwrap()).into()
    });
    let refused: Vec<String> =
        stored.iter().filter_map(|stored| Some(stored.as_ref().err()?.to_string())).collect();
    assert!(!refused.is_empty(), "{stored:?}");
    assert!(
        refused.iter().all(|error| error.contains("a part of the batch was stored when it had")),
        "{refused:?}"
    );
}
