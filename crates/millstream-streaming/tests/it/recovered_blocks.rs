//! Blocks of before a restart: read by the tasks that need them, within the memory there is, with all that was said of them.

use std::path::Path;
use std::sync::{Arc, Mutex};

use millstream_core::{Conf, StorageLevel};
use millstream_streaming::testing::{Driver, Steps};
use millstream_streaming::{Receiver, ReceiverHandle};

use crate::fed::fed_stream;
use crate::receiver_storage::Told;
use crate::recovery::{Directory, SECOND, at};
use crate::recovery_of_receivers::with_log;

const BLOCKS: u64 = 200;
const RECORDS: u64 = 100;
/// The bytes of a record's text: a block has some forty thousand.
const TEXT: usize = 400;

fn block(number: u64) -> impl Iterator<Item = String> {
    (number * RECORDS..(number + 1) * RECORDS).map(|n| format!("{n:0TEXT$}"))
}

/// What became of a batch: how many partitions, and the records.
type Batches = Arc<Mutex<Vec<(usize, Vec<String>)>>>;

fn start(conf: Conf, directory: &Path, now: i64) -> (Steps, ReceiverHandle<String>, Batches) {
    let driver = Driver::at(conf, SECOND, at(now)).unwrap();
    let (lines, feed) = fed_stream::<String>(driver.streaming());
    let batches = Batches::default();
    let to = Arc::clone(&batches);
    lines.foreach_rdd(move |rdd| {
        to.lock().unwrap().push((rdd.num_partitions(), rdd.collect()?));
        Ok::<_, millstream_core::Error>(())
    });
    let steps = driver.get_or_create(directory).unwrap().start().unwrap();
    (steps, feed.handle(), batches)
}

#[test]
fn a_backlog_of_four_times_the_memory_is_recovered_and_nothing_is_dropped() {
    let directory = Directory::new();
    // Of which six tenths are for blocks.
    let conf = || with_log().set("spark.driver.memory", "3m");
    let (steps, handle, _) = start(conf(), &directory.0, 0);
    let budget = steps.running.context().memory().budget();
    assert!(BLOCKS as usize * RECORDS as usize * TEXT > 4 * budget, "{budget}");
    for number in 0..BLOCKS {
        handle.store_many(block(number)).unwrap();
    }
    assert!(steps.running.context().memory().most_used() <= budget);
    drop((steps, handle));

    let (steps, _handle, batches) = start(conf(), &directory.0, 100);
    // Nothing is read before a task needs it.
    assert_eq!(steps.running.context().memory().most_used(), 0);
    steps.step().unwrap();
    let batches = batches.lock().unwrap();
    let [(partitions, records)] = &batches[..] else { panic!("{} batches", batches.len()) };
    assert_eq!(*partitions, BLOCKS as usize);
    assert!(records.iter().eq(&(0..BLOCKS).flat_map(block).collect::<Vec<_>>()));
    let most = steps.running.context().memory().most_used();
    assert!(most > 0 && most <= budget, "{most} of {budget}");
}

/// The values of Spark's `WriteAheadLogBackedBlockRDDSuite`: five blocks of ten texts, some of which only the log has.
#[test]
fn blocks_that_only_the_log_has_and_blocks_of_this_run_make_a_batch() {
    for in_log in [0, 2, 5] {
        let data: Vec<Vec<String>> =
            (0..5).map(|block| (0..10).map(|n| format!("{block}-{n:048}")).collect()).collect();
        let directory = Directory::new();
        let (steps, handle, _) = start(with_log(), &directory.0, 0);
        data[..in_log].iter().for_each(|block| handle.store_many(block.clone()).unwrap());
        drop((steps, handle));
        let (steps, handle, batches) = start(with_log(), &directory.0, 100);
        data[in_log..].iter().for_each(|block| handle.store_many(block.clone()).unwrap());
        steps.step().unwrap();
        assert_eq!(*batches.lock().unwrap(), [(5, data.concat())], "{in_log} only in the log");
    }
}

#[test]
fn a_block_that_is_gone_is_an_error_of_its_task_that_names_the_file() {
    let directory = Directory::new();
    let (steps, handle, _) = start(with_log(), &directory.0, 0);
    handle.store_many(block(0)).unwrap();
    drop((steps, handle));
    let (steps, _handle, _) = start(with_log(), &directory.0, 100);
    std::fs::remove_dir_all(directory.0.join("receivedData")).unwrap();
    let error = steps.step().unwrap_err().to_string();
    assert!(error.contains("partition 0") && error.contains("receivedData/0/log-"), "{error}");
}

#[test]
fn what_a_receiver_said_of_its_blocks_is_told_after_a_restart() {
    let directory = Directory::new();
    let (steps, handle, _) = start(with_log(), &directory.0, 0);
    handle.store_many_with(block(0), "offsets 0 to 100").unwrap();
    handle.store_many_with(block(1), "offsets 100 to 200").unwrap();
    drop((steps, handle));
    let (steps, _handle, _) = start(with_log(), &directory.0, 100);
    let told = Arc::new(Told::default());
    steps.running.add_streaming_listener(Arc::clone(&told) as _).unwrap();
    steps.step().unwrap();
    steps.running.stop(true, true).unwrap();
    let expected = (2 * RECORDS, Some("offsets 0 to 100\noffsets 100 to 200".to_owned()));
    assert_eq!(told.0.lock().unwrap()[0], expected);
}

/// Hands out its handle, and has its blocks lie in memory only.
struct InMemory(std::sync::mpsc::Sender<ReceiverHandle<String>>);

impl Receiver<String> for InMemory {
    fn on_start(
        &self,
        handle: &ReceiverHandle<String>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.0.send(handle.clone())?)
    }

    fn storage_level(&self) -> StorageLevel {
        StorageLevel::MEMORY_ONLY
    }
}

#[test]
fn a_window_reads_a_recovered_block_once_if_memory_may_keep_it() {
    let directory = Directory::new();
    let start = |now| {
        let driver = Driver::at(with_log(), SECOND, at(now)).unwrap();
        let (sender, handles) = std::sync::mpsc::channel();
        let lines = driver.streaming().receiver_stream(InMemory(sender));
        let collected = driver.collect(&lines.window(3 * SECOND, None).count());
        let steps = driver.get_or_create(&directory.0).unwrap().start().unwrap();
        (steps, handles.recv().unwrap(), collected)
    };
    let (steps, handle, _) = start(0);
    handle.store_many(block(0)).unwrap();
    drop((steps, handle));
    let (steps, _handle, collected) = start(100);
    steps.step().unwrap();
    std::fs::remove_dir_all(directory.0.join("receivedData")).unwrap();
    steps.step().unwrap();
    assert_eq!(collected.batches(), [[RECORDS], [RECORDS]]);
}

#[test]
fn a_listener_that_is_given_to_the_context_that_is_returned_hears_of_its_batches() {
    let directory = Directory::new();
    for now in [0, 2100] {
        let driver = Driver::at(with_log(), SECOND, at(now)).unwrap();
        let (lines, _feed) = fed_stream::<String>(driver.streaming());
        lines.count().print();
        let driver = driver.get_or_create(&directory.0).unwrap();
        let told = Arc::new(Told::default());
        driver.streaming().add_streaming_listener(Arc::clone(&told) as _).unwrap();
        let steps = driver.start().unwrap();
        steps.step().unwrap();
        steps.step().unwrap();
        steps.running.stop(true, false).unwrap();
        assert_eq!(told.0.lock().unwrap().len(), 2, "from {now} on");
    }
}
