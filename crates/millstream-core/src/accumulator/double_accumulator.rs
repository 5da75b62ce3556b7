//! `double_accumulator`: a sum of floating-point numbers, their count and average.

use serde::{Deserialize, Serialize};

use super::{Accumulator, Registered};
use crate::context::Context;

/// A sum of floating-point numbers, with their count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct DoubleSum {
    sum: f64,
    count: i64,
}

/// An accumulator of floating-point numbers.
pub type DoubleAccumulator = Registered<DoubleSum>;

impl DoubleSum {
    /// Returns the sum.
    #[must_use]
    pub fn sum(&self) -> f64 {
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
        self.sum / self.count as f64
    }
}

impl Accumulator for DoubleSum {
    type Input = f64;
    type Output = f64;

    fn is_zero(&self) -> bool {
        *self == DoubleSum::default()
    }

    fn reset(&mut self) {
        *self = DoubleSum::default();
    }

    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn merge(&mut self, other: Self) {
        self.sum += other.sum;
        self.count += other.count;
    }

    fn value(&self) -> f64 {
        self.sum
    }
}

impl Context {
    /// Makes an accumulator of floating-point numbers, starting at 0.0.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let total = context.double_accumulator("total");
    /// context.parallelize([0.5, 1.0, 1.5], 2).foreach_env(total.clone(), |total, n| total.add(n))?;
    /// assert_eq!((total.value(), total.count(), total.avg()), (3.0, 3, 1.0));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn double_accumulator<'a>(&self, name: impl Into<Option<&'a str>>) -> DoubleAccumulator {
        self.register(DoubleSum::default(), name)
    }
}

impl DoubleAccumulator {
    /// Returns the sum, the same as [`value`](Registered::value).
    #[must_use]
    pub fn sum(&self) -> f64 {
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
        let mut double = DoubleSum::default();
        assert!(double.is_zero() && double.avg().is_nan());
        assert_eq!((double.count(), double.sum()), (0, 0.0));
        double.add(0.0);
        assert!(!double.is_zero());
        assert_eq!((double.count(), double.sum(), double.avg()), (1, 0.0, 0.0));
        double.add(1.0);
        assert_eq!((double.count(), double.sum(), double.avg()), (2, 1.0, 0.5));
        double.add(2.0);
        assert_eq!((double.count(), double.sum(), double.avg()), (3, 3.0, 1.0));
        let mut other = double.copy_and_reset();
        assert!(other.is_zero());
        other.add(2.0);
        double.merge(other);
        assert_eq!((double.count(), double.sum(), double.avg(), double.value()), (4, 5.0, 1.25, 5.0));
        double.reset();
        assert!(double.is_zero());
    }
}
