//! Stopping: gracefully, at once, from anywhere.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::Instant;

use millstream_core::Error as CoreError;
use millstream_streaming::listener::{BatchInfo, StreamingListener};
use millstream_streaming::testing::{Driver, batches};
use millstream_streaming::{
    Error, Receiver, ReceiverHandle, StopHandle, StreamingContext, StreamingContextState, Time,
};

use crate::fed::fed_stream;
use crate::server::{HOST, Server};
use crate::stops_that_are_cut_short::stop;
use crate::tables::{LONG, SECOND, conf, millis, seconds};

pub(crate) fn streaming(interval: u64) -> StreamingContext {
    // So that a loaded machine loses nothing.
    let conf = conf("local[2]").set("spark.streaming.gracefulStopTimeout", "10min");
    StreamingContext::new(conf, millis(interval)).unwrap()
}

/// Where a closure finds the handle of the streams it is part of.
pub(crate) type Handle = Arc<OnceLock<StopHandle>>;

pub(crate) fn wait_for(handle: &Handle) -> &StopHandle {
    let start = Instant::now();
    while handle.get().is_none() && start.elapsed() < LONG {
        std::thread::yield_now();
    }
    handle.get().expect("the handle was not set")
}

#[test]
fn a_graceful_stop_completes_all_that_was_stored() {
    for interval in [1, 10, 100] {
        let streaming = streaming(interval);
        let (stream, feed) = fed_stream::<u64>(&streaming);
        let counted = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&counted);
        stream.map(|n| ((), n)).reduce_by_key(|a, b| a + b).foreach_rdd(move |rdd| {
            let sum: u64 = rdd.collect()?.into_iter().map(|((), sum)| sum).sum();
            count.fetch_add(sum, Ordering::Relaxed);
            Ok::<_, CoreError>(())
        });
        let running = streaming.start().unwrap();
        let handle = feed.handle();
        let stored = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|thread| {
                    let handle = handle.clone();
                    // As much as is accepted, until the stop refuses.
                    scope.spawn(move || {
                        let mut stored = 0;
                        loop {
                            let accepted = if thread == 0 {
                                handle.store(1).map(|()| 1)
                            } else {
                                handle.store_each(vec![1; 100]).map(|()| 100)
                            };
                            match accepted {
                                Ok(records) => stored += records,
                                Err(Error::ReceiverStopped { .. }) => return stored,
                                Err(other) => panic!("{other}"),
                            }
                        }
                    })
                })
                .collect();
            // Some batches first.
            while counted.load(Ordering::Relaxed) == 0 {
                std::thread::yield_now();
            }
            running.stop(true, true).unwrap();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
        });
        assert_eq!(counted.load(Ordering::Relaxed), stored, "{interval} ms");
        running.await_termination().unwrap();
    }
}

struct Submitted(Mutex<mpsc::Sender<()>>);

impl StreamingListener for Submitted {
    fn on_batch_submitted(&self, _: &BatchInfo) {
        // Sent in vain once the test has seen enough.
        let _ = self.0.lock().unwrap().send(());
    }
}

#[test]
fn a_graceful_stop_completes_batches_that_wait_behind_a_slow_one() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let (stream, feed) = fed_stream::<i32>(driver.streaming());
    let (go_on, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let (batches, received) = mpsc::channel();
    stream.foreach_rdd(move |rdd| {
        may_go.lock().unwrap().recv_timeout(LONG).map_err(CoreError::user)?;
        batches.send(rdd.collect()?).map_err(CoreError::user)
    });
    let (submit, submitted) = mpsc::channel();
    driver.streaming().add_streaming_listener(Arc::new(Submitted(Mutex::new(submit)))).unwrap();
    let steps = driver.start().unwrap();
    let handle = feed.handle();
    for n in 1..=5 {
        handle.store(n).unwrap();
        steps.clock.advance(SECOND);
        // What is stored before a batch has been given its blocks would be in it, be its time past.
        submitted.recv_timeout(LONG).unwrap();
    }
    let stopping = steps.running.stop_handle();
    let stopping = std::thread::spawn(move || stopping.stop(true, true));
    // What no batch has had yet.
    let mut last = 0;
    while handle.store(6).is_ok() {
        last += 1;
    }
    go_on_until_stopped(&steps.clock, stopping, &go_on);
    let all: Vec<i32> = received.iter().flatten().collect();
    assert_eq!(all[..5], [1, 2, 3, 4, 5]);
    assert_eq!(all[5..], vec![6; last]);
}

