use std::error::Error as StdError;
use std::sync::mpsc::{self, Sender};
use std::thread;

use millstream_core::StorageLevel;

use super::*;
use crate::clock::ManualClock;
use crate::listener::StreamingListener;
use crate::receiver::{BlockGeneratorConfig, ReceiverHandle, test_storage};

const LONG: Duration = Duration::from_secs(60);
const BATCH: Duration = Duration::from_millis(1000);

type Handles = Sender<(StreamId, Box<dyn Fn(u64) + Send>)>;

/// Hands out a function that stores.
struct Remote(Mutex<Handles>);

impl Receiver<u64> for Remote {
    fn on_start(
        &self,
        handle: &ReceiverHandle<u64>,
    ) -> std::result::Result<(), Box<dyn StdError + Send + Sync>> {
        let own = handle.clone();
        let store = Box::new(move |record| own.store(record).unwrap());
        self.0.lock().unwrap().send((handle.stream_id(), store)).unwrap();
        Ok(())
    }
}

/// Strings to show that streams may differ in their types.
struct Hello;

impl Receiver<String> for Hello {
    fn on_start(
        &self,
        handle: &ReceiverHandle<String>,
    ) -> std::result::Result<(), Box<dyn StdError + Send + Sync>> {
        handle.store_each(vec!["hello".to_owned(), "world".to_owned()])?;
        handle.stop("that was all");
        Ok(())
    }
}

