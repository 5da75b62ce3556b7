//! The cases of Spark's `ReceivedBlockTrackerSuite` that have a log, and what is recovered beyond them.

use std::any::Any;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use millstream_core::fs::FsPath;
use millstream_core::{Conf, StorageLevel};

use super::*;
use crate::clock::ManualClock;
use crate::receiver::{Block, BlockId, test_storage};
use crate::recovery::block_log::{LogNumbers, OwnReceiver};
use crate::recovery::flawed_disk::FlawedDisk;

const STREAM: StreamId = StreamId(1);

/// A directory with logs, on a clock and a disk of the test's.
struct Logs {
    directory: PathBuf,
    clock: ManualClock,
    disk: Arc<FlawedDisk>,
    conf: Conf,
    next: AtomicU64,
}

/// A block of which only the log of metadata knows.
#[derive(Debug)]
struct Noted(LoggedBlock);

impl Block for Noted {
    fn id(&self) -> BlockId {
        self.0.id
    }

    fn num_records(&self) -> u64 {
        self.0.records
    }

    fn metadata(&self) -> Option<&str> {
        self.0.metadata.as_deref()
    }

    fn logged(&self) -> Option<&LoggedBlock> {
        Some(&self.0)
    }

    fn processed(&self) {}

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl Logs {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let unique = format!("tracker-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        Logs {
            directory: std::env::temp_dir().join(unique),
            clock: ManualClock::new(0),
            disk: FlawedDisk::new(),
            conf: Conf::empty().set("spark.streaming.driver.writeAheadLog.rollingIntervalSecs", "1"),
            next: AtomicU64::new(1),
        }
    }

    fn log_of(&self, generation: u64) -> Arc<BlockLog> {
        let receiver = OwnReceiver { stream: STREAM, ..OwnReceiver::default() };
        let numbers = LogNumbers::new(&[], &[("receiver".to_owned(), receiver)].into());
        let clock = Arc::new(self.clock.clone());
        let place = FsPath::from_path(&self.directory).unwrap();
        Arc::new(
            BlockLog::new(&self.conf, clock, Arc::clone(&self.disk) as _, place, generation, numbers)
                .unwrap(),
        )
    }

    fn log(&self) -> Arc<BlockLog> {
        self.log_of(1)
    }

    /// A tracker that goes on from what is logged, of which a checkpoint knows `last`.
    fn recovered_from(&self, last: Option<&LogPosition>) -> (ReceivedBlockTracker, Arc<BlockLog>) {
        let (tracker, log) = (ReceivedBlockTracker::default(), self.log());
        tracker.recover(Arc::clone(&log), last, Time::from_millis(0), |_| true).unwrap();
        (tracker, log)
    }

    fn recovered(&self) -> ReceivedBlockTracker {
        self.recovered_from(None).0
    }

    /// Makes some blocks, whose places are made up.
    fn blocks(&self, count: u64) -> Vec<LoggedBlock> {
        let block = |number: u64| LoggedBlock {
            id: BlockId { stream: STREAM, number: number as i64 },
            records: 10,
            metadata: None,
            at: LogPosition { segment: "log-0-60000".into(), offset: number * 100, length: 88 },
            time: self.now(),
        };
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        (first..first + count).map(block).collect()
    }

    fn add_blocks(&self, tracker: &ReceivedBlockTracker, count: u64) -> Vec<LoggedBlock> {
        let blocks = self.blocks(count);
        add_all(tracker, &blocks);
        blocks
    }

    fn now(&self) -> Time {
        use crate::clock::Clock;
        self.clock.now()
    }

    /// Moves the clock by twice the interval in which segments roll.
    fn increment_time(&self) -> Time {
        self.clock.advance(std::time::Duration::from_secs(2));
        self.now()
    }

    fn events(&self) -> Vec<BlockEvent> {
        let mut events = Vec::new();
        let log = self.log();
        // What was cleaned is not missed.
        log.replay(None, at(i64::MAX), |event| {
            events.push(event);
            Ok(())
        })
        .unwrap();
        events
    }

