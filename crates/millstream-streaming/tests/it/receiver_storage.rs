//! Receivers that flood: what becomes of their blocks while the batches are slow.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use millstream_core::{Conf, StorageLevel};
use millstream_streaming::listener::{BatchInfo, ReceiverInfo, StreamingListener};
use millstream_streaming::testing::Driver;
use millstream_streaming::{Receiver, ReceiverHandle, StreamId, StreamingContext};

use crate::fed::{fed_stream, fed_stream_at};
use crate::file_streams::Directory;
use crate::saved_streams::{SmallDisk, may_mount};
use crate::tables::{LONG, SECOND, conf, millis, step};

const RECORDS: u64 = 200_000;

const BACKLOG: u64 = 256 * 1024;

/// Stores numbers one by one as fast as it can.
struct Flood {
    level: StorageLevel,
    stored: Arc<AtomicU64>,
}

impl Receiver<String> for Flood {
    fn on_start(&self, handle: &ReceiverHandle<String>) -> Result<(), Box<dyn Error + Send + Sync>> {
        for n in 0..RECORDS {
            handle.store(format!("{n:040}"))?;
            self.stored.fetch_add(1, Ordering::SeqCst);
        }
        handle.stop("that was all");
        Ok(())
    }

    fn storage_level(&self) -> StorageLevel {
        self.level
    }
}

/// Runs a flood against batches that wait until `open` returns; returns the directory of its scratch files.
fn flood(level: StorageLevel, open: impl FnOnce(&AtomicU64)) -> PathBuf {
    let directory = directory_of("flood", level);
    flood_into(&directory, level, |stored, _| open(stored));
    directory
}

fn directory_of(name: &str, level: StorageLevel) -> PathBuf {
    let name = format!("{name}-{level}-{}", std::process::id()).replace(['(', ')', ',', ' '], "");
    std::env::temp_dir().join(name)
}

fn conf_of(directory: &Path) -> Conf {
    conf("local[1]")
        .set("millstream.receiver.maxBacklog", BACKLOG.to_string())
        .set("spark.streaming.blockInterval", "10ms")
        .set("spark.local.dir", directory.to_string_lossy())
}

/// Runs a flood whose scratch files go to a directory; `open` is given what goes wrong with the receiver.
fn flood_into(
    directory: &Path,
    level: StorageLevel,
    open: impl FnOnce(&AtomicU64, &mpsc::Receiver<ReceiverInfo>),
) {
    run_flood(StreamingContext::new(conf_of(directory), millis(20)).unwrap(), level, open);
}

fn run_flood(
    streaming: StreamingContext,
    level: StorageLevel,
    open: impl FnOnce(&AtomicU64, &mpsc::Receiver<ReceiverInfo>),
) {
    let stored = Arc::new(AtomicU64::new(0));
    let (gate, opened) = mpsc::channel::<()>();
    let opened = Mutex::new(opened);
    let (batches, received) = mpsc::channel();
    streaming.receiver_stream(Flood { level, stored: Arc::clone(&stored) }).foreach_rdd(move |rdd| {
        // It is open once the other side is gone.
        let _ = opened.lock().unwrap().recv();
        batches.send(rdd.collect()?).map_err(millstream_core::Error::user)
    });
    let (errors, told) = mpsc::channel();
    streaming.add_streaming_listener(Arc::new(Errors(errors))).unwrap();
    let running = streaming.start().unwrap();
    open(&stored, &told);
    drop(gate);
    let mut next = 0;
    while next < RECORDS {
        for record in received.recv_timeout(LONG).unwrap() {
            assert_eq!(record, format!("{next:040}"));
            next += 1;
        }
    }
    running.stop(true, true).unwrap();
}

/// Tells what goes wrong with receivers.
struct Errors(mpsc::Sender<ReceiverInfo>);

impl StreamingListener for Errors {
    fn on_receiver_error(&self, receiver: &ReceiverInfo) {
        // Sent in vain where nobody asks.
        let _ = self.0.send(receiver.clone());
    }
}

fn wait_for_all(stored: &AtomicU64) {
    let start = std::time::Instant::now();
    while stored.load(Ordering::SeqCst) < RECORDS {
        assert!(start.elapsed() < LONG, "it is held back at {}", stored.load(Ordering::SeqCst));
        std::thread::sleep(millis(1));
    }
}

