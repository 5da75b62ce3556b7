use std::sync::mpsc;

use millstream_core::StorageLevel;

use super::*;
use crate::clock::ManualClock;
use crate::receiver::ReceivedBlock;
use crate::receiver::block_store::{BlockStore, Content, Storage};
use crate::receiver::test_storage;

const LONG: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(200);

/// A block as the tests see it: its name and its chunks.
type Seen = (String, Vec<Vec<u64>>);

struct Fixture {
    clock: ManualClock,
    generator: Arc<BlockGenerator<u64>>,
    backlog: Arc<Backlog>,
    pushed: mpsc::Receiver<Arc<ReceivedBlock<u64>>>,
    stop: StopSignal,
}

fn fixture(queue_size: usize, max_rate: Option<u64>, wait: Option<mpsc::Receiver<()>>) -> Fixture {
    fixture_with(queue_size, max_rate, wait, 1 << 30, test_storage(StorageLevel::MEMORY_ONLY)).0
}

/// Makes a fixture of a storage; what the store reports comes through the channel.
fn fixture_with(
    queue_size: usize,
    max_rate: Option<u64>,
    wait: Option<mpsc::Receiver<()>>,
    max_backlog: usize,
    storage: Storage,
) -> (Fixture, mpsc::Receiver<String>) {
    let clock = ManualClock::new(10_000);
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let backlog = Backlog::new(max_backlog);
    let limiter = RateLimiter::new(Arc::clone(&shared), max_rate, None);
    let (push, pushed) = mpsc::channel();
    let wait = wait.map(Mutex::new);
    let sink: BlockSink = Arc::new(move |block: Result<Arc<dyn Block>>| {
        if let Some(wait) = &wait {
            wait.lock().unwrap().recv().ok();
        }
        push.send(block.unwrap().into_any().downcast().unwrap()).unwrap();
        Ok(())
    });
    let config = BlockGeneratorConfig { block_interval: INTERVAL, queue_size, store_timeout: LONG };
    let (report, reported) = mpsc::channel();
    let handler = Arc::new(BlockStore::new(StreamId(3), storage, None, move |message, error| {
        report.send(format!("{message}: {error}")).unwrap();
    }));
    let generator =
        BlockGenerator::start(StreamId(3), config, limiter, Arc::clone(&backlog), shared, handler, sink)
            .unwrap();
    (Fixture { clock, generator: Arc::new(generator), backlog, pushed, stop: StopSignal::new() }, reported)
}

impl Fixture {
    fn add(&self, records: impl IntoIterator<Item = u64>) {
        for record in records {
            self.generator.add(record, 8, &self.stop).unwrap();
        }
    }

    fn add_many(&self, records: impl IntoIterator<Item = u64>) {
        let records: Vec<_> = records.into_iter().collect();
        let bytes = 8 * records.len();
        self.generator.add_many(records, bytes, &self.stop).unwrap();
    }

    /// Moves the clock and waits until the timer has cut.
    fn tick(&self) {
        self.clock.advance(INTERVAL);
        assert!(self.clock.wait_for_waiters(1, LONG));
    }

    fn next(&self) -> Seen {
        seen(&self.pushed.recv_timeout(LONG).unwrap())
    }

    fn rest(self) -> Vec<Seen> {
        self.generator.stop();
        self.pushed.try_iter().map(|block| seen(&block)).collect()
    }
}

fn seen(block: &ReceivedBlock<u64>) -> Seen {
    (block.id().to_string(), block.chunks().iter().map(|chunk| chunk.to_vec()).collect())
}

fn block(number: i64, records: impl IntoIterator<Item = u64>) -> Seen {
    (format!("input-3-{number}"), vec![records.into_iter().collect()])
}

#[test]
fn each_interval_in_which_something_came_makes_a_block() {
    let fixture = fixture(10, None, None);
    assert!(fixture.clock.wait_for_waiters(1, LONG));
    fixture.add(0..10);
    fixture.tick();
    assert_eq!(fixture.next(), block(10_000, 0..10));
    fixture.tick();
    fixture.tick();
    fixture.add(10..12);
    fixture.add_many(12..14);
    fixture.tick();
    assert_eq!(fixture.next(), block(10_600, 10..14));
    assert_eq!(fixture.rest(), []);
}