    fn segments(&self, under: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.directory.join(under));
        let mut paths: Vec<_> = entries.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
        // All begin at times of as many digits as matter here.
        paths.sort_by_key(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.split('-').nth(1).and_then(|begin| begin.parse::<i64>().ok())
        });
        paths
    }

    fn metadata(&self) -> Vec<PathBuf> {
        self.segments("receivedBlockMetadata")
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

fn add_all(tracker: &ReceivedBlockTracker, blocks: &[LoggedBlock]) {
    blocks.iter().for_each(|block| tracker.add_block(Ok(Arc::new(Noted(block.clone())))).unwrap());
}

fn logged<'a>(blocks: impl IntoIterator<Item = &'a Tracked>) -> Vec<LoggedBlock> {
    blocks.into_iter().map(|block| block.logged().unwrap().clone()).collect()
}

fn unallocated(tracker: &ReceivedBlockTracker) -> Vec<LoggedBlock> {
    logged(tracker.state().unallocated.values().flatten())
}

fn of_batch(tracker: &ReceivedBlockTracker, batch: Time) -> Vec<LoggedBlock> {
    logged(&tracker.tracked(batch, STREAM))
}

fn added(blocks: &[LoggedBlock]) -> Vec<BlockEvent> {
    blocks.iter().cloned().map(BlockEvent::Added).collect()
}

fn allocated(batch: Time, blocks: &[LoggedBlock]) -> BlockEvent {
    let places: Vec<_> = blocks.iter().map(|block| block.at.clone()).collect();
    BlockEvent::Allocated {
        batch,
        blocks: [(STREAM, places)].into_iter().filter(|(_, places)| !places.is_empty()).collect(),
    }
}

#[test]
fn nothing_is_logged_without_a_log() {
    assert!(!ReceivedBlockTracker::default().is_logged());
    assert!(Logs::new().recovered().is_logged());
}

#[test]
fn block_addition_and_allocation_with_many_blocks() {
    const BLOCKS: usize = 100_000;
    const THREADS: usize = 50;
    let logs = Logs::new();
    let (tracker, log) = logs.recovered_from(None);
    let blocks = logs.blocks(BLOCKS as u64);
    // As many receivers would, so that they share commits.
    thread::scope(|scope| {
        for blocks in blocks.chunks(BLOCKS / THREADS) {
            scope.spawn(|| add_all(&tracker, blocks));
        }
    });
    tracker.allocate_blocks_to_batch(at(1)).unwrap();
    assert!(unallocated(&tracker).is_empty() && !tracker.has_unallocated_received_blocks());
    let in_order = |mut blocks: Vec<LoggedBlock>| {
        blocks.sort_by_key(|block| block.id);
        blocks
    };
    let given = of_batch(&tracker, at(1));
    assert!(in_order(given.clone()) == blocks);
    let events = logs.events();
    assert_eq!(events.len(), BLOCKS + 1);
    assert!(events.last() == Some(&allocated(at(1), &given)));
    let came = events.into_iter().filter_map(|event| match event {
        BlockEvent::Added(block) => Some(block),
        BlockEvent::Allocated { .. } => None,
    });
    assert!(in_order(came.collect()) == blocks);
    assert_eq!(logs.metadata().len(), 1);
    let recovered = logs.recovered_from(log.last_position().as_ref()).0;
    assert!(of_batch(&recovered, at(1)) == given && !recovered.has_unallocated_received_blocks());
}