#[test]
fn with_disk_nobody_is_held_back_all_arrives_and_the_files_go() {
    for level in [StorageLevel::MEMORY_AND_DISK_SER_2, StorageLevel::MEMORY_AND_DISK, StorageLevel::DISK_ONLY]
    {
        // No batch is processed before all is stored, which is fifty times the backlog.
        let directory = flood(level, wait_for_all);
        assert!(directory.exists(), "nothing went to disk");
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0, "{directory:?}");
        std::fs::remove_dir(&directory).unwrap();
    }
}

#[test]
fn without_disk_the_receiver_is_held_back_and_all_arrives() {
    for level in [StorageLevel::MEMORY_ONLY, StorageLevel::MEMORY_ONLY_SER] {
        let directory = flood(level, |stored| {
            std::thread::sleep(millis(300));
            let stored = stored.load(Ordering::SeqCst);
            assert!(stored < RECORDS, "it was not held back");
            // As bytes they are much smaller, since they are all alike.
            assert!(level != StorageLevel::MEMORY_ONLY || stored * 40 <= BACKLOG + 64 * 1024, "{stored}");
        });
        assert!(!directory.exists());
    }
}

/// What has no room lies in the log, which has it already.
#[test]
fn with_a_log_nobody_is_held_back_without_disk_and_all_arrives() {
    let full_backlog = |conf: Conf| conf;
    let full_memory = |conf: Conf| {
        let conf = conf.set("millstream.receiver.maxBacklog", "1g");
        conf.set("spark.driver.memory", "512k").set("spark.memory.fraction", "1")
    };
    for (level, full) in [
        (StorageLevel::MEMORY_ONLY, full_backlog as fn(Conf) -> Conf),
        (StorageLevel::MEMORY_ONLY, full_memory),
        (StorageLevel::MEMORY_ONLY_SER, full_memory),
    ] {
        let (scratch, checkpoints) = (directory_of("no-scratch", level), Directory::new());
        let conf = full(conf_of(&scratch)).set("spark.streaming.receiver.writeAheadLog.enable", "true");
        let streaming = StreamingContext::new(conf, millis(20)).unwrap();
        streaming.checkpoint(checkpoints.path());
        run_flood(streaming, level, |stored, _| wait_for_all(stored));
        assert!(!scratch.exists(), "{level}");
    }
}

#[test]
fn a_full_disk_holds_the_receiver_back_and_nothing_is_lost() {
    if !may_mount() {
        return;
    }
    let disk = SmallDisk::new();
    let path = disk.path().to_owned();
    std::fs::write(path.join("filler"), vec![0; 900_000]).unwrap();
    flood_into(&path, StorageLevel::MEMORY_AND_DISK, |stored, errors| {
        let told = errors.recv_timeout(LONG).unwrap();
        assert!(told.last_error_message.contains("can not go to disk"), "{}", told.last_error_message);
        let names_it = told.last_error.contains(path.to_str().unwrap());
        assert!(names_it && told.last_error.contains("spark.local.dir"), "{}", told.last_error);
        assert!(stored.load(Ordering::SeqCst) < RECORDS, "it was not held back");
    });
    let left: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["filler"]);
}

#[test]
fn a_level_that_keeps_nothing_is_refused_at_the_start() {
    let streaming = StreamingContext::new(conf("local[1]"), SECOND).unwrap();
    streaming.receiver_stream(Flood { level: StorageLevel::NONE, stored: Arc::default() }).print();
    let error = streaming.start().map(drop).unwrap_err().to_string();
    assert!(error.contains("receiver_stream at") && error.contains("keeps nothing"), "{error}");
}

/// Keeps what was told of the blocks of each batch.
#[derive(Default)]
pub(crate) struct Told(pub(crate) Mutex<Vec<(u64, Option<String>)>>);

impl StreamingListener for Told {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        let input = &batch.stream_id_to_input_info[&StreamId(0)];
        let said = input.metadata_description().map(str::to_owned);
        self.0.lock().unwrap().push((input.num_records, said));
    }
}

