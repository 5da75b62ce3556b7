//! Instants of batches.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant in milliseconds since 1970-01-01 00:00 UTC, e.g. the time of a batch.
///
/// All arithmetic is in whole milliseconds: the rest of a [`Duration`] below a millisecond is dropped, and a step below
/// one millisecond counts as one.
///
/// # Examples
/// ```
/// # use std::time::Duration;
/// # use millstream_streaming::time::Time;
/// let batch = Time::from_millis(1_700_000_000_000);
/// assert_eq!(batch.to_string(), "1700000000000 ms");
/// assert!(batch.is_multiple_of(Duration::from_secs(1)));
/// assert_eq!((batch + Duration::from_millis(1_350)).floor(Duration::from_millis(200)).as_millis(), 1_700_000_001_200);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(i64);

/// Returns a step in whole milliseconds, at least one.
fn step_millis(step: Duration) -> i64 {
    millis(step).max(1)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Time {
    /// Makes an instant of milliseconds since the epoch.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::Time;
    ///
    /// assert_eq!(Time::from_millis(1000).to_string(), "1000 ms");
    /// ```
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Time(millis)
    }

    /// Returns the milliseconds since the epoch.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::Time;
    ///
    /// assert_eq!((Time::from_millis(1000) + Duration::from_secs(2)).as_millis(), 3000);
    /// ```
    #[doc(alias = "milliseconds")]
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Returns whether the instant is a multiple of `step` since the epoch.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::Time;
    ///
    /// assert!(Time::from_millis(4000).is_multiple_of(Duration::from_secs(2)));
    /// assert!(!Time::from_millis(5000).is_multiple_of(Duration::from_secs(2)));
    /// ```
    #[must_use]
    pub fn is_multiple_of(self, step: Duration) -> bool {
        self.0 % step_millis(step) == 0
    }

    /// Returns the last multiple of `step` since the epoch that is not later than this instant.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::Time;
    ///
    /// assert_eq!(Time::from_millis(1350).floor(Duration::from_millis(200)), Time::from_millis(1200));
    /// ```
    #[must_use]
    pub fn floor(self, step: Duration) -> Self {
        self.floor_from(step, Time(0))
    }

    /// Returns the last multiple of `step` since `zero` that is not later than this instant.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::Time;
    ///
    /// let zero = Time::from_millis(50);
    /// assert_eq!(Time::from_millis(1350).floor_from(Duration::from_millis(200), zero), Time::from_millis(1250));
    /// ```
    #[must_use]
    pub fn floor_from(self, step: Duration, zero: Time) -> Self {
        let since = self.0.saturating_sub(zero.0);
        Time(self.0.saturating_sub(since.rem_euclid(step_millis(step))))
    }

    /// Iterates from this instant by `step`s as long as they are earlier than `end`.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::Time;
    ///
    /// let times = Time::from_millis(1000).until(Time::from_millis(3000), Duration::from_secs(1));
    /// assert!(times.map(Time::as_millis).eq([1000, 2000]));
    /// ```
    pub fn until(self, end: Time, step: Duration) -> impl Iterator<Item = Time> + Clone {
        let step = usize::try_from(step_millis(step)).unwrap_or(usize::MAX);
        (self.0..end.0).step_by(step).map(Time)
    }

    /// Iterates from this instant by `step`s as long as they are not later than `end`.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::Time;
    ///
    /// let times = Time::from_millis(1000).to(Time::from_millis(3000), Duration::from_secs(1));
    /// assert!(times.map(Time::as_millis).eq([1000, 2000, 3000]));
    /// ```
    pub fn to(self, end: Time, step: Duration) -> impl Iterator<Item = Time> + Clone {
        self.until(Time(end.0.saturating_add(1)), step)
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, duration: Duration) -> Time {
        Time(self.0.saturating_add(millis(duration)))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;

    fn sub(self, duration: Duration) -> Time {
        Time(self.0.saturating_sub(millis(duration)))
    }
}

impl Sub<Time> for Time {
    type Output = Duration;

    /// Returns how much later this instant is than `earlier`, zero if it is not.
    fn sub(self, earlier: Time) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// The time from one instant to another; prints `[1000 ms, 2000 ms]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// Where it begins.
    pub begin: Time,
    /// Where it ends.
    pub end: Time,
}

impl Interval {
    /// Makes the interval from `begin` to `end`.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::{Interval, Time};
    ///
    /// let interval = Interval::new(Time::from_millis(1000), Time::from_millis(3000));
    /// assert_eq!(interval.to_string(), "[1000 ms, 3000 ms]");
    /// ```
    #[must_use]
    pub const fn new(begin: Time, end: Time) -> Self {
        Interval { begin, end }
    }

    /// Returns how long the interval is.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::{Interval, Time};
    ///
    /// let interval = Interval::new(Time::from_millis(1000), Time::from_millis(3000));
    /// assert_eq!(interval.duration(), Duration::from_secs(2));
    /// ```
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.end - self.begin
    }
}

