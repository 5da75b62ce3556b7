//! A timer that fires at each multiple of a period.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::clock::{Clock, StopSignal, Waited};
use crate::error::{Error, Result};
use crate::time::Time;

/// Calls a function at each multiple of a period, on a thread of its own.
///
/// When the function or the computer is late, the times that were missed are made up for, all of them and in order.
#[derive(Debug)]
pub(crate) struct RecurringTimer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    /// Ends the wait for the next time.
    interrupt: StopSignal,
    /// Makes the next time the last one.
    last_one: AtomicBool,
    /// The last time that was fired, `NEVER` before the first.
    fired: AtomicI64,
}

const NEVER: i64 = i64::MIN;

impl RecurringTimer {
    /// Returns when a timer fires first if it is started now: the next multiple of `period`, later than now.
    pub(crate) fn start_time(clock: &dyn Clock, period: Duration) -> Time {
        clock.now().floor(period) + at_least_one(period)
    }

    /// Starts a timer that fires at `first` and then after each `period`.
    ///
    /// The thread is called `name`. A function that panics ends the timer with a line in the log.
    pub(crate) fn start(
        name: &str,
        clock: Arc<dyn Clock>,
        first: Time,
        period: Duration,
        mut callback: impl FnMut(Time) + Send + 'static,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            interrupt: StopSignal::new(),
            last_one: AtomicBool::new(false),
            fired: AtomicI64::new(NEVER),
        });
        let period = at_least_one(period);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn({
                let (shared, name) = (Arc::clone(&shared), name.to_owned());
                move || {
                    let fire = || run(&*clock, first, period, &shared, &mut callback);
                    if catch_unwind(AssertUnwindSafe(fire)).is_err() {
                        tracing::error!("the timer `{name}` ended because its function panicked");
                    }
                }
            })
            .map_err(|source| Error::thread(name, source))?;
        Ok(RecurringTimer { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Stops the timer and returns the last time it fired.
    ///
    /// With `interrupt` nothing is fired any more. Without, the time that is due next is waited for and is the last, so
    /// that whatever came before the call is still seen. Called by the timer's own function it does not wait.
    pub(crate) fn stop(&self, interrupt: bool) -> Option<Time> {
        self.shared.last_one.store(true, Ordering::SeqCst);
        if interrupt {
            self.shared.interrupt.stop();
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
        {
            // It can not have panicked: that is caught inside.
            let _ = thread.join();
        }
        match self.shared.fired.load(Ordering::SeqCst) {
            NEVER => None,
            fired => Some(Time::from_millis(fired)),
        }
    }
}

impl Drop for RecurringTimer {
    fn drop(&mut self) {
        self.shared.interrupt.stop();
    }
}

fn at_least_one(period: Duration) -> Duration {
    period.max(Duration::from_millis(1))
}

fn run(clock: &dyn Clock, first: Time, period: Duration, shared: &Shared, callback: &mut dyn FnMut(Time)) {
    let mut next = first;
    loop {
        if clock.wait_till(next, &shared.interrupt) == Waited::Stopped {
            return;
        }
        // Read before the call: what came before the stop must be seen by a call that begins after it.
        let last_one = shared.last_one.load(Ordering::SeqCst);
        callback(next);
        shared.fired.store(next.as_millis(), Ordering::SeqCst);
        if last_one {
            return;
        }
        next = next + period;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver};

    use super::*;
    use crate::clock::{ManualClock, SystemClock};

    const LONG: Duration = Duration::from_secs(60);
    const PERIOD: Duration = Duration::from_millis(100);

    fn start(clock: &ManualClock, first: i64) -> (RecurringTimer, Receiver<i64>) {
        let (fired, times) = mpsc::channel();
        let timer = RecurringTimer::start(
            "timer",
            Arc::new(clock.clone()),
            Time::from_millis(first),
            PERIOD,
            move |time| fired.send(time.as_millis()).unwrap(),
        );
        (timer.unwrap(), times)
    }

    #[test]
    fn fires_each_multiple_also_those_it_missed() {
        let clock = ManualClock::new(0);
        let (timer, times) = start(&clock, 0);
        assert!(clock.wait_for_waiters(1, LONG));
        assert_eq!(times.try_iter().collect::<Vec<_>>(), [0]);
        clock.advance(PERIOD);
        assert!(clock.wait_for_waiters(1, LONG));
        assert_eq!(times.try_iter().collect::<Vec<_>>(), [100]);
        clock.advance(2 * PERIOD);
        assert!(clock.wait_for_waiters(1, LONG));
        assert_eq!(times.try_iter().collect::<Vec<_>>(), [200, 300]);
        assert_eq!(timer.stop(true), Some(Time::from_millis(300)));
        assert_eq!(timer.stop(true), Some(Time::from_millis(300)));
        clock.advance(PERIOD);
        assert_eq!(times.recv(), Err(mpsc::RecvError));
    }

    #[test]
    fn a_stop_without_interrupt_still_fires_what_is_due_next() {
        let clock = ManualClock::new(0);
        let (timer, times) = start(&clock, 0);
        assert!(clock.wait_for_waiters(1, LONG));
        let timer = Arc::new(timer);
        let stopper = thread::spawn({
            let timer = Arc::clone(&timer);
            move || timer.stop(false)
        });
        while !timer.shared.last_one.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        clock.advance(2 * PERIOD);
        assert_eq!(stopper.join().unwrap(), Some(Time::from_millis(100)));
        assert_eq!(times.iter().collect::<Vec<_>>(), [0, 100]);
    }

    #[test]
    fn a_timer_that_never_fired_has_no_last_time() {
        let (timer, _times) = start(&ManualClock::new(0), 100);
        assert_eq!(timer.stop(true), None);
    }

    #[test]
    fn the_function_may_stop_its_timer_and_may_panic() {
        let clock = ManualClock::new(0);
        let (hand_over, timer) = mpsc::channel::<RecurringTimer>();
        let (fired, times) = mpsc::channel();
        let started =
            RecurringTimer::start("own", Arc::new(clock.clone()), clock.now(), PERIOD, move |time| {
                fired.send(timer.recv().unwrap().stop(false)).unwrap();
                assert_eq!(time.as_millis(), 1, "a panic that must stay in the timer");
            });
        hand_over.send(started.unwrap()).unwrap();
        assert_eq!(times.iter().collect::<Vec<_>>(), [None]);
    }

    #[test]
    fn start_times_are_the_next_multiples() {
        let clock = ManualClock::new(1350);
        let first = |step| RecurringTimer::start_time(&clock, Duration::from_millis(step)).as_millis();
        assert_eq!([first(200), first(1350), first(1)], [1400, 2700, 1351]);
    }

    #[test]
    fn fires_every_millisecond_of_the_real_clock() {
        let (fired, times) = mpsc::channel();
        let period = Duration::from_millis(1);
        let first = RecurringTimer::start_time(&SystemClock, period);
        let timer = RecurringTimer::start("real", Arc::new(SystemClock), first, period, move |time| {
            fired.send((time, SystemClock.now())).unwrap();
        })
        .unwrap();
        let times: Vec<_> = times.iter().take(50).collect();
        timer.stop(true);
        for (number, (time, seen)) in times.into_iter().enumerate() {
            assert_eq!(time, first + period * u32::try_from(number).unwrap());
            assert!(seen >= time);
        }
    }
}