#[test]
fn a_stop_pushes_everything_and_refuses_what_comes_later() {
    let fixture = fixture(10, None, None);
    fixture.add(0..1000);
    let generator = Arc::clone(&fixture.generator);
    assert_eq!(fixture.rest(), [block(10_000, 0..1000)]);
    generator.stop();
    let stop = StopSignal::new();
    let refused = generator.add(1, 8, &stop).unwrap_err();
    assert!(matches!(refused, Error::ReceiverStopped { stream: StreamId(3) }));
    assert!(refused.to_string().starts_with("stream 3: "), "{refused}");
    assert!(generator.add_many(vec![1], 8, &stop).is_err());
    assert!(generator.add_lines(TextLines::of_string("1\n".to_owned()), &stop).is_err());
    assert!(generator.store_block(Content::Records(vec![vec![1]]), 8, None, &stop).is_err());
    assert_eq!(generator.backlog(), 0);
}

#[test]
fn large_vectors_are_moved_and_small_ones_put_together() {
    let fixture = fixture(10, None, None);
    let large: Vec<u64> = (0..5000).collect();
    let address = large.as_ptr();
    fixture.generator.add_many(large, 40_000, &fixture.stop).unwrap();
    for small in 0..600 {
        fixture.add_many([small, small]);
    }
    fixture.add_many([]);
    assert_eq!(fixture.backlog.held(), 40_000 + 600 * 16);
    fixture.generator.stop();
    let block = fixture.pushed.recv().unwrap();
    assert_eq!(block.chunks()[0].as_ptr(), address);
    assert_eq!(block.chunks().iter().map(|chunk| chunk.len()).collect::<Vec<_>>(), [5000, 1024, 176]);
    assert_eq!(block.num_records(), 6200);
    drop(block);
    assert_eq!(fixture.backlog.held(), 0);
}

#[test]
fn an_allocation_does_not_wait_for_the_timer() {
    let fixture = fixture(10, None, None);
    fixture.add(0..3);
    fixture.generator.cut_till(Time::from_millis(10_199));
    assert!(fixture.pushed.try_recv().is_err());
    fixture.generator.cut_till(Time::from_millis(10_200));
    assert_eq!(seen(&fixture.pushed.try_recv().unwrap()), block(10_000, 0..3));
    // The timer finds that the block of its time is cut already.
    fixture.add(3..5);
    fixture.tick();
    assert!(fixture.pushed.try_recv().is_err());
    fixture.add(5..6);
    fixture.tick();
    assert_eq!(fixture.next(), block(10_200, 3..6));
    // A block that is left has a number of its own.
    fixture.add(6..7);
    assert_eq!(fixture.rest(), [block(10_400, 6..7)]);
}

#[test]
fn a_full_queue_holds_the_receiver_back() {
    let (go, wait) = mpsc::channel();
    let fixture = fixture(1, None, Some(wait));
    assert!(fixture.clock.wait_for_waiters(1, LONG));
    fixture.add([0]);
    fixture.tick();
    // The first block is being pushed, and does not return; the second fills the queue.
    while !fixture.generator.shared.state().queue.is_empty() {
        thread::yield_now();
    }
    fixture.add([1]);
    fixture.tick();
    let (generator, stop) = (Arc::clone(&fixture.generator), fixture.stop.clone());
    let (stored, is_stored) = mpsc::channel();
    let storing = thread::spawn(move || {
        generator.add(2, 8, &stop).unwrap();
        stored.send(()).unwrap();
        generator.add(3, 8, &stop).unwrap();
    });
    while fixture.backlog.held() < 24 {
        thread::yield_now();
    }
    // Nothing can be cut while the queue is full.
    fixture.tick();
    assert_eq!(fixture.generator.shared.state().queue.len(), 1);
    assert!(is_stored.try_recv().is_err());
    go.send(()).unwrap();
    assert_eq!(fixture.next(), block(10_000, [0]));
    is_stored.recv_timeout(LONG).unwrap();
    storing.join().unwrap();
    drop(go);
    assert_eq!(fixture.rest(), [block(10_200, [1]), block(10_400, [2, 3])]);
}