impl Add<Duration> for Interval {
    type Output = Interval;

    fn add(self, duration: Duration) -> Interval {
        Interval::new(self.begin + duration, self.end + duration)
    }
}

impl Sub<Duration> for Interval {
    type Output = Interval;

    fn sub(self, duration: Duration) -> Interval {
        Interval::new(self.begin - duration, self.end - duration)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}]", self.begin, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Time {
        Time::from_millis(millis)
    }

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn order() {
        assert!(at(-1) < at(0));
        // Of instants as of durations since one.
        for (a, b) in [(999, 1000), (0, 1), (1000, 999), (1000, 1000)] {
            let (one, other) = (at(a), at(b));
            assert_eq!(one.cmp(&other), a.cmp(&b));
            assert_eq!((one - at(0)).cmp(&(other - at(0))), a.cmp(&b));
            assert_eq!((one.min(other), one.max(other)), (at(a.min(b)), at(a.max(b))));
        }
    }

    #[test]
    fn sums_and_differences() {
        assert_eq!(at(1000) + ms(100), at(1100));
        assert_eq!(at(1000) + ms(0), at(1000));
        assert_eq!(at(1000) - at(100), ms(900));
        assert_eq!(at(1000) - at(0), ms(1000));
        assert!((at(1000) - at(1000)).is_zero() && !(at(1001) - at(1000)).is_zero());
        assert_eq!(at(1000) - ms(0), at(1000));
        for times in [2, 1, 0] {
            assert_eq!(at(0) + ms(100) * times, at(100 * i64::from(times)));
        }
        for (divisor, quotient) in [(5, 200.0), (1, 1000.0), (1000, 1.0), (2000, 0.5)] {
            assert_eq!((at(1000) - at(0)).div_duration_f64(at(divisor) - at(0)), quotient);
        }
        assert_eq!(at(100) - at(1000), ms(0));
        assert_eq!(at(1000) - ms(100), at(900));
        assert_eq!(at(1000) - ms(1000), at(0));
        assert_eq!(at(0) - ms(3000), at(-3000));
        assert_eq!(at(1) + Duration::from_micros(1999), at(2));
        assert_eq!(at(1) + Duration::MAX, at(i64::MAX));
    }

    #[test]
    fn floors() {
        assert_eq!(at(1350).floor(ms(200)), at(1200));
        assert_eq!(at(1200).floor(ms(200)), at(1200));
        assert_eq!(at(199).floor(ms(200)), at(0));
        assert_eq!(at(1).floor(ms(1)), at(1));
        assert_eq!(at(1350).floor_from(ms(200), at(50)), at(1250));
        assert_eq!(at(40).floor_from(ms(200), at(50)), at(-150));
        assert_eq!(at(7).floor(Duration::ZERO), at(7));
    }

    #[test]
    fn multiples() {
        for (step, expected) in [(5, true), (1000, true), (1, true), (6, false), (2000, false)] {
            assert_eq!(at(1000).is_multiple_of(ms(step)), expected, "{step}");
        }
        assert!(at(3).is_multiple_of(Duration::ZERO));
    }

    #[test]
    fn sequences() {
        let until = |end, step| at(1000).until(at(end), ms(step)).map(Time::as_millis).collect::<Vec<_>>();
        assert_eq!(until(1100, 100), [1000]);
        assert_eq!(until(1000, 100), [0_i64; 0]);
        assert_eq!(until(1100, 30), [1000, 1030, 1060, 1090]);
        assert_eq!(until(900, 30), [0_i64; 0]);
        let to = |end, step| at(1000).to(at(end), ms(step)).map(Time::as_millis).collect::<Vec<_>>();
        assert_eq!(to(1100, 100), [1000, 1100]);
        assert_eq!(to(1000, 100), [1000]);
        assert_eq!(to(1100, 30), [1000, 1030, 1060, 1090]);
        assert_eq!(to(1002, 0), [1000, 1001, 1002]);
    }

    #[test]
    fn prints_and_reads() {
        assert_eq!(at(1_700_000_000_000).to_string(), "1700000000000 ms");
        let interval = Interval::new(at(1000), at(3000));
        assert_eq!(interval.to_string(), "[1000 ms, 3000 ms]");
        assert_eq!(interval.duration(), ms(2000));
        assert_eq!((interval + ms(500) - ms(100)).to_string(), "[1400 ms, 3400 ms]");
        let written = serde::de::value::I64Deserializer::<serde::de::value::Error>::new(-5);
        assert_eq!(Time::deserialize(written), Ok(at(-5)));
    }
}
