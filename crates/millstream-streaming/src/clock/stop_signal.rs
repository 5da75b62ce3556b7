//! A signal to stop that wakes whoever waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A signal to stop, raised once and for all; it wakes the threads that wait with it.
///
/// Cloning is shallow: all clones are the same signal.
#[derive(Debug, Clone, Default)]
pub struct StopSignal(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    raised: AtomicBool,
    /// Guards nothing but the moment between looking and falling asleep, so that no wake-up is lost.
    asleep: Mutex<()>,
    wake: Condvar,
}

impl StopSignal {
    /// Makes a signal that is not raised.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::clock::StopSignal;
    ///
    /// assert!(!StopSignal::new().is_stopped());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the signal and wakes all waiters.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::clock::StopSignal;
    ///
    /// let signal = StopSignal::new();
    /// let waiter = signal.clone();
    /// let waiting = std::thread::spawn(move || waiter.wait_timeout(Duration::from_secs(3600)));
    /// signal.stop();
    /// assert!(waiting.join().is_ok_and(|stopped| stopped));
    /// ```
    pub fn stop(&self) {
        self.0.raised.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Returns whether the signal was raised.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::clock::StopSignal;
    ///
    /// let signal = StopSignal::new();
    /// signal.clone().stop();
    /// assert!(signal.is_stopped());
    /// ```
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.raised.load(Ordering::SeqCst)
    }

    /// Waits for `timeout`, or until the signal is raised; returns whether it is.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::clock::StopSignal;
    ///
    /// let signal = StopSignal::new();
    /// assert!(!signal.wait_timeout(Duration::from_millis(1)), "the time is over");
    /// signal.stop();
    /// assert!(signal.wait_timeout(Duration::from_secs(3600)));
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        let start = Instant::now();
        let mut guard = self.asleep();
        while !self.is_stopped() {
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                break;
            }
            guard = self.0.wake.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(guard);
        self.is_stopped()
    }

    /// Waits until `ready` or until the signal is raised; whoever makes it ready calls [`wake`](Self::wake) after that.
    pub(crate) fn wait_until(&self, ready: impl Fn() -> bool) {
        let mut guard = self.asleep();
        while !self.is_stopped() && !ready() {
            guard = self.0.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Makes all waiters look again.
    pub(crate) fn wake(&self) {
        let _guard = self.asleep();
        self.0.wake.notify_all();
    }

    fn asleep(&self) -> MutexGuard<'_, ()> {
        self.0.asleep.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_its_waiters() {
        let signal = StopSignal::new();
        let waiter = std::thread::spawn({
            let signal = signal.clone();
            move || signal.wait_until(|| false)
        });
        assert!(!signal.wait_timeout(Duration::ZERO));
        signal.stop();
        waiter.join().unwrap();
        assert!(signal.is_stopped());
        assert!(signal.wait_timeout(Duration::from_secs(3600)));
    }
}