#[test]
fn recovery_removes_only_allocated_blocks_from_those_that_were_received() {
    let logs = Logs::new();
    let (first, second) = (logs.blocks(5), logs.blocks(5));
    let log = logs.log();
    for block in first.iter().chain(&second) {
        log.add(block.clone()).unwrap();
    }
    // Written twice, since the first time seemed to have failed.
    log.add(first[2].clone()).unwrap();
    log.add(second[2].clone()).unwrap();
    let BlockEvent::Allocated { batch, blocks } = allocated(at(0), &first) else { unreachable!() };
    log.allocate(batch, blocks.clone()).unwrap();
    log.allocate(batch, blocks).unwrap();
    log.add(second[3].clone()).unwrap();
    // Again and again, and by several at the same time.
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let tracker = logs.recovered();
                assert_eq!(of_batch(&tracker, at(0)), first);
                assert_eq!(unallocated(&tracker), second);
            });
        }
    });
    assert_eq!(logs.events().len(), 15);
}

#[test]
fn an_allocation_that_can_not_be_logged_loses_no_blocks() {
    let mut logs = Logs::new();
    logs.conf = logs.conf.clone().set("spark.streaming.driver.writeAheadLog.closeFileAfterWrite", "true");
    let tracker = logs.recovered();
    let blocks = logs.add_blocks(&tracker, 5);
    assert_eq!(unallocated(&tracker), blocks);

    logs.disk.refuse_to_create(|path| path.contains("receivedBlockMetadata"));
    let error = tracker.allocate_blocks_to_batch(at(1)).unwrap_err().to_string();
    assert!(error.contains("the disk refuses"), "{error}");
    assert_eq!(unallocated(&tracker), blocks);
    assert_eq!(of_batch(&tracker, at(1)), []);

    logs.disk.refuse_to_create(|_| false);
    let more = logs.add_blocks(&tracker, 2);
    tracker.allocate_blocks_to_batch(at(2)).unwrap();
    assert!(!tracker.has_unallocated_received_blocks());
    let all = [blocks, more].concat();
    assert_eq!((of_batch(&tracker, at(1)), of_batch(&tracker, at(2))), (vec![], all.clone()));

    let recovered = logs.recovered();
    assert!(!recovered.has_unallocated_received_blocks());
    assert_eq!((of_batch(&recovered, at(1)), of_batch(&recovered, at(2))), (vec![], all));
}

#[test]
fn recovery_and_cleanup() {
    let logs = Logs::new();
    let tracker = logs.recovered();
    let first = logs.add_blocks(&tracker, 5);
    assert_eq!(unallocated(&tracker), first);
    assert_eq!(logs.events(), added(&first));
    assert_eq!(logs.metadata().len(), 1);
    logs.increment_time();

    // One that begins anew has nothing of it.
    let anew = ReceivedBlockTracker::default();
    anew.recover(logs.log_of(2), None, at(0), |_| true).unwrap();
    assert!(unallocated(&anew).is_empty() && !anew.has_unallocated_received_blocks());

    let tracker = logs.recovered();
    assert_eq!(unallocated(&tracker), first);
    assert!(tracker.state().unallocated.values().flatten().all(|block| matches!(block, Tracked::Logged(_))));
    let batch_1 = logs.now();
    tracker.allocate_blocks_to_batch(batch_1).unwrap();
    assert_eq!(of_batch(&tracker, batch_1), first);
    let batch_2 = logs.increment_time();
    let second = logs.add_blocks(&tracker, 5);
    tracker.allocate_blocks_to_batch(batch_2).unwrap();
    assert_eq!(of_batch(&tracker, batch_2), second);
    let mut expected = added(&first);
    expected.push(allocated(batch_1, &first));
    expected.extend(added(&second));
    expected.push(allocated(batch_2, &second));
    assert_eq!(logs.events(), expected);

    logs.increment_time();
    let tracker = logs.recovered();
    assert_eq!((of_batch(&tracker, batch_1), of_batch(&tracker, batch_2)), (first, second.clone()));
    assert!(unallocated(&tracker).is_empty());
    let oldest = logs.metadata().remove(0);
    logs.increment_time();
    tracker.clean_up_old_batches(batch_2);
    tracker.clean_log(batch_2);
    assert_eq!(of_batch(&tracker, batch_1), []);
    assert!(!logs.metadata().contains(&oldest));

    logs.increment_time();
    let tracker = ReceivedBlockTracker::default();
    tracker.recover(logs.log(), None, batch_2, |_| true).unwrap();
    assert!(unallocated(&tracker).is_empty());
    assert_eq!((of_batch(&tracker, batch_1), of_batch(&tracker, batch_2)), (vec![], second));
}