/// Moves the clock on and lets outputs run until the stop is done.
fn go_on_until_stopped(
    clock: &millstream_streaming::clock::ManualClock,
    stopping: std::thread::JoinHandle<millstream_streaming::Result<()>>,
    go_on: &mpsc::Sender<()>,
) {
    while !stopping.is_finished() {
        clock.advance(SECOND);
        // Refused once the streams, and with them the output, are gone.
        let _ = go_on.send(());
        std::thread::sleep(millis(1));
    }
    stopping.join().unwrap().unwrap();
}

#[test]
fn words_sent_through_a_socket_are_words_counted() {
    let server = Server::start();
    let streaming = streaming(20);
    let counted = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&counted);
    streaming.socket_text_stream(HOST, server.port()).map_ref(|line| line.split(' ').count()).foreach_rdd(
        move |rdd| {
            count.fetch_add(rdd.collect()?.into_iter().sum::<usize>() as u64, Ordering::Relaxed);
            Ok::<_, CoreError>(())
        },
    );
    let running = streaming.start().unwrap();
    let mut connection = server.accept();
    for _ in 0..1000 {
        connection.send(&"every word of every line counts\n".repeat(100));
    }
    connection.finish();
    running.stop(true, true).unwrap();
    assert_eq!(counted.load(Ordering::Relaxed), 1000 * 100 * 6);
}

#[test]
fn a_stop_at_once_does_not_wait_for_a_server_that_never_sends_or_never_accepts_or_sends_for_ever() {
    let (silent, refusing, busy) = (Server::start(), Server::start(), Server::start());
    let blocked = refusing.block();
    for graceful in [false, true] {
        let streaming = streaming(20);
        let lines =
            [&silent, &refusing, &busy].map(|server| streaming.socket_text_stream(HOST, server.port()));
        lines[0].union(&lines[1]).union(&lines[2]).foreach_rdd(|rdd| rdd.count().map(drop));
        let running = streaming.start().unwrap();
        let (_silent, busy) = (silent.accept(), busy.accept());
        let sending = std::thread::spawn(move || busy.send_until_closed("a line\n"));
        stop(running.stop_handle(), graceful);
        sending.join().unwrap();
    }
    drop(blocked);
}

#[test]
fn a_stop_at_once_cuts_short_a_graceful_one() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let (go_on, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let (begun, begins) = mpsc::channel();
    driver.input(vec![vec![1]]).foreach_rdd(move |_| {
        begun.send(()).unwrap();
        // Until the test ends.
        let _ = may_go.lock().unwrap().recv();
    });
    let steps = driver.start().unwrap();
    steps.clock.advance(SECOND);
    begins.recv_timeout(LONG).unwrap();
    let handle = steps.running.stop_handle();
    let graceful = std::thread::spawn({
        let handle = handle.clone();
        move || handle.stop(true, true)
    });
    handle.stop(true, false).unwrap();
    graceful.join().unwrap().unwrap();
    assert_eq!(steps.running.state(), millstream_streaming::StreamingContextState::Stopped);
    drop(go_on);
}