#[test]
fn a_stop_signal_ends_the_wait_and_keeps_the_record() {
    let (go, wait) = mpsc::channel();
    let fixture = fixture(1, None, Some(wait));
    assert!(fixture.clock.wait_for_waiters(1, LONG));
    for record in 0..2 {
        fixture.add([record]);
        fixture.tick();
        while record == 0 && !fixture.generator.shared.state().queue.is_empty() {
            thread::yield_now();
        }
    }
    let (generator, stop) = (Arc::clone(&fixture.generator), fixture.stop.clone());
    let storing = thread::spawn(move || generator.add(2, 8, &stop));
    while fixture.backlog.held() < 24 {
        thread::yield_now();
    }
    fixture.stop.stop();
    fixture.generator.wake();
    storing.join().unwrap().unwrap();
    drop(go);
    assert_eq!(fixture.rest(), [block(10_000, [0]), block(10_200, [1]), block(10_400, [2])]);
}

type Store = fn(&BlockGenerator<u64>, &StopSignal) -> Result<()>;

#[test]
fn a_rate_spreads_large_vectors_and_texts_over_the_blocks() {
    let store: [Store; 2] = [
        |generator, stop| generator.add_many((0..1000).collect(), 8000, stop),
        |generator, stop| generator.add_lines(TextLines::of_string("x\n".repeat(1000)), stop),
    ];
    for store in store {
        let fixture = fixture(10, Some(1000), None);
        assert!(fixture.clock.wait_for_waiters(1, LONG));
        let (generator, stop) = (Arc::clone(&fixture.generator), fixture.stop.clone());
        let storing = thread::spawn(move || store(&generator, &stop));
        while !storing.is_finished() {
            // The timer and the thread that stores.
            if fixture.clock.wait_for_waiters(2, Duration::from_millis(1)) {
                fixture.clock.set_time(fixture.clock.next_awaited().unwrap());
            }
        }
        storing.join().unwrap().unwrap();
        fixture.generator.stop();
        let sizes: Vec<_> = fixture.pushed.try_iter().map(|block| block.num_records()).collect();
        assert_eq!(sizes.iter().sum::<u64>(), 1000);
        assert!(sizes.len() >= 5 && sizes.iter().all(|size| *size <= 300), "{sizes:?}");
    }
}

/// The rate of Spark's ReceiverSuite, for two seconds.
#[test]
fn blocks_are_as_large_as_the_rate_says() {
    const RATE: u64 = 1001;
    let fixture = fixture(10, Some(RATE), None);
    assert!(fixture.clock.wait_for_waiters(1, LONG));
    let start = fixture.clock.now();
    let (generator, stop) = (Arc::clone(&fixture.generator), fixture.stop.clone());
    let storing = thread::spawn(move || (0..2 * RATE).try_for_each(|n| generator.add(n, 8, &stop)));
    while !storing.is_finished() {
        if fixture.clock.wait_for_waiters(2, Duration::from_millis(1)) {
            fixture.clock.set_time(fixture.clock.next_awaited().unwrap());
        }
    }
    storing.join().unwrap().unwrap();
    let took = fixture.clock.now() - start;
    assert!((1900..=2100).contains(&took.as_millis()), "{took:?}");
    let blocks: Vec<Vec<u64>> = fixture.rest().into_iter().map(|(_, chunks)| chunks.concat()).collect();
    assert_eq!(blocks.concat(), (0..2 * RATE).collect::<Vec<_>>());
    // The first and the last may have had less than an interval.
    let whole: Vec<usize> = blocks[1..blocks.len() - 1].iter().map(Vec::len).collect();
    assert!(whole.len() >= 7 && whole.iter().all(|records| (190..=210).contains(records)), "{whole:?}");
}

#[test]
fn several_threads_may_store_at_once() {
    let fixture = fixture(10, None, None);
    thread::scope(|scope| {
        for thread in 0..10 {
            let (generator, stop) = (&fixture.generator, &fixture.stop);
            scope.spawn(move || {
                (0..1000).for_each(|record| generator.add(thread * 1000 + record, 8, stop).unwrap());
            });
        }
    });
    let mut all: Vec<u64> = fixture.rest().into_iter().flat_map(|(_, chunks)| chunks.concat()).collect();
    all.sort_unstable();
    assert_eq!(all, (0..10_000).collect::<Vec<_>>());
}

