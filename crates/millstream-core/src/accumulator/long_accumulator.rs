//! `long_accumulator`: a sum of whole numbers, their count and average.

use super::Registered;
use super::sum::Sum;
use crate::context::Context;

/// A sum of whole numbers, with their count, wrapping around at the ends of `i64` as Spark's does.
pub type LongSum = Sum<i64>;

/// An accumulator of whole numbers.
pub type LongAccumulator = Registered<LongSum>;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accumulator::Accumulator;

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
        let mut less = LongSum::default();
        less.add(-1);
        long.merge(less);
        assert_eq!((long.value(), long.count()), (i64::MAX, 3));
    }
}
