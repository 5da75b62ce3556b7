//! How many records a receiver may store per second.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, StopSignal};
use crate::time::Time;

/// Holds a receiver back so that it stores at most a given number of records per second.
///
/// Records that come at once are let in at once and paid for by those after them. Time in which fewer came is made up
/// for by a tenth of a second at most.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    clock: Arc<dyn Clock>,
    /// `spark.streaming.receiver.maxRate`: no rate may be above it.
    max_rate: Option<u64>,
    /// Whether there is a rate at all; without one a store looks no further.
    limited: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Records per second.
    rate: Option<u64>,
    /// What `free_at` counts from: small numbers keep their fractions.
    origin: Time,
    /// When the next record may come, in milliseconds after `origin`.
    free_at: f64,
    /// When the clock was last read: one that was set back must not hold the receiver for as long.
    last: Time,
}

/// How much unused time is made up for, in milliseconds.
const BURST: f64 = 100.0;

/// What sums of fractions may be off by, in milliseconds.
const ROUNDING: f64 = 1e-3;

impl RateLimiter {
    /// Makes a limiter that begins with `initial_rate`; `None` and 0 mean no limit.
    pub(crate) fn new(clock: Arc<dyn Clock>, max_rate: Option<u64>, initial_rate: Option<u64>) -> Self {
        let now = clock.now();
        let limiter = RateLimiter {
            clock,
            max_rate: max_rate.filter(|rate| *rate > 0),
            limited: AtomicBool::new(false),
            state: Mutex::new(State { rate: None, origin: now, free_at: 0.0, last: now }),
        };
        if let Some(rate) = initial_rate.filter(|rate| *rate > 0).or(limiter.max_rate) {
            limiter.update_rate(rate);
        }
        limiter
    }

    /// Sets the rate, cut down to the maximum; 0 changes nothing.
    pub(crate) fn update_rate(&self, rate: u64) {
        if rate > 0 {
            self.state().rate = Some(self.max_rate.map_or(rate, |max| rate.min(max)));
            self.limited.store(true, Ordering::Release);
        }
    }

    /// Returns the records per second, if they are limited.
    pub(crate) fn current_limit(&self) -> Option<u64> {
        if self.limited.load(Ordering::Acquire) { self.state().rate } else { None }
    }

    /// Waits until `records` more may come, or until `stop` is raised.
    pub(crate) fn acquire(&self, records: usize, stop: &StopSignal) {
        if !self.limited.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.state();
        let Some(rate) = state.rate else { return };
        let now = self.clock.now();
        state.origin = state.origin - (state.last - now);
        state.last = now;
        let wait_till = state.free_at.max((now - state.origin).as_secs_f64() * 1000.0 - BURST);
        state.free_at = wait_till + records as f64 * 1000.0 / rate as f64;
        let origin = state.origin;
        drop(state);
        // The clock counts whole milliseconds; what a wait gives away by that, the burst returns.
        let wait_till = origin + Duration::from_millis((wait_till - ROUNDING).ceil().max(0.0) as u64);
        if wait_till > now {
            self.clock.wait_till(wait_till, stop);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;
    use crate::clock::ManualClock;

    fn limiter(clock: &ManualClock, max: Option<u64>, initial: Option<u64>) -> RateLimiter {
        RateLimiter::new(Arc::new(clock.clone()), max, initial)
    }

    #[test]
    fn rates_are_capped() {
        let clock = ManualClock::new(0);
        assert_eq!(limiter(&clock, None, None).current_limit(), None);
        assert_eq!(limiter(&clock, Some(0), Some(0)).current_limit(), None);
        assert_eq!(limiter(&clock, Some(100), None).current_limit(), Some(100));
        assert_eq!(limiter(&clock, Some(100), Some(105)).current_limit(), Some(100));
        for max in [None, Some(110)] {
            let limiter = limiter(&clock, max, None);
            limiter.update_rate(105);
            assert_eq!(limiter.current_limit(), Some(105));
        }
        let limiter = limiter(&clock, Some(100), Some(20));
        assert_eq!(limiter.current_limit(), Some(20));
        limiter.update_rate(105);
        assert_eq!(limiter.current_limit(), Some(100));
        limiter.update_rate(0);
        assert_eq!(limiter.current_limit(), Some(100));
    }

    /// Lets `calls` calls of `records` through and returns when each of them came through.
    fn run(clock: &ManualClock, limiter: RateLimiter, calls: usize, records: usize) -> Vec<i64> {
        let (through, times) = mpsc::channel();
        let thread = thread::spawn({
            let clock = clock.clone();
            move || {
                for _ in 0..calls {
                    limiter.acquire(records, &StopSignal::new());
                    through.send(clock.now().as_millis()).unwrap();
                }
            }
        });
        while !thread.is_finished() {
            if let Some(next) = clock.next_awaited() {
                clock.set_time(next);
            }
            thread::yield_now();
        }
        thread.join().unwrap();
        times.iter().collect()
    }

    #[test]
    fn records_come_at_the_rate() {
        let clock = ManualClock::new(1_700_000_000_000);
        let start = clock.now().as_millis();
        let times = run(&clock, limiter(&clock, Some(500), None), 101, 1);
        assert_eq!(times.last(), Some(&(start + 200)));
        let start = clock.now().as_millis();
        let times = run(&clock, limiter(&clock, None, Some(100)), 3, 50);
        assert_eq!(times, [start, start + 500, start + 1000]);
    }

    #[test]
    fn fast_rates_are_not_slowed_down_by_the_grain_of_the_clock() {
        let clock = ManualClock::new(0);
        let times = run(&clock, limiter(&clock, Some(9_000), None), 9_001, 1);
        assert_eq!(times.last(), Some(&1000));
    }

    #[test]
    fn unused_time_makes_no_large_burst() {
        let clock = ManualClock::new(0);
        let limiter = limiter(&clock, Some(100), None);
        clock.advance(Duration::from_secs(3600));
        let start = clock.now().as_millis();
        let times = run(&clock, limiter, 21, 1);
        assert_eq!(times[..11], [start; 11]);
        assert_eq!(times[20], start + 100);
    }

    #[test]
    fn a_clock_that_is_set_back_and_a_stop_hold_no_one() {
        let clock = ManualClock::new(3_600_000);
        let limiter = limiter(&clock, Some(1), None);
        limiter.acquire(1, &StopSignal::new());
        clock.set_time(Time::from_millis(0));
        assert_eq!(run(&clock, limiter, 2, 1), [1000, 2000]);
        let limiter = RateLimiter::new(Arc::new(clock), Some(1), None);
        let stop = StopSignal::new();
        limiter.acquire(1000, &stop);
        stop.stop();
        limiter.acquire(1000, &stop);
    }
}
