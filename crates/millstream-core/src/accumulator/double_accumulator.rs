//! `double_accumulator`: a sum of floating-point numbers, their count and average.

use super::Registered;
use super::sum::Sum;
use crate::context::Context;

/// A sum of floating-point numbers, with their count.
pub type DoubleSum = Sum<f64>;

/// An accumulator of floating-point numbers.
pub type DoubleAccumulator = Registered<DoubleSum>;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accumulator::Accumulator;

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
