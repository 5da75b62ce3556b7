use std::cell::RefCell;
use std::error::Error as StdError;
use std::io;
use std::thread::JoinHandle;

use millstream_core::StorageLevel;
use millstream_core::fs::ObjectBytes;
use millstream_core::stream::from_vec;

use super::*;
use crate::clock::ManualClock;
use crate::error::Result;
use crate::receiver::ReceivedBlock;

const LONG: Duration = Duration::from_secs(60);
const DELAY: Duration = Duration::from_millis(2000);

/// A thread that `on_stop` waits for.
type Started = std::result::Result<Option<JoinHandle<()>>, Box<dyn StdError + Send + Sync>>;
type OnStart = dyn Fn(usize, &ReceiverHandle<u64>) -> Started + Send + Sync;

/// A receiver made of a function that is told how often it was started before.
struct Fake {
    starts: AtomicUsize,
    stops: Arc<AtomicUsize>,
    thread: Mutex<Option<JoinHandle<()>>>,
    on_start: Box<OnStart>,
}

impl Fake {
    fn new(on_start: impl Fn(usize, &ReceiverHandle<u64>) -> Started + Send + Sync + 'static) -> Self {
        let starts = AtomicUsize::new(0);
        Fake { starts, stops: Arc::default(), thread: Mutex::default(), on_start: Box::new(on_start) }
    }
}

impl Receiver<u64> for Fake {
    fn on_start(
        &self,
        handle: &ReceiverHandle<u64>,
    ) -> std::result::Result<(), Box<dyn StdError + Send + Sync>> {
        // Held meanwhile, so that a stop finds the thread.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        *thread = (self.on_start)(self.starts.fetch_add(1, Ordering::SeqCst), handle)?;
        Ok(())
    }
    fn on_stop(&self) {
        self.stops.fetch_add(1, Ordering::SeqCst);
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            thread.join().ok();
        }
    }
}

#[derive(Debug, PartialEq)]
enum Told {
    Event(String),
    Block(Vec<u64>),
}

/// Tells a channel what a receiver reports.
struct Tell(Mutex<Sender<Told>>);

impl Tell {
    fn send(&self, event: String) {
        self.0.lock().unwrap().send(Told::Event(event)).unwrap();
    }
}

impl ReceiverEvents for Tell {
    fn receiver_started(&self, stream: StreamId) {
        self.send(format!("started {stream}"));
    }
    fn receiver_error(&self, _: StreamId, message: &str, error: &str) {
        self.send(format!("error {message}: {error}"));
    }
    fn receiver_stopped(&self, _: StreamId, message: &str, error: &str) {
        self.send(format!("stopped {message}: {error}"));
    }
    fn add_block(&self, stored: crate::error::Result<Arc<dyn Block>>) -> crate::error::Result<()> {
        let block = stored?.into_any().downcast::<ReceivedBlock<u64>>().unwrap();
        let records = block.chunks().iter().flat_map(|chunk| chunk.to_vec()).collect();
        self.0.lock().unwrap().send(Told::Block(records)).unwrap();
        Ok(())
    }
}

struct Fixture {
    clock: ManualClock,
    supervisor: Supervisor,
    told: mpsc::Receiver<Told>,
    records: RefCell<Vec<u64>>,
}

fn start(receiver: impl Receiver<u64>, max_backlog: usize, stop_timeout: Duration) -> Fixture {
    let clock = ManualClock::new(0);
    let (tell, told) = mpsc::channel();
    let config = ReceiverConfig {
        blocks: BlockGeneratorConfig {
            block_interval: Duration::from_millis(100),
            queue_size: 10,
            store_timeout: LONG,
        },
        max_rate: None,
        initial_rate: None,
        estimator: None,
        max_backlog,
        storage: crate::receiver::test_storage(StorageLevel::MEMORY_ONLY),
        restart_delay: DELAY,
        stop_timeout,
    };
    let events = Arc::new(Tell(Mutex::new(tell)));
    let supervisor =
        Supervisor::start(StreamId(0), Arc::new(receiver), config, Arc::new(clock.clone()), None, events)
            .unwrap();
    Fixture { clock, supervisor, told, records: RefCell::default() }
}

