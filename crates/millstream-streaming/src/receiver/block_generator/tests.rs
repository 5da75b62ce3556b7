use std::sync::mpsc;

use super::*;
use crate::clock::ManualClock;

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
    let clock = ManualClock::new(10_000);
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let backlog = Backlog::new(1 << 30);
    let limiter = RateLimiter::new(Arc::clone(&shared), max_rate, None);
    let (push, pushed) = mpsc::channel();
    let wait = wait.map(Mutex::new);
    let sink: BlockSink = Arc::new(move |block: Arc<dyn Block>| {
        if let Some(wait) = &wait {
            wait.lock().unwrap().recv().ok();
        }
        push.send(block.into_any().downcast().unwrap()).unwrap();
    });
    let config = BlockGeneratorConfig { block_interval: INTERVAL, queue_size };
    let generator =
        BlockGenerator::start(StreamId(3), config, limiter, Arc::clone(&backlog), shared, sink).unwrap();
    Fixture { clock, generator: Arc::new(generator), backlog, pushed, stop: StopSignal::new() }
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

#[test]
fn a_rate_spreads_large_vectors_over_the_blocks() {
    let fixture = fixture(10, Some(1000), None);
    assert!(fixture.clock.wait_for_waiters(1, LONG));
    let (generator, stop) = (Arc::clone(&fixture.generator), fixture.stop.clone());
    let storing = thread::spawn(move || generator.add_many((0..1000).collect(), 8000, &stop));
    while !storing.is_finished() {
        // The timer and the thread that stores.
        if fixture.clock.wait_for_waiters(2, Duration::from_millis(1)) {
            fixture.clock.set_time(fixture.clock.next_awaited().unwrap());
        }
    }
    storing.join().unwrap().unwrap();
    let blocks = fixture.rest().into_iter();
    let sizes: Vec<_> = blocks.map(|(_, chunks)| chunks.iter().map(Vec::len).sum::<usize>()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 1000);
    assert!(sizes.len() >= 5 && sizes.iter().all(|size| *size <= 300), "{sizes:?}");
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
