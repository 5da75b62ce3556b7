//! A clock for tests and benchmarks.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Clock, StopSignal, Waited};
use crate::time::Time;

/// A clock that stands still until it is moved.
///
/// Cloning is shallow: all clones are the same clock. A test moves the time and then waits, without polling, until the
/// engine's threads have seen it and wait for a later one.
///
/// # Examples
/// ```
/// # use std::time::Duration;
/// # use millstream_streaming::clock::{Clock, ManualClock, StopSignal, Waited};
/// let clock = ManualClock::new(0);
/// let waiter = std::thread::spawn({
///     let clock = clock.clone();
///     move || clock.wait_till(clock.now() + Duration::from_secs(3600), &StopSignal::new())
/// });
/// assert!(clock.wait_for_waiters(1, Duration::from_secs(10)));
/// clock.advance(Duration::from_secs(3600));
/// assert_eq!(waiter.join().unwrap(), Waited::Reached);
/// ```
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    now: Time,
    /// Who waits for a time that has not come. Whoever moves the clock takes out those whose time has come, so that a
    /// waiter that has not woken yet is not taken for one that has seen the time.
    waiters: Vec<Waiter>,
    next_waiter: u64,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    time: Time,
    signal: StopSignal,
}

impl ManualClock {
    /// Makes a clock that shows `millis` milliseconds since the epoch.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::Time;
    /// use millstream_streaming::clock::{Clock, ManualClock};
    ///
    /// assert_eq!(ManualClock::new(1000).now(), Time::from_millis(1000));
    /// ```
    #[must_use]
    pub fn new(millis: i64) -> Self {
        let clock = ManualClock::default();
        clock.set_time(Time::from_millis(millis));
        clock
    }

    /// Moves the time on and wakes those who wait for a time that has come; returns the new time.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::Time;
    /// use millstream_streaming::clock::{Clock, ManualClock};
    ///
    /// let clock = ManualClock::new(1000);
    /// assert_eq!(clock.advance(Duration::from_millis(50)), Time::from_millis(1050));
    /// assert_eq!(clock.now(), Time::from_millis(1050));
    /// ```
    pub fn advance(&self, duration: Duration) -> Time {
        self.change(|now| now + duration)
    }

    /// Sets the time, be it earlier or later, and wakes those who wait for a time that has come.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::Time;
    /// use millstream_streaming::clock::{Clock, ManualClock};
    ///
    /// let clock = ManualClock::new(1000);
    /// clock.set_time(Time::from_millis(70));
    /// assert_eq!(clock.now(), Time::from_millis(70));
    /// ```
    pub fn set_time(&self, time: Time) {
        self.change(|_| time);
    }