fn supervise(
    max_backlog: usize,
    on_start: impl Fn(usize, &ReceiverHandle<u64>) -> Started + Send + Sync + 'static,
) -> (Fixture, Arc<AtomicUsize>) {
    let receiver = Fake::new(on_start);
    let stops = Arc::clone(&receiver.stops);
    (start(receiver, max_backlog, LONG), stops)
}

impl Fixture {
    /// Takes the next event; the records of blocks are put aside.
    fn next(&self) -> String {
        loop {
            match self.told.recv_timeout(LONG).unwrap() {
                Told::Event(event) => return event,
                Told::Block(records) => self.records.borrow_mut().extend(records),
            }
        }
    }

    #[track_caller]
    fn expect(&self, expected: &[&str]) {
        for expected in expected {
            assert_eq!(self.next(), *expected);
        }
    }

    /// Waits until the block timer and the supervisor wait for the clock, and moves it on.
    fn advance(&self, by: Duration) {
        assert!(self.clock.wait_for_waiters(2, LONG));
        self.clock.advance(by);
    }

    fn stop(&self) {
        self.supervisor.request_stop();
        assert!(self.supervisor.wait_stopped(LONG));
    }
}

/// Loops as a receiver does that has nothing to receive.
fn until_stopped(handle: &ReceiverHandle<u64>) {
    while !handle.is_stopped() {
        thread::yield_now();
    }
}

#[test]
fn what_is_stored_until_the_receiver_has_stopped_is_handed_over() {
    let (stored, is_stored) = mpsc::channel();
    let stored = Mutex::new(stored);
    let (fixture, stops) = supervise(1 << 20, move |_, handle| {
        handle.store(1)?;
        handle.store_each(vec![2, 3])?;
        let (handle, stored) = (handle.clone(), stored.lock().unwrap().clone());
        Ok(Some(thread::spawn(move || {
            stored.send(()).unwrap();
            until_stopped(&handle);
            handle.store(4).unwrap();
        })))
    });
    fixture.expect(&["started 0"]);
    is_stored.recv_timeout(LONG).unwrap();
    fixture.stop();
    fixture.expect(&["stopped Stopped by driver: "]);
    assert_eq!(*fixture.records.borrow(), [1, 2, 3, 4]);
    assert_eq!(stops.load(Ordering::SeqCst), 1);
}

/// Spark's case of a receiver from its start to its end.
#[test]
fn the_life_of_a_receiver() {
    let (hand, handed) = mpsc::channel();
    let hand = Mutex::new(hand);
    let (fixture, stops) = supervise(1 << 20, move |_, handle| {
        let (own, hand) = (handle.clone(), hand.lock().unwrap().clone());
        Ok(Some(thread::spawn(move || {
            hand.send(own.clone()).unwrap();
            until_stopped(&own);
        })))
    });
    fixture.expect(&["started 0"]);
    let first = handed.recv_timeout(LONG).unwrap();
    assert!(first.is_started() && !first.is_stopped());
    assert!(!fixture.supervisor.wait_stopped(Duration::ZERO));
    first.store(1).unwrap();
    let bytes = ObjectBytes::of(from_vec(vec![2_u64, 3])).unwrap();
    first.store_bytes(bytes.bytes().to_vec()).unwrap();
    first.store_many(vec![4, 5]).unwrap();
    first.store_many((6..=9).filter(|n| n % 2 == 0)).unwrap();
    first.report_error("Error", &io::Error::other("an exception"));
    fixture.expect(&["error Error: an exception"]);
    assert_eq!(*fixture.records.borrow(), [1, 2, 3, 4, 5, 6, 8]);

    first.restart_with("restarting", None, Some(Duration::from_millis(100)));
    fixture.expect(&["stopped Restarting receiver with delay 100 ms: restarting: "]);
    assert!(first.is_stopped() && !first.is_started());
    assert_eq!(stops.load(Ordering::SeqCst), 1);
    fixture.advance(Duration::from_millis(100));
    fixture.expect(&["started 0"]);
    let second = handed.recv_timeout(LONG).unwrap();
    assert!(second.is_started() && !second.is_stopped() && first.is_stopped());

    second.stop("test");
    fixture.expect(&["stopped test: "]);
    // Its thread has ended: the stop has waited for it.
    assert!(second.is_stopped() && fixture.supervisor.wait_stopped(LONG));
    assert_eq!(stops.load(Ordering::SeqCst), 2);
}