#[test]
fn segments_that_could_not_be_deleted_change_nothing() {
    let logs = Logs::new();
    let tracker = logs.recovered();
    let mut batches = Vec::new();
    for blocks in [0, 1, 2] {
        let blocks = logs.add_blocks(&tracker, blocks);
        tracker.allocate_blocks_to_batch(logs.now()).unwrap();
        batches.push((logs.now(), blocks));
        logs.increment_time();
    }
    let waiting = logs.add_blocks(&tracker, 2);
    let segments = logs.metadata();
    assert_eq!(segments.len(), 4);
    let copies: Vec<_> = segments.iter().map(|path| std::fs::read(path).unwrap()).collect();
    // The first can not be deleted: the others are.
    let first = segments[0].to_str().unwrap().to_owned();
    logs.disk.refuse_to_delete(move |path| path == first);
    let needed_from = batches[2].0;
    tracker.clean_log(needed_from);
    assert_eq!(logs.metadata(), [0, 2, 3].map(|n| segments[n].clone()));
    let check = |left: &[usize]| {
        for (n, path) in segments.iter().enumerate() {
            if left.contains(&n) {
                std::fs::write(path, &copies[n]).unwrap();
            } else {
                let _ = std::fs::remove_file(path);
            }
        }
        let tracker = ReceivedBlockTracker::default();
        tracker.recover(logs.log(), None, needed_from, |_| true).unwrap();
        assert_eq!(unallocated(&tracker), waiting, "{left:?}");
        assert_eq!(of_batch(&tracker, batches[2].0), batches[2].1, "{left:?}");
        let of_first = if left.contains(&1) { batches[1].1.clone() } else { Vec::new() };
        assert_eq!(of_batch(&tracker, batches[1].0), of_first, "{left:?}");
        assert_eq!(of_batch(&tracker, batches[0].0), [], "{left:?}");
    };
    for left in [&[2, 3][..], &[0, 2, 3], &[1, 2, 3], &[0, 1, 2, 3]] {
        check(left);
    }
}

/// Stores blocks with their records, as a receiver does; returns them with what was stored.
fn store(
    logs: &Logs,
    tracker: &ReceivedBlockTracker,
    log: &BlockLog,
    count: u64,
) -> Vec<(LoggedBlock, Vec<u8>)> {
    let first = logs.next.fetch_add(count, Ordering::Relaxed);
    let store = |number: u64| {
        let id = BlockId { stream: STREAM, number: number as i64 };
        let (metadata, bytes) = (Some(format!("offset {number}")), vec![7; 20 + number as usize]);
        let block = log.store(id, number, metadata, Arc::new(bytes.clone())).unwrap();
        add_all(tracker, std::slice::from_ref(&block));
        (block, bytes)
    };
    (first..first + count).map(store).collect()
}

fn only_blocks(stored: &[(LoggedBlock, Vec<u8>)]) -> Vec<LoggedBlock> {
    stored.iter().map(|(block, _)| block.clone()).collect()
}