#[derive(Clone)]
struct Tell(Sender<(&'static str, ReceiverInfo)>);

impl StreamingListener for Tell {
    fn on_receiver_started(&self, receiver: &ReceiverInfo) {
        self.0.send(("started", receiver.clone())).unwrap();
    }
    fn on_receiver_error(&self, receiver: &ReceiverInfo) {
        self.0.send(("error", receiver.clone())).unwrap();
    }
    fn on_receiver_stopped(&self, receiver: &ReceiverInfo) {
        self.0.send(("stopped", receiver.clone())).unwrap();
    }
}

fn config() -> ReceiverConfig {
    ReceiverConfig {
        blocks: BlockGeneratorConfig { block_interval: BATCH / 5, queue_size: 10, store_timeout: LONG },
        max_rate: None,
        initial_rate: None,
        estimator: None,
        max_backlog: 1 << 20,
        storage: crate::receiver::test_storage(StorageLevel::MEMORY_ONLY),
        restart_delay: BATCH,
        stop_timeout: LONG,
    }
}

fn records(tracker: &ReceiverTracker, time: i64, stream: usize) -> Vec<u64> {
    let blocks = tracker
        .blocks_of_batch::<u64>(
            Time::from_millis(time),
            StreamId(stream),
            &test_storage(StorageLevel::MEMORY_ONLY),
        )
        .unwrap();
    blocks.iter().flat_map(|block| block.chunks()).flat_map(|chunk| chunk.to_vec()).collect()
}

#[test]
fn each_batch_has_what_was_stored_before_it() {
    let clock = ManualClock::new(0);
    let tracker = ReceiverTracker::new(Arc::new(clock.clone()), Arc::default());
    let (handles, handed) = mpsc::channel();
    for stream in 0..2 {
        tracker.register::<u64>(StreamId(stream), Arc::new(Remote(Mutex::new(handles.clone()))), config());
    }
    assert!(tracker.receivers().iter().all(|receiver| !receiver.active));
    tracker.start().unwrap();
    let mut stores: BTreeMap<_, _> = handed.iter().take(2).collect();
    for batch in 1..=50_i64 {
        for (stream, store) in &stores {
            (0..stream.0 as u64 + 1).for_each(|record| store(batch as u64 * 10 + record));
        }
        let time = clock.advance(BATCH);
        tracker.allocate_blocks_to_batch(time).unwrap();
        assert_eq!(records(&tracker, time.as_millis(), 0), [batch as u64 * 10]);
        assert_eq!(records(&tracker, time.as_millis(), 1), [batch as u64 * 10, batch as u64 * 10 + 1]);
        assert_eq!(tracker.num_records_of_batch(time, StreamId(1)), 2);
        assert!(!tracker.has_unallocated_received_blocks());
        assert_eq!(tracker.backlog(), 24);
        tracker.batch_processed(time);
        assert_eq!(tracker.backlog(), 0);
        tracker.clean_up_old_batches(time);
        assert_eq!(records(&tracker, (time - BATCH).as_millis(), 0), [0; 0]);
    }
    stores.remove(&StreamId(0));
    stores[&StreamId(1)](7);
    assert!(tracker.stop(|| LONG));
    assert!(tracker.has_unallocated_received_blocks());
    let time = clock.advance(BATCH);
    tracker.allocate_blocks_to_batch(time).unwrap();
    assert_eq!(records(&tracker, time.as_millis(), 1), [7]);
}

#[test]
fn listeners_and_the_tracker_know_how_receivers_are() {
    let clock = ManualClock::new(5_000);
    let bus = Arc::new(ListenerBus::new());
    let (tell, told) = mpsc::channel();
    bus.add(Arc::new(Tell(tell))).unwrap();
    let tracker = ReceiverTracker::new(Arc::new(clock.clone()), bus);
    tracker.register::<String>(StreamId(3), Arc::new(Hello), config());
    tracker.start().unwrap();
    let (what, info) = told.recv_timeout(LONG).unwrap();
    assert_eq!((what, info.name.as_str(), info.active), ("started", "Hello-3", true));
    let (what, info) = told.recv_timeout(LONG).unwrap();
    assert_eq!((what, info.active, info.last_error_message.as_str()), ("stopped", false, "that was all"));
    assert_eq!((info.last_error.as_str(), info.last_error_time), ("", None));
    assert_eq!(tracker.receivers(), [info]);
    let time = clock.advance(BATCH);
    tracker.allocate_blocks_to_batch(time).unwrap();
    let blocks = tracker
        .blocks_of_batch::<String>(time, StreamId(3), &test_storage(StorageLevel::MEMORY_ONLY))
        .unwrap();
    assert_eq!(*blocks[0].chunks()[0], ["hello", "world"]);
    assert_eq!(blocks.len(), 1);
    assert!(tracker.stop(|| LONG));
}

#[test]
fn a_receiver_that_fails_is_known_with_its_error_and_restarted() {
    struct Fails;
    impl Receiver<u64> for Fails {
        fn on_start(
            &self,
            _: &ReceiverHandle<u64>,
        ) -> std::result::Result<(), Box<dyn StdError + Send + Sync>> {
            Err("no such host".into())
        }
    }
    let clock = ManualClock::new(5_000);
    let bus = Arc::new(ListenerBus::new());
    let (tell, told) = mpsc::channel();
    bus.add(Arc::new(Tell(tell))).unwrap();
    let tracker = ReceiverTracker::new(Arc::new(clock.clone()), Arc::clone(&bus));
    tracker.register::<u64>(StreamId(0), Arc::new(Fails), config());
    tracker.start().unwrap();
    for start in 0..3 {
        assert_eq!(told.recv_timeout(LONG).unwrap().0, "started");
        let (what, info) = told.recv_timeout(LONG).unwrap();
        assert_eq!((what, info.active), ("error", true));
        assert_eq!(
            (info.last_error_message.as_str(), info.last_error.as_str()),
            ("Error receiving", "no such host")
        );
        assert_eq!(info.last_error_time, Some(Time::from_millis(5_000 + start * 1000)));
        let (what, info) = told.recv_timeout(LONG).unwrap();
        assert_eq!((what, info.active), ("stopped", false));
        // The block timer and the restart.
        assert!(clock.wait_for_waiters(2, LONG));
        clock.advance(BATCH);
    }
    assert!(tracker.stop(|| LONG));
    bus.stop();
}

#[test]
fn a_rate_holds_a_receiver_back() {
    let clock = ManualClock::new(0);
    let tracker = ReceiverTracker::new(Arc::new(clock.clone()), Arc::default());
    let (handles, handed) = mpsc::channel();
    let limited = ReceiverConfig { max_rate: Some(1000), initial_rate: Some(10), ..config() };
    tracker.register::<u64>(StreamId(0), Arc::new(Remote(Mutex::new(handles))), limited);
    tracker.start().unwrap();
    let (_, store) = handed.recv().unwrap();
    assert!(clock.wait_for_waiters(1, LONG));
    let storing = thread::spawn(move || (0..3).for_each(&store));
    // The second and the third record wait for 100 ms each.
    for _ in 0..2 {
        assert!(clock.wait_for_waiters(2, LONG));
        clock.advance(Duration::from_millis(100));
    }
    storing.join().unwrap();
    assert!(tracker.stop(|| LONG));
}

#[test]
fn rates_that_are_published_reach_the_receiver() {
    let bus = Arc::new(ListenerBus::new());
    let tracker = ReceiverTracker::new(Arc::new(ManualClock::new(0)), Arc::clone(&bus));
    let (handles, _handed) = mpsc::channel();
    let pid = PidRateEstimator::new(BATCH, 1.0, 0.0, 0.0, 50.0).unwrap();
    let config = ReceiverConfig { max_rate: Some(250), estimator: Some(pid), ..config() };
    tracker.register::<u64>(StreamId(0), Arc::new(Remote(Mutex::new(handles))), config);
    tracker.start().unwrap();
    let supervisor = Arc::clone(&lock(&tracker.supervisors)[0]);
    let limit = || supervisor.generator().limiter().current_limit();
    assert_eq!(limit(), Some(250));
    // Batches of one second of work; the first one only teaches how fast they are.
    for (batch, (records, rate)) in
        [(100, 250), (100, 100), (200, 200), (300, 250), (10, 50)].into_iter().enumerate()
    {
        let time = Time::from_millis(1000 * (batch as i64 + 1));
        let info = crate::listener::BatchInfo {
            submission_time: time,
            processing_start_time: Some(time),
            processing_end_time: Some(time + BATCH),
            stream_id_to_input_info: [(
                StreamId(0),
                crate::listener::StreamInputInfo::new(StreamId(0), records),
            )]
            .into(),
            ..Default::default()
        };
        let (seen, is_seen) = mpsc::channel();
        // Told after the controller, which came first.
        let last = bus.add(Arc::new(Seen(seen))).unwrap();
        bus.post(|| StreamingListenerEvent::BatchCompleted(info));
        is_seen.recv_timeout(LONG).unwrap();
        assert_eq!(limit(), Some(rate), "after batch {batch}");
        bus.remove(last);
    }
    // A second stop does nothing.
    assert!(tracker.stop(|| LONG) && tracker.stop(|| LONG));
    bus.stop();
}

/// Says when a batch was completed.
struct Seen(Sender<()>);

impl StreamingListener for Seen {
    fn on_batch_completed(&self, _: &crate::listener::BatchInfo) {
        self.0.send(()).unwrap();
    }
}

#[test]
fn without_receivers_there_is_nothing_to_keep() {
    let tracker = ReceiverTracker::new(Arc::new(ManualClock::new(0)), Arc::default());
    tracker.start().unwrap();
    tracker.allocate_blocks_to_batch(Time::from_millis(1)).unwrap();
    assert!(!tracker.has_unallocated_received_blocks());
    assert!(tracker.stop(|| Duration::ZERO));
}