#[test]
fn a_stop_at_once_leaves_an_output_alone_that_does_not_end() {
    let streaming = streaming(5);
    let (entered, waits) = mpsc::channel();
    let (go_on, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    streaming.generator_stream(1, |_, _| 0..3).foreach_rdd(move |_| {
        entered.send(()).unwrap();
        let _ = may_go.lock().unwrap().recv();
    });
    let running = streaming.start().unwrap();
    waits.recv_timeout(LONG).unwrap();
    running.stop(true, false).unwrap();
    assert_eq!(running.state(), StreamingContextState::Stopped);
    // It ended although the output still runs, and no other has begun.
    drop(go_on);
    assert_eq!(waits.iter().count(), 0);
}

#[test]
fn a_stop_at_once_leaves_a_transformation_alone_that_does_not_end() {
    let streaming = streaming(5);
    let (entered, waits) = mpsc::channel();
    let (go_on, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let numbers = streaming.generator_stream(1, |_, _| 0..3).transform(move |rdd| {
        entered.send(()).unwrap();
        let _ = may_go.lock().unwrap().recv();
        rdd
    });
    numbers.foreach_rdd(|_| ());
    drop(numbers);
    let running = streaming.start().unwrap();
    waits.recv_timeout(LONG).unwrap();
    running.stop(true, false).unwrap();
    drop(go_on);
    assert_eq!(waits.iter().count(), 0);
}

/// Spark's SPARK-22955: the clock is so far ahead that batches are made without a pause.
#[test]
fn a_graceful_stop_ends_batches_that_are_made_without_a_pause() {
    let driver = Driver::new(conf("local[2]"), millis(100)).unwrap();
    let (batches, received) = mpsc::channel();
    let nothing = driver.input(batches![[1]]).transform(|rdd| rdd.context().empty_rdd::<i32>());
    nothing.foreach_rdd_with(move |_, time| batches.send(time.as_millis()).map_err(CoreError::user));
    let steps = driver.start().unwrap();
    steps.clock.set_time(Time::from_millis(i64::MAX));
    received.recv_timeout(LONG).unwrap();
    steps.running.stop(true, true).unwrap();
    steps.running.await_termination().unwrap();
    // None was left out.
    let all: Vec<i64> = received.iter().collect();
    assert_eq!(all, (2..2 + all.len() as i64).map(|n| n * 100).collect::<Vec<_>>());
}

#[test]
fn a_stop_at_once_drops_the_batches_that_wait() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let (entered, waits) = mpsc::channel();
    let (go_on, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    driver.input(batches![[1]]).foreach_rdd_with(move |_, time| {
        entered.send(time.as_millis()).unwrap();
        let _ = may_go.lock().unwrap().recv();
    });
    let steps = driver.start().unwrap();
    steps.clock.advance(seconds(10));
    assert_eq!(waits.recv_timeout(LONG), Ok(1000));
    drop(go_on);
    let running = steps.running;
    running.stop(true, false).unwrap();
    let rest: Vec<i64> = waits.iter().collect();
    assert!(rest.len() < 10, "{rest:?}");
    assert_eq!(rest, (2..2 + rest.len() as i64).map(|n| n * 1000).collect::<Vec<_>>());
}

#[test]
fn an_output_may_stop_its_own_streams() {
    for graceful in [false, true] {
        let (handle, streaming) = (Handle::default(), streaming(5));
        let (own, ran) = (Arc::clone(&handle), Arc::new(Mutex::new(Vec::new())));
        let times = Arc::clone(&ran);
        streaming.generator_stream(1, |_, _| 0..3).foreach_rdd_with(move |_, time| {
            times.lock().unwrap().push(time);
            wait_for(&own).stop(true, graceful)
        });
        let running = streaming.start().unwrap();
        handle.set(running.stop_handle()).ok().unwrap();
        running.await_termination().unwrap();
        assert_eq!(running.state(), StreamingContextState::Stopped);
        let ran = ran.lock().unwrap();
        assert!(!ran.is_empty());
        assert!(ran.windows(2).all(|pair| pair[1] == pair[0] + millis(5)), "{ran:?}");
    }
}

#[test]
fn a_transformation_and_a_task_may_stop_their_own_streams() {
    for in_task in [false, true] {
        let (handle, streaming) = (Handle::default(), streaming(5));
        let (in_transform, in_map) = (Arc::clone(&handle), Arc::clone(&handle));
        let numbers = streaming.generator_stream(1, |_, _| 0..1).transform(move |rdd| match in_task {
            true => Ok(rdd),
            false => wait_for(&in_transform).stop(true, false).map(|()| rdd),
        });
        let numbers = numbers.map(move |n: i32| {
            if in_task {
                wait_for(&in_map).stop(true, false).unwrap();
            }
            n
        });
        numbers.foreach_rdd(|rdd| match rdd.count() {
            // The stop cancels what runs.
            Err(CoreError::Cancelled { .. } | CoreError::Stopped) => Ok(()),
            other => other.map(drop),
        });
        let running = streaming.start().unwrap();
        handle.set(running.stop_handle()).ok().unwrap();
        running.await_termination().unwrap();
        assert_eq!(running.state(), StreamingContextState::Stopped);
    }
}

#[test]
fn a_listener_is_refused_and_told_what_to_do() {
    struct Stops(Handle, Mutex<mpsc::Sender<String>>);
    impl StreamingListener for Stops {
        fn on_batch_completed(&self, _: &BatchInfo) {
            let refusal = wait_for(&self.0).stop(true, false).unwrap_err();
            assert!(matches!(refusal, Error::StopFromWithin { .. }));
            let _ = self.1.lock().unwrap().send(refusal.to_string());
        }
    }
    let (handle, streaming) = (Handle::default(), streaming(5));
    streaming.generator_stream(1, |_, _| 0..3).foreach_rdd(|_| ());
    let (refusals, told) = mpsc::channel();
    streaming.add_streaming_listener(Arc::new(Stops(Arc::clone(&handle), Mutex::new(refusals)))).unwrap();
    let running = streaming.start().unwrap();
    handle.set(running.stop_handle()).ok().unwrap();
    let refusal = told.recv_timeout(LONG).unwrap();
    assert!(refusal.contains("listener") && refusal.contains("another thread"), "{refusal}");
    assert_eq!(running.state(), StreamingContextState::Active);
    running.stop(true, false).unwrap();
}

#[test]
fn stops_from_many_threads_at_once_are_one_stop() {
    for graceful in [false, true] {
        let streaming = streaming(5);
        streaming.generator_stream(1, |_, _| 0..3).foreach_rdd(|rdd| rdd.count().map(drop));
        let running = streaming.start().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| running.await_termination());
            for _ in 0..4 {
                let handle = running.stop_handle();
                scope.spawn(move || {
                    handle.stop(true, graceful).unwrap();
                    assert_eq!(handle.state(), StreamingContextState::Stopped);
                });
            }
            waiting.join().unwrap().unwrap();
        });
        running.stop(true, graceful).unwrap();
        running.stop(true, !graceful).unwrap();
    }
}