    /// Waits until at least `waiters` threads wait for a time that has not come, at most `timeout` in real time; returns
    /// whether they do.
    ///
    /// After [`advance`](Self::advance) this means: so many threads have seen the new time, did what was due, and wait
    /// for what comes next.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::Time;
    /// use millstream_streaming::clock::{Clock, ManualClock, StopSignal, Waited};
    ///
    /// let clock = ManualClock::new(0);
    /// let waiter = clock.clone();
    /// let waiting = std::thread::spawn(move || waiter.wait_till(Time::from_millis(10), &StopSignal::new()));
    /// assert!(clock.wait_for_waiters(1, Duration::from_secs(60)));
    /// clock.advance(Duration::from_millis(10));
    /// assert!(waiting.join().is_ok_and(|waited| waited == Waited::Reached));
    /// ```
    #[must_use]
    pub fn wait_for_waiters(&self, waiters: usize, timeout: Duration) -> bool {
        let start = Instant::now();
        let mut state = self.state();
        while state.waiters.len() < waiters {
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return false;
            }
            state = self.0.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Returns the earliest time for which a thread waits.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::Time;
    /// use millstream_streaming::clock::{Clock, ManualClock, StopSignal};
    ///
    /// let (clock, stop) = (ManualClock::new(0), StopSignal::new());
    /// assert_eq!(clock.next_awaited(), None);
    /// let (waiter, signal) = (clock.clone(), stop.clone());
    /// let waiting = std::thread::spawn(move || waiter.wait_till(Time::from_millis(10), &signal));
    /// assert!(clock.wait_for_waiters(1, Duration::from_secs(60)));
    /// assert_eq!(clock.next_awaited(), Some(Time::from_millis(10)));
    /// stop.stop();
    /// assert!(waiting.join().is_ok());
    /// ```
    #[must_use]
    pub fn next_awaited(&self) -> Option<Time> {
        self.state().waiters.iter().map(|waiter| waiter.time).min()
    }

    fn change(&self, to: impl FnOnce(Time) -> Time) -> Time {
        let mut state = self.state();
        state.now = to(state.now);
        let now = state.now;
        let due: Vec<_> = state.waiters.extract_if(.., |waiter| waiter.time <= now).collect();
        // A waiter looks at the state while it holds its signal, so the signals come after the state.
        drop(state);
        due.iter().for_each(|waiter| waiter.signal.wake());
        now
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        self.state().now
    }

    fn wait_till(&self, time: Time, stop: &StopSignal) -> Waited {
        if stop.is_stopped() {
            return Waited::Stopped;
        }
        let mut state = self.state();
        if state.now >= time {
            return Waited::Reached;
        }
        let number = state.next_waiter;
        state.next_waiter += 1;
        state.waiters.push(Waiter { number, time, signal: stop.clone() });
        drop(state);
        self.0.arrived.notify_all();
        stop.wait_until(|| self.state().waiters.iter().all(|waiter| waiter.number != number));
        self.state().waiters.retain(|waiter| waiter.number != number);
        if stop.is_stopped() { Waited::Stopped } else { Waited::Reached }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn moves_only_when_told() {
        let clock = ManualClock::new(100);
        assert_eq!(clock.now(), Time::from_millis(100));
        assert_eq!(clock.advance(Duration::from_millis(50)), Time::from_millis(150));
        clock.set_time(Time::from_millis(70));
        assert_eq!(clock.now(), Time::from_millis(70));
        assert_eq!(clock.wait_till(clock.now(), &StopSignal::new()), Waited::Reached);
    }

    #[test]
    fn a_test_can_wait_until_the_waiters_have_seen_the_time() {
        let clock = ManualClock::new(0);
        let (seen, steps) = mpsc::channel();
        let (stop, waiter) = (StopSignal::new(), clock.clone());
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || {
                let mut time = Time::from_millis(10);
                while waiter.wait_till(time, &stop) == Waited::Reached {
                    seen.send(time.as_millis()).unwrap();
                    time = time + Duration::from_millis(10);
                }
            }
        });
        for step in 1..=100 {
            assert!(clock.wait_for_waiters(1, LONG));
            assert_eq!(steps.try_iter().count(), usize::from(step > 1));
            assert_eq!(clock.next_awaited(), Some(Time::from_millis(10 * step)));
            clock.advance(Duration::from_millis(10));
        }
        assert!(clock.wait_for_waiters(1, LONG));
        assert!(!clock.wait_for_waiters(2, Duration::ZERO));
        stop.stop();
        thread.join().unwrap();
        assert_eq!(clock.next_awaited(), None);
    }

    #[test]
    fn a_time_that_has_come_stays_come() {
        let clock = ManualClock::new(0);
        let thread = std::thread::spawn({
            let clock = clock.clone();
            move || clock.wait_till(Time::from_millis(10), &StopSignal::new())
        });
        assert!(clock.wait_for_waiters(1, LONG));
        clock.set_time(Time::from_millis(10));
        clock.set_time(Time::from_millis(0));
        assert_eq!(thread.join().unwrap(), Waited::Reached);
    }
}
