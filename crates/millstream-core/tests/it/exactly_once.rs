//! Batches that are stored once, however often they are run.

use std::sync::atomic::{AtomicBool, Ordering};

use millstream_core::fs::TextFormat;
use millstream_core::sink::FileSink;
use millstream_core::{Conf, Context};

use crate::directory::Directory;

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
    assert!(
        error.contains("partition 0 of 3 of batch 1000 ms of output `n`")
            && error.contains("it had 2 partitions"),
        "{error}"
    );
    assert_eq!(read(&directory, &["part-00000-of-00003"]), [None]);
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
