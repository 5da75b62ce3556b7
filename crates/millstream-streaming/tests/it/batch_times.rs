//! When batches are cut.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use millstream_core::Conf;
use millstream_streaming::clock::{Clock, ManualClock, SystemClock};
use millstream_streaming::{RunningContext, StreamingContext, Time};

use crate::tables::{LONG, millis};

/// Starts a stream whose batch times come out of the channel; `slide` is that of a window on it, if given.
fn start(
    clock: impl Clock,
    interval: Duration,
    slide: Option<Duration>,
) -> (RunningContext, mpsc::Receiver<Time>) {
    let streaming = StreamingContext::with_clock(Conf::empty(), interval, Arc::new(clock)).unwrap();
    let stream = streaming.generator_stream(1, |time, _| [time.as_millis()]);
    let stream = match slide {
        Some(slide) => stream.window(slide, slide),
        None => stream,
    };
    let (times, received) = mpsc::channel();
    stream.foreach_rdd_with(move |_, time| times.send(time));
    (streaming.start().unwrap(), received)
}

fn first(clock: i64, interval: u64) -> i64 {
    let clock = ManualClock::new(clock);
    let (running, times) = start(clock.clone(), millis(interval), None);
    assert!(clock.wait_for_waiters(1, LONG));
    let awaited = clock.next_awaited().unwrap();
    clock.set_time(awaited);
    let first = times.recv_timeout(LONG).unwrap();
    assert_eq!(first, awaited);
    running.stop(true, false).unwrap();
    first.as_millis()
}

#[test]
fn the_first_batch_is_the_next_multiple_of_the_interval() {
    assert_eq!(first(0, 1000), 1000);
    assert_eq!(first(999, 1000), 1000);
    // Later than the start, also if that is a multiple itself.
    assert_eq!(first(1000, 1000), 2000);
    assert_eq!(first(1_700_000_000_350, 200), 1_700_000_000_400);
    assert_eq!(first(1_700_000_000_350, 1), 1_700_000_000_351);
    assert_eq!(first(1350, 700), 1400);
}

#[test]
fn every_batch_is_one_interval_after_the_last_also_if_the_clock_jumps() {
    let clock = ManualClock::new(950);
    let (running, times) = start(clock.clone(), millis(100), None);
    for jump in [50, 100, 500, 1, 99, 250] {
        clock.advance(millis(jump));
    }
    assert!(running.await_batch(Time::from_millis(1900), LONG).unwrap());
    running.stop(true, false).unwrap();
    let expected: Vec<_> = (10..=19).map(|n| Time::from_millis(n * 100)).collect();
    assert_eq!(times.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn slides_are_counted_from_the_interval_before_the_first_batch() {
    let clock = ManualClock::new(1350);
    // First batch at 2000, so zero is 1000: windows of 3 s end at 4000, 7000, ...
    let (running, times) = start(clock.clone(), millis(1000), Some(millis(3000)));
    clock.set_time(Time::from_millis(10_000));
    assert!(running.await_batch(Time::from_millis(10_000), LONG).unwrap());
    running.stop(true, false).unwrap();
    assert_eq!(times.iter().map(Time::as_millis).collect::<Vec<_>>(), [4000, 7000, 10_000]);
}

#[test]
fn batches_of_the_real_clock_are_multiples_of_the_interval_without_a_gap() {
    for interval in [1, 5, 20] {
        let before = SystemClock.now();
        let (running, times) = start(SystemClock, millis(interval), None);
        let times: Vec<Time> = (0..20).map(|_| times.recv_timeout(LONG).unwrap()).collect();
        running.stop(true, false).unwrap();
        assert!(times[0] > before);
        assert!(times.iter().all(|time| time.is_multiple_of(millis(interval))), "{times:?}");
        assert!(times.windows(2).all(|pair| pair[1] == pair[0] + millis(interval)), "{times:?}");
    }
}