#[test]
fn a_reliable_store_is_a_partition_and_its_metadata_is_told() {
    let driver = Driver::new(conf("local[1]"), SECOND).unwrap();
    let told = Arc::new(Told::default());
    driver.streaming().add_streaming_listener(Arc::clone(&told) as _).unwrap();
    let (stream, feed) = fed_stream::<u64>(driver.streaming());
    let partitions = driver.collect(&stream.glom());
    let steps = driver.start().unwrap();
    let handle = feed.handle();
    assert!(handle.is_started());
    handle.store(0).unwrap();
    handle.store_many([1, 2]).unwrap();
    handle.store_many_with(vec![3], "offsets 3 to 4").unwrap();
    handle.store_many((4..6).filter(|n| *n > 7)).unwrap();
    let bytes =
        millstream_core::fs::ObjectBytes::of(millstream_core::stream::from_vec(vec![4_u64, 5])).unwrap();
    handle.store_bytes_with(bytes.bytes().to_vec(), "offsets 4 to 6").unwrap();
    handle.store_bytes(bytes.bytes().to_vec()).unwrap();
    assert!(handle.store_bytes(b"no block".to_vec()).is_err());
    handle.store_each(vec![6]).unwrap();
    step(&steps, 1);
    steps.running.stop(true, true).unwrap();
    assert_eq!(partitions.batches()[0], [vec![0], vec![1, 2], vec![3], vec![4, 5], vec![4, 5], vec![6]]);
    assert_eq!(told.0.lock().unwrap()[0], (9, Some("offsets 3 to 4\noffsets 4 to 6".into())));
}

#[test]
fn records_count_as_the_bytes_they_are_said_to_take() {
    let conf = conf("local[1]").set("millstream.receiver.maxBacklog", "1000");
    let driver = Driver::new(conf, SECOND).unwrap();
    let (stream, feed) = fed_stream_at::<u64>(driver.streaming(), StorageLevel::MEMORY_ONLY);
    let numbers = driver.collect(&stream);
    let steps = driver.start().unwrap();
    let handle = feed.handle();
    // Small, and said to be so.
    for n in 0..20 {
        handle.store_each_with(vec![n], 1).unwrap();
    }
    // As small, and said to be larger than all there is room for.
    handle.store_each_with(vec![20, 21], 1001).unwrap();
    let waiting = std::thread::spawn(move || handle.store_each_with(vec![22], 1).unwrap());
    std::thread::sleep(millis(30));
    assert!(!waiting.is_finished(), "the receiver was not held back");
    step(&steps, 1);
    waiting.join().unwrap();
    step(&steps, 1);
    steps.running.stop(true, true).unwrap();
    assert_eq!(numbers.batches().concat(), (0..23).collect::<Vec<_>>());
}

#[test]
fn backpressure_slows_a_flood_down_to_what_batches_can_take() {
    let conf = conf("local[1]")
        .set("spark.streaming.backpressure.enabled", "true")
        .set("spark.streaming.backpressure.rateEstimator", "pid")
        .set("spark.streaming.backpressure.initialRate", "2000")
        .set("spark.streaming.backpressure.pid.minRate", "50")
        .set("spark.streaming.blockInterval", "20ms");
    let streaming = StreamingContext::new(conf, millis(100)).unwrap();
    let flood = Flood { level: StorageLevel::MEMORY_ONLY, stored: Arc::default() };
    let (counts, counted) = mpsc::channel();
    streaming.receiver_stream(flood).foreach_rdd(move |rdd| {
        // A millisecond a record: a hundred fit into a batch.
        let records = rdd.count()?;
        std::thread::sleep(millis(records));
        counts.send(records).map_err(millstream_core::Error::user)
    });
    let running = streaming.start().unwrap();
    let counts: Vec<u64> = counted.iter().take(30).collect();
    running.stop(true, false).unwrap();
    // A loaded machine makes the rates smaller, never larger; a batch that is cut late has what is lacking in the next one.
    let few = counts[20..].iter().filter(|records| **records <= 150).count();
    assert!(few > 5, "{counts:?}");
    assert!(counts[20..].iter().any(|records| *records > 0), "{counts:?}");
}
