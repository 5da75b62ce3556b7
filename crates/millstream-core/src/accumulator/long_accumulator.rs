//! `long_accumulator`: a sum of whole numbers, their count and average.

use serde::{Deserialize, Serialize};

use super::{Accumulator, Registered};
use crate::context::Context;

/// A sum of whole numbers, with their count; wraps around at the ends of `i64`, as Spark's does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongSum {
    sum: i64,
    count: i64,
}

/// An accumulator of whole numbers.
pub type LongAccumulator = Registered<LongSum>;

impl LongSum {
    /// Returns the sum.
    #[must_use]
    pub fn sum(&self) -> i64 {
        self.sum
    }

    /// Returns how many numbers were added.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.count
    }

    /// Returns the average, which is not a number if nothing was added.
    #[must_use]
    pub fn avg(&self) -> f64 {
        self.sum as f64 / self.count as f64
    }
}

impl Accumulator for LongSum {
    type Input = i64;
    type Output = i64;

    fn is_zero(&self) -> bool {
        *self == LongSum::default()
    }

    fn reset(&mut self) {
        *self = LongSum::default();
    }

    fn add(&mut self, value: i64) {
        self.sum = self.sum.wrapping_add(value);
        self.count += 1;
    }

    fn merge(&mut self, other: Self) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.count += other.count;
    }

    fn value(&self) -> i64 {
        self.sum
    }
}

impl Context {
    /// Makes an accumulator of whole numbers, starting at 0.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let total = context.long_accumulator("total");
    /// context.parallelize(1..=20, 4).foreach_env(total.clone(), |total, n| total.add(n))?;
    /// assert_eq!((total.value(), total.count(), total.avg()), (210, 20, 10.5));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn long_accumulator<'a>(&self, name: impl Into<Option<&'a str>>) -> LongAccumulator {
        self.register(LongSum::default(), name)
    }
}

impl LongAccumulator {
    /// Returns the sum, the same as [`value`](Registered::value).
    #[must_use]
    pub fn sum(&self) -> i64 {
        self.state().sum
    }

    /// Returns how many numbers were added.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.state().count
    }

    /// Returns the average of the numbers, which is not a number if nothing was added.
    #[must_use]
    pub fn avg(&self) -> f64 {
        self.state().avg()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_counts_and_averages() {
        let mut long = LongSum::default();
        assert!(long.is_zero() && long.avg().is_nan());
        assert_eq!((long.count(), long.sum()), (0, 0));
        long.add(0);
        assert!(!long.is_zero());
        assert_eq!((long.count(), long.sum(), long.avg()), (1, 0, 0.0));
        long.add(1);
        assert_eq!((long.count(), long.sum(), long.avg()), (2, 1, 0.5));
        long.add(2);
        assert_eq!((long.count(), long.sum(), long.avg()), (3, 3, 1.0));
        let mut other = long.copy_and_reset();
        assert!(other.is_zero());
        other.add(2);
        long.merge(other);
        assert_eq!((long.count(), long.sum(), long.avg(), long.value()), (4, 5, 1.25, 5));
        long.reset();
        assert!(long.is_zero());
    }

    #[test]
    fn wraps_around_instead_of_panicking() {
        let mut long = LongSum::default();
        long.add(i64::MAX);
        long.add(1);
        assert_eq!(long.value(), i64::MIN);
        long.merge(LongSum { sum: -1, count: 1 });
        assert_eq!((long.value(), long.count()), (i64::MAX, 3));
    }
}
