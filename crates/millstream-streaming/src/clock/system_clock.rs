//! The computer's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Clock, StopSignal, Waited};
use crate::time::Time;

/// The computer's clock.
///
/// When it is set while something waits, the wait follows the new time within a second.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// How long a wait sleeps before it looks whether the clock was set.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

fn since_epoch() -> Duration {
    // A clock set before 1970 reads as 1970.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        Time::default() + since_epoch()
    }

    fn wait_till(&self, time: Time, stop: &StopSignal) -> Waited {
        // Nanoseconds, so that a wait ends at the beginning of its millisecond and not somewhere within it.
        let until = time - Time::default();
        loop {
            let left = until.saturating_sub(since_epoch());
            if stop.is_stopped() {
                return Waited::Stopped;
            }
            if left.is_zero() {
                return Waited::Reached;
            }
            stop.wait_timeout(left.min(LOOK_AGAIN));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_a_time_or_a_stop() {
        let stop = StopSignal::new();
        let time = SystemClock.now() + Duration::from_millis(3);
        assert_eq!(SystemClock.wait_till(time, &stop), Waited::Reached);
        assert!(SystemClock.now() >= time);
        assert_eq!(SystemClock.wait_till(Time::from_millis(0), &stop), Waited::Reached);
        let never = std::thread::spawn({
            let stop = stop.clone();
            move || SystemClock.wait_till(Time::from_millis(i64::MAX), &stop)
        });
        stop.stop();
        assert_eq!(never.join().unwrap(), Waited::Stopped);
        assert_eq!(SystemClock.wait_till(Time::from_millis(0), &stop), Waited::Stopped);
    }
}