/// Spark's case of an iterator that divides by zero.
#[test]
fn records_of_an_iterator_that_fails_are_not_stored() {
    let (fixture, _) = supervise(1 << 20, |start, handle| {
        if start == 0 {
            handle.store_many((-10_i64..=10).rev().map(|n| 10 / n).map(i64::unsigned_abs))?;
        }
        handle.stop("all was sent");
        Ok(None)
    });
    fixture.expect(&[
        "started 0",
        "error The receiver panicked: attempt to divide by zero",
        "stopped Restarting receiver with delay 2000 ms: The receiver panicked: attempt to divide by zero",
    ]);
    fixture.advance(DELAY);
    fixture.expect(&["started 0", "stopped all was sent: "]);
    assert_eq!(*fixture.records.borrow(), [0_u64; 0]);
}

#[test]
fn a_receiver_that_panics_is_restarted_and_loses_nothing() {
    let (fixture, stops) = supervise(1 << 20, |start, handle| {
        handle.store(start as u64)?;
        assert!(start > 1, "not yet");
        handle.stop("now it is well");
        Ok(None)
    });
    for _ in 0..2 {
        fixture.expect(&[
            "started 0",
            "error The receiver panicked: not yet",
            "stopped Restarting receiver with delay 2000 ms: The receiver panicked: not yet",
        ]);
        fixture.advance(DELAY);
    }
    fixture.expect(&["started 0", "stopped now it is well: "]);
    assert_eq!(*fixture.records.borrow(), [0, 1, 2]);
    assert_eq!(stops.load(Ordering::SeqCst), 3);
}

#[test]
fn an_error_of_the_start_is_reported_with_its_causes() {
    let (fixture, _) = supervise(1 << 20, |start, _| match start {
        0 => Err(Error::thread("x", io::Error::other("no more threads")).into()),
        _ => Ok(None),
    });
    let error = "can not start the thread `x`: no more threads; raise the limit of threads (`ulimit -u`): no more threads";
    fixture.expect(&[
        "started 0",
        &format!("error Error receiving: {error}"),
        &format!("stopped Restarting receiver with delay 2000 ms: Error receiving: {error}"),
    ]);
    fixture.advance(DELAY);
    fixture.expect(&["started 0"]);
    fixture.stop();
    fixture.expect(&["stopped Stopped by driver: "]);
}

#[test]
fn a_receiver_asks_for_its_restart_and_for_its_end() {
    let (fixture, _) = supervise(1 << 20, |start, handle| {
        if start == 0 {
            handle.report_error("a line was bad", &io::Error::other("no number"));
            handle.restart_with("again", Some(&io::Error::other("cut off")), Some(Duration::from_millis(30)));
            // What a start that is over asks for is not heard.
            handle.restart("again and again");
            assert!(handle.is_stopped());
        } else {
            handle.stop_with("all done", &io::Error::other("empty"));
        }
        Ok(None)
    });
    fixture.expect(&[
        "started 0",
        "error a line was bad: no number",
        "stopped Restarting receiver with delay 30 ms: again: cut off",
    ]);
    fixture.advance(Duration::from_millis(30));
    fixture.expect(&["started 0", "stopped all done: empty"]);
    assert!(fixture.supervisor.wait_stopped(LONG));
}

#[test]
fn a_panic_in_a_thread_of_the_receiver_restarts_it() {
    let (fixture, _) = supervise(1 << 20, |start, handle| {
        let handle = handle.clone();
        let thread = thread::Builder::new().name("reader".to_owned()).spawn(move || {
            assert!(start > 0, "in a thread {}", handle.stream_id());
            until_stopped(&handle);
        });
        Ok(Some(thread?))
    });
    fixture.expect(&[
        "started 0",
        "error A thread of the receiver panicked: the thread `reader` panicked",
        "stopped Restarting receiver with delay 2000 ms: A thread of the receiver panicked: the thread `reader` panicked",
    ]);
    fixture.advance(DELAY);
    fixture.expect(&["started 0"]);
    fixture.stop();
}