#[test]
fn blocks_of_which_the_end_of_the_log_of_metadata_told_are_found_among_their_records() {
    let logs = Logs::new();
    let (tracker, log) = logs.recovered_from(None);
    let first = store(&logs, &tracker, &log, 2);
    tracker.allocate_blocks_to_batch(at(1000)).unwrap();
    let last = log.last_position();
    logs.clock.advance(std::time::Duration::from_millis(500));
    let second = store(&logs, &tracker, &log, 3);
    let path = logs.metadata().remove(0);
    let whole = std::fs::read(&path).unwrap();
    let end = last.as_ref().map(|last| last.offset as usize + 12 + last.length as usize).unwrap();
    let mut shapes = vec![whole.clone()];
    for at in end..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 4;
        shapes.extend([whole[..at].to_vec(), flipped, [&whole[..at], &[0; 700][..]].concat()]);
    }
    let segment_of_data = logs.segments("receivedData/1");
    for bytes in &shapes {
        for left in logs.metadata() {
            std::fs::remove_file(left).unwrap();
        }
        std::fs::write(&path, bytes).unwrap();
        let (tracker, log) = logs.recovered_from(last.as_ref());
        assert_eq!(of_batch(&tracker, at(1000)), only_blocks(&first));
        // In what order they came does not get lost either.
        assert_eq!(unallocated(&tracker), only_blocks(&second));
        for (block, bytes) in first.iter().chain(&second) {
            assert_eq!(log.read(block).unwrap(), *bytes);
        }
        // What was found is logged once more, so that the batch that has it keeps it.
        tracker.allocate_blocks_to_batch(at(2000)).unwrap();
        let (tracker, _) = logs.recovered_from(log.last_position().as_ref());
        assert_eq!(of_batch(&tracker, at(2000)), only_blocks(&second));
        assert!(!tracker.has_unallocated_received_blocks());
    }
    assert_eq!(logs.segments("receivedData/1"), segment_of_data);
    // What a checkpoint relies on is not passed over.
    let mut cut = whole.clone();
    cut.truncate(end - 1);
    let mut flipped = whole;
    flipped[end - 1] ^= 4;
    for bytes in [cut, flipped] {
        for left in logs.metadata() {
            std::fs::remove_file(left).unwrap();
        }
        std::fs::write(&path, bytes).unwrap();
        let tracker = ReceivedBlockTracker::default();
        tracker.recover(logs.log(), last.as_ref(), at(0), |_| true).unwrap_err();
    }
}

#[test]
fn a_block_whose_receiver_was_not_told_that_it_is_there_is_found_and_read() {
    let logs = Logs::new();
    let (tracker, log) = logs.recovered_from(None);
    let id = BlockId { stream: STREAM, number: 7 };
    let stored = log.store(id, 3, None, Arc::new(b"\x02to be\nor\nnot\n".to_vec())).unwrap();
    assert!(!tracker.has_unallocated_received_blocks());
    let tracker = logs.recovered();
    assert_eq!(unallocated(&tracker), [stored]);
    tracker.allocate_blocks_to_batch(at(1000)).unwrap();
    let storage = test_storage(StorageLevel::MEMORY_ONLY);
    let blocks = tracker.blocks_of_batch::<String>(at(1000), STREAM, &storage).unwrap();
    assert_eq!(blocks[0].num_records(), 3);
    assert_eq!(tracker.num_records_of_batch(at(1000), STREAM), 3);
}

#[test]
fn blocks_whose_events_were_cleaned_are_not_found_again() {
    let logs = Logs::new();
    let (tracker, log) = logs.recovered_from(None);
    // The segments of records are as long as a minute: all are in the first.
    for second in 1..=5 {
        store(&logs, &tracker, &log, 2);
        tracker.allocate_blocks_to_batch(at(second * 2000)).unwrap();
        logs.increment_time();
    }
    let waiting = store(&logs, &tracker, &log, 2);
    tracker.clean_log(at(10_000));
    assert_eq!((logs.metadata().len(), logs.segments("receivedData/1").len()), (2, 1));
    let last = log.last_position();
    let recover = || {
        let tracker = ReceivedBlockTracker::default();
        tracker.recover(logs.log(), last.as_ref(), at(10_000), |_| true).unwrap();
        unallocated(&tracker)
    };
    assert_eq!(recover(), only_blocks(&waiting));
    // Nor what was written again in another segment, since the first time seemed to have failed.
    let data = logs.segments("receivedData/1").remove(0);
    std::fs::copy(&data, data.with_file_name("log-1-60001")).unwrap();
    assert_eq!(recover(), only_blocks(&waiting));
}