/// A context whose scratch files lie in a directory of their own.
fn context(name: &str) -> (millstream_core::Context, std::path::PathBuf) {
    let directory = std::env::temp_dir().join(format!("blocks-{name}-{}", std::process::id()));
    let conf = millstream_core::Conf::empty().set_master("local[1]");
    let conf = conf.set("spark.local.dir", directory.to_string_lossy());
    (millstream_core::Context::new(conf).unwrap(), directory)
}

const KILO: usize = 1000;

#[test]
fn a_full_backlog_spills_if_the_level_has_disk_and_nobody_waits() {
    let (context, directory) = context("spill");
    let storage = Storage::of(&context, StorageLevel::MEMORY_AND_DISK_SER_2, false);
    let (fixture, _reported) = fixture_with(10, None, None, 100 * KILO, storage);
    // A hundred times the backlog, and no batch that processes any of it.
    for vector in 0..1250 {
        fixture.add_many(vector * 1000..(vector + 1) * 1000);
        assert!(fixture.backlog.held() <= 110 * KILO);
        if vector == 0 {
            // While there is room it stays in memory.
            fixture.generator.cut_till(fixture.clock.now() + INTERVAL);
        }
    }
    let (generator, backlog) = (Arc::clone(&fixture.generator), Arc::clone(&fixture.backlog));
    generator.stop();
    let blocks: Vec<_> = fixture.pushed.try_iter().collect();
    assert!(blocks[0].file().is_none() && blocks.iter().any(|block| block.file().is_some()));
    let all: Vec<u64> =
        blocks.iter().flat_map(|block| block.chunks()).flat_map(|chunk| chunk.to_vec()).collect();
    assert_eq!(all, (0..1_250_000).collect::<Vec<_>>());
    let files: Vec<_> = blocks.iter().filter_map(|block| block.file()).collect();
    assert!(files.iter().all(|file| file.exists()));
    drop(blocks);
    assert!(!files.iter().any(|file| file.exists()));
    assert_eq!((backlog.held(), context.memory().used()), (0, 0));
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_level_of_disk_alone_and_one_of_bytes_do_what_they_say() {
    let (context, directory) = context("levels");
    for (level, on_disk) in [(StorageLevel::DISK_ONLY, true), (StorageLevel::MEMORY_ONLY_SER, false)] {
        let (fixture, _reported) = fixture_with(10, None, None, 1 << 30, Storage::of(&context, level, false));
        fixture.add_many(0..1000);
        fixture.generator.stop();
        let block = fixture.pushed.recv_timeout(LONG).unwrap();
        assert_eq!(block.file().is_some(), on_disk);
        assert_eq!(*block.chunks()[0], (0..1000).collect::<Vec<_>>());
        // Small numbers become one or two bytes each.
        assert!(fixture.backlog.held() < 4000, "{level}: {} bytes", fixture.backlog.held());
    }
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_level_without_disk_holds_the_receiver_back() {
    let storage = test_storage(StorageLevel::MEMORY_ONLY);
    let (fixture, _reported) = fixture_with(10, None, None, 100 * KILO, storage);
    let (generator, stop) = (Arc::clone(&fixture.generator), fixture.stop.clone());
    let (stored, told) = mpsc::channel();
    let storing = thread::spawn(move || {
        for vector in 0..100 {
            generator.add_many((vector * 1000..(vector + 1) * 1000).collect(), 8 * KILO, &stop).unwrap();
            stored.send(vector).unwrap();
        }
    });
    let mut next = 0;
    let mut most = 0;
    while next < 100 * KILO as u64 {
        if let Ok(block) = fixture.pushed.recv_timeout(Duration::from_millis(1)) {
            most = most.max(fixture.backlog.held());
            for record in block.chunks().iter().flat_map(|chunk| chunk.to_vec()) {
                assert_eq!(record, next);
                next += 1;
            }
            block.processed();
        } else {
            fixture.clock.advance(INTERVAL);
        }
    }
    storing.join().unwrap();
    assert_eq!(told.iter().count(), 100);
    assert!(most < 110 * KILO, "{most}");
}

#[test]
fn a_disk_that_fails_is_told_once_and_the_receiver_waits_for_memory() {
    // Where a directory should be is a device.
    let conf = millstream_core::Conf::empty().set("spark.local.dir", "/dev/null/blocks");
    let context = millstream_core::Context::new(conf).unwrap();
    let storage = Storage::of(&context, StorageLevel::MEMORY_AND_DISK, false);
    let (fixture, reported) = fixture_with(10, None, None, 10 * KILO, storage);
    let (generator, stop) = (Arc::clone(&fixture.generator), fixture.stop.clone());
    let storing = thread::spawn(move || {
        for vector in 0..10 {
            generator.add_many((vector * 1000..(vector + 1) * 1000).collect(), 8 * KILO, &stop).unwrap();
        }
    });
    let first = reported.recv_timeout(LONG).unwrap();
    assert!(
        first.starts_with("A block can not go to disk; the receiver waits for memory instead: "),
        "{first}"
    );
    assert!(first.contains("spark.local.dir") && first.contains("/dev/null/blocks"), "{first}");
    let mut next = 0;
    while next < 10_000 {
        let Ok(block) = fixture.pushed.recv_timeout(Duration::from_millis(1)) else {
            fixture.clock.advance(INTERVAL);
            continue;
        };
        assert!(fixture.backlog.held() <= 20 * KILO && block.file().is_none());
        for record in block.chunks().iter().flat_map(|chunk| chunk.to_vec()) {
            assert_eq!(record, next);
            next += 1;
        }
        block.processed();
    }
    storing.join().unwrap();
    assert_eq!(reported.try_iter().count(), 0);
}

#[test]
fn others_who_need_memory_send_blocks_to_disk() {
    let (context, directory) = context("evicted");
    let storage = Storage::of(&context, StorageLevel::MEMORY_AND_DISK_SER_2, true);
    let (fixture, _reported) = fixture_with(10, None, None, 1 << 30, storage);
    fixture.add_many(0..1000);
    fixture.generator.stop();
    let block = fixture.pushed.recv_timeout(LONG).unwrap();
    assert!(block.file().is_none());
    let all = context.memory().budget();
    let claim = context.memory().take(all, millstream_core::storage::memory::Owner::Received);
    assert!(claim.is_some() && block.file().is_some());
    assert_eq!(*block.chunks()[0], (0..1000).collect::<Vec<_>>());
    assert_eq!(fixture.backlog.held(), 0);
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_full_memory_of_the_context_holds_back_a_receiver_without_disk() {
    let storage = test_storage(StorageLevel::MEMORY_ONLY);
    let memory = storage.memory.clone();
    let (fixture, _reported) = fixture_with(10, None, None, 1 << 30, storage);
    let mut claim = memory.take_none(millstream_core::storage::memory::Owner::Tasks);
    claim.force(memory.budget());
    // It lies in memory already, and is not dropped.
    fixture.add_many(0..10);
    fixture.generator.cut_till(fixture.clock.now() + INTERVAL);
    let (generator, stop) = (Arc::clone(&fixture.generator), fixture.stop.clone());
    let (began, has_begun) = mpsc::channel();
    let storing = thread::spawn(move || {
        began.send(()).unwrap();
        generator.add(10, 8, &stop).unwrap();
    });
    has_begun.recv_timeout(LONG).unwrap();
    thread::sleep(Duration::from_millis(30));
    assert!(!storing.is_finished(), "the store did not wait");
    drop(claim);
    let first = fixture.pushed.recv_timeout(LONG).unwrap();
    assert_eq!(first.num_records(), 10);
    drop(first);
    storing.join().unwrap();
}

#[test]
fn a_reliable_store_is_a_block_of_its_own_and_returns_when_it_is_stored() {
    let (go, wait) = mpsc::channel();
    let fixture = fixture(10, None, Some(wait));
    fixture.add(0..2);
    let (generator, stop) = (Arc::clone(&fixture.generator), fixture.stop.clone());
    let storing = thread::spawn(move || {
        let content = Content::Records(vec![vec![2, 3]]);
        generator.store_block(content, 16, Some("offset 3".into()), &stop)
    });
    // Its block waits behind the one of what came before.
    go.send(()).unwrap();
    assert_eq!(fixture.next().1, [[0, 1]]);
    assert!(!storing.is_finished());
    go.send(()).unwrap();
    let block = fixture.pushed.recv_timeout(LONG).unwrap();
    assert_eq!((seen(&block).1, block.metadata()), (vec![vec![2, 3]], Some("offset 3")));
    storing.join().unwrap().unwrap();
    fixture.add(4..5);
    drop(go);
    assert_eq!(fixture.rest().len(), 1);
}