#[test]
fn a_stop_ends_the_wait_for_the_restart() {
    let (fixture, _) = supervise(1 << 20, |_, handle| {
        handle.restart("again");
        Ok(None)
    });
    fixture.expect(&["started 0", "stopped Restarting receiver with delay 2000 ms: again: "]);
    fixture.stop();
    assert_eq!(fixture.told.try_iter().collect::<Vec<_>>(), []);
}

#[test]
fn a_stop_ends_a_store_that_is_held_back_by_the_backlog() {
    let (fixture, _) = supervise(100, |_, handle| {
        for record in 0.. {
            handle.store_each(vec![record; 100])?;
        }
        Ok(None)
    });
    while fixture.supervisor.generator().backlog() < 800 {
        thread::yield_now();
    }
    fixture.stop();
    fixture.expect(&["started 0", "stopped Stopped by driver: "]);
    assert!(fixture.records.borrow().len() >= 100);
}

#[test]
fn a_receiver_that_does_not_end_is_refused_and_left_alone() {
    type Channels = (Sender<()>, mpsc::Receiver<()>, Sender<Result<()>>);
    struct Stuck(Mutex<Channels>);
    impl Receiver<u64> for Stuck {
        fn on_start(
            &self,
            handle: &ReceiverHandle<u64>,
        ) -> std::result::Result<(), Box<dyn StdError + Send + Sync>> {
            let (began, wait, refused) = &*self.0.lock().unwrap();
            began.send(()).unwrap();
            wait.recv().ok();
            refused.send(handle.store(1)).unwrap();
            Ok(())
        }
    }
    let (began, has_begun) = mpsc::channel();
    let (go, wait) = mpsc::channel();
    let (refused, was_refused) = mpsc::channel();
    let fixture = start(Stuck(Mutex::new((began, wait, refused))), 1 << 20, Duration::from_millis(1));
    has_begun.recv_timeout(LONG).unwrap();
    assert!(!fixture.supervisor.wait_stopped(Duration::ZERO));
    fixture.stop();
    drop(go);
    assert!(matches!(
        was_refused.recv_timeout(LONG),
        Ok(Err(Error::ReceiverStopped { stream: StreamId(0) }))
    ));
    fixture.expect(&["started 0", "stopped Stopped by driver: "]);
    assert_eq!(*fixture.records.borrow(), [0_u64; 0]);
}

/// Does in `on_stop` what a function says.
struct StopsBy<F>(F);

impl<F: Fn() + Send + Sync + 'static> Receiver<u64> for StopsBy<F> {
    fn on_start(
        &self,
        handle: &ReceiverHandle<u64>,
    ) -> std::result::Result<(), Box<dyn StdError + Send + Sync>> {
        handle.store(7)?;
        Ok(())
    }

    fn on_stop(&self) {
        (self.0)();
    }
}

#[test]
fn a_receiver_that_panics_when_it_is_stopped_is_told_and_loses_nothing() {
    let fixture = start(StopsBy(|| panic!("no way")), 1 << 20, LONG);
    fixture.expect(&["started 0"]);
    while fixture.supervisor.generator().backlog() == 0 {
        thread::yield_now();
    }
    fixture.stop();
    fixture.expect(&["error The receiver panicked when stopped: no way", "stopped Stopped by driver: "]);
    assert_eq!(*fixture.records.borrow(), [7]);
}

#[test]
fn a_receiver_whose_stop_never_ends_is_not_waited_for_longer_than_said() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let fixture = start(StopsBy(move || _ = wait.lock().unwrap().recv()), 1 << 20, LONG);
    fixture.expect(&["started 0"]);
    fixture.supervisor.request_stop();
    assert!(!fixture.supervisor.wait_stopped(Duration::from_millis(20)));
    drop(go);
    assert!(fixture.supervisor.wait_stopped(LONG));
    fixture.expect(&["stopped Stopped by driver: "]);
}