#[test]
fn a_receiver_may_stop_the_streams_it_feeds() {
    let (handle, streaming) = (Handle::default(), streaming(5));
    struct Ends(Handle);
    impl Receiver<i32> for Ends {
        fn on_start(
            &self,
            handle: &ReceiverHandle<i32>,
        ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            handle.store(1)?;
            Ok(wait_for(&self.0).stop(true, false)?)
        }
    }
    streaming.receiver_stream(Ends(Arc::clone(&handle))).foreach_rdd(|_| ());
    let running = streaming.start().unwrap();
    handle.set(running.stop_handle()).ok().unwrap();
    running.await_termination().unwrap();
    assert_eq!(running.state(), StreamingContextState::Stopped);
}

#[test]
fn nothing_runs_after_a_stop() {
    let streaming = streaming(1);
    let (stopped, ran_late) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (is_stopped, late) = (Arc::clone(&stopped), Arc::clone(&ran_late));
    streaming.generator_stream(1, |_, _| 0..3).foreach_rdd(move |_| {
        if is_stopped.load(Ordering::SeqCst) {
            late.store(true, Ordering::SeqCst);
        }
    });
    let running = streaming.start().unwrap();
    std::thread::sleep(millis(20));
    running.stop(true, false).unwrap();
    stopped.store(true, Ordering::SeqCst);
    std::thread::sleep(millis(20));
    assert!(!ran_late.load(Ordering::SeqCst));
}

#[test]
fn awaiting_a_batch_ends_with_the_stop() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    driver.input(batches![[1]]).foreach_rdd(|_| ());
    let steps = driver.start().unwrap();
    assert!(!steps.running.await_batch(Time::from_millis(5000), millis(1)).unwrap());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| steps.running.await_batch(Time::from_millis(5000), LONG));
        steps.running.stop(true, false).unwrap();
        assert!(!waiting.join().unwrap().unwrap());
    });
}

/// Stores more records when it is stopped, as one does that empties what it has received and not stored yet.
struct Empties(Mutex<Option<ReceiverHandle<u64>>>);

impl Receiver<u64> for Empties {
    fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        handle.store_each(vec![1; 10])?;
        *self.0.lock().unwrap() = Some(handle.clone());
        Ok(())
    }

    fn on_stop(&self) {
        if let Some(handle) = self.0.lock().unwrap().take() {
            handle.store_each(vec![100; 10]).unwrap();
        }
    }
}

#[test]
fn a_graceful_stop_completes_what_a_receiver_stores_while_it_stops() {
    let streaming = streaming(10);
    let counted = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&counted);
    streaming.receiver_stream(Empties(Mutex::default())).foreach_rdd(move |rdd| {
        count.fetch_add(rdd.collect()?.iter().sum(), Ordering::SeqCst);
        Ok::<_, CoreError>(())
    });
    let running = streaming.start().unwrap();
    while counted.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    running.stop(true, true).unwrap();
    assert_eq!(counted.load(Ordering::SeqCst), 1010);
}

/// Stores its records slowly, and is not done with `on_stop` before it has stored the last.
struct Slow(Mutex<Option<std::thread::JoinHandle<()>>>);

impl Receiver<u64> for Slow {
    fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let handle = handle.clone();
        *self.0.lock().unwrap() = Some(std::thread::spawn(move || {
            for n in 1..=15 {
                std::thread::sleep(millis(20));
                handle.store(n).unwrap();
            }
        }));
        Ok(())
    }

    fn on_stop(&self) {
        let thread = self.0.lock().unwrap().take();
        thread.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// Also if the stop comes at once, before the receiver may have been started.
#[test]
fn a_graceful_stop_waits_for_a_slow_receiver() {
    for first in [0, 1] {
        let streaming = streaming(10);
        let counted = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&counted);
        streaming.receiver_stream(Slow(Mutex::default())).count().foreach_rdd(move |rdd| {
            count.fetch_add(rdd.first()?.unwrap_or(0), Ordering::SeqCst);
            Ok::<_, CoreError>(())
        });
        let running = streaming.start().unwrap();
        while counted.load(Ordering::SeqCst) < first {
            std::thread::yield_now();
        }
        running.stop(true, true).unwrap();
        let all = counted.load(Ordering::SeqCst);
        assert!(all == 15 || (first == 0 && all == 0), "{all}");
    }
}
