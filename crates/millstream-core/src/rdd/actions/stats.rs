//! `sum`, `mean`, `variance`, `stdev`, `stats`: figures of numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;
use crate::stream;

/// A number that can be reckoned with as an `f64`; implemented for all of Rust's, large integers being rounded.
pub trait Number: Data + Copy {
    /// Returns the nearest `f64`.
    fn to_f64(self) -> f64;
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl Number for $number {
            fn to_f64(self) -> f64 {
                self as f64
            }
        })*
    };
}
numbers!(f32, f64, i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

/// How many numbers there are, their mean, variance, least and greatest; as Spark's `StatCounter`.
///
/// Mean and variance are kept up in one pass and merged without loss of precision (Welford 1962; Chan, Golub and LeVeque 1979).
///
/// # Examples
/// ```
/// use millstream_core::StatCounter;
///
/// let stats: StatCounter = [1.0, 2.0, 3.0].into_iter().collect();
/// assert_eq!((stats.count(), stats.mean(), stats.sum()), (3, 2.0, 6.0));
/// assert_eq!(stats.to_string(), "(count: 3, mean: 2.000000, stdev: 0.816497, max: 3.000000, min: 1.000000)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StatCounter {
    count: u64,
    mean: f64,
    /// The sum of the squares of the distances from the mean.
    squares: f64,
    max: f64,
    min: f64,
}

impl Default for StatCounter {
    fn default() -> Self {
        StatCounter { count: 0, mean: 0.0, squares: 0.0, max: f64::NEG_INFINITY, min: f64::INFINITY }
    }
}

impl StatCounter {
    /// Adds a number.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::StatCounter;
    ///
    /// let mut stats = StatCounter::default();
    /// stats.add(1.0);
    /// stats.add(4.0);
    /// assert_eq!((stats.count(), stats.mean()), (2, 2.5));
    /// ```
    pub fn add(&mut self, number: f64) {
        let before = number - self.mean;
        self.count += 1;
        self.mean += before / self.count as f64;
        self.squares += before * (number - self.mean);
        self.max = self.max.max(number);
        self.min = self.min.min(number);
    }

    /// Adds the numbers of another counter.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::StatCounter;
    ///
    /// let mut stats: StatCounter = [1.0, 2.0].into_iter().collect();
    /// stats.merge(&[6.0].into_iter().collect());
    /// assert_eq!((stats.count(), stats.mean()), (3, 3.0));
    /// ```
    pub fn merge(&mut self, other: &StatCounter) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let apart = other.mean - self.mean;
        let (here, there) = (self.count as f64, other.count as f64);
        self.mean += apart * there / (here + there);
        self.squares += other.squares + apart * apart * here * there / (here + there);
        self.count += other.count;
        self.max = self.max.max(other.max);
        self.min = self.min.min(other.min);
    }

    /// Returns how many numbers there are.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::StatCounter;
    /// assert_eq!([1.0, 4.0].into_iter().collect::<StatCounter>().count(), 2);
    /// ```
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the mean; 0 without numbers.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::StatCounter;
    /// assert_eq!([1.0, 4.0].into_iter().collect::<StatCounter>().mean(), 2.5);
    /// ```
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Returns the sum.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::StatCounter;
    /// assert_eq!([1.0, 4.0].into_iter().collect::<StatCounter>().sum(), 5.0);
    /// ```
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.mean * self.count as f64
    }

    /// Returns the greatest number; minus infinity without numbers.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::StatCounter;
    /// assert_eq!([1.0, 4.0].into_iter().collect::<StatCounter>().max(), 4.0);
    /// ```
    #[must_use]
    pub fn max(&self) -> f64 {
        self.max
    }

    /// Returns the least number; infinity without numbers.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::StatCounter;
    /// assert_eq!([1.0, 4.0].into_iter().collect::<StatCounter>().min(), 1.0);
    /// ```
    #[must_use]
    pub fn min(&self) -> f64 {
        self.min
    }

    /// Returns the variance of these numbers; not a number without any.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::StatCounter;
    /// assert_eq!([1.0, 3.0].into_iter().collect::<StatCounter>().variance(), 1.0);
    /// ```
    #[must_use]
    pub fn variance(&self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.squares / self.count as f64 }
    }

    /// Returns the variance of what these numbers are a sample of (divided by n - 1); not a number for fewer than two.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::StatCounter;
    /// assert_eq!([1.0, 3.0].into_iter().collect::<StatCounter>().sample_variance(), 2.0);
    /// ```
    #[must_use]
    pub fn sample_variance(&self) -> f64 {
        if self.count < 2 { f64::NAN } else { self.squares / (self.count - 1) as f64 }
    }

    /// Returns the standard deviation of these numbers.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::StatCounter;
    /// assert_eq!([1.0, 5.0].into_iter().collect::<StatCounter>().stdev(), 2.0);
    /// ```
    #[must_use]
    pub fn stdev(&self) -> f64 {
        self.variance().sqrt()
    }

    /// Returns the standard deviation of what these numbers are a sample of.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::StatCounter;
    /// assert_eq!([1.0, 1.0, 4.0].into_iter().collect::<StatCounter>().sample_stdev(), 3_f64.sqrt());
    /// ```
    #[must_use]
    pub fn sample_stdev(&self) -> f64 {
        self.sample_variance().sqrt()
    }
}

impl FromIterator<f64> for StatCounter {
    fn from_iter<I: IntoIterator<Item = f64>>(numbers: I) -> Self {
        let mut stats = StatCounter::default();
        numbers.into_iter().for_each(|number| stats.add(number));
        stats
    }
}

impl fmt::Display for StatCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mean, stdev, max, min) = (self.mean(), self.stdev(), self.max(), self.min());
        write!(f, "(count: {}, mean: {mean:.6}, stdev: {stdev:.6}, max: {max:.6}, min: {min:.6})", self.count)
    }
}

impl<T: Number> Rdd<T> {
    /// Returns count, mean, variance, least and greatest of the numbers, in one job.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let stats = context.parallelize([1, 2, 3, 4], 2).stats()?;
    /// assert_eq!((stats.count(), stats.mean(), stats.variance(), stats.max()), (4, 2.5, 1.25, 4.0));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn stats(&self) -> Result<StatCounter> {
        self.stats_as("stats")
    }

    /// Returns the sum as an `f64`; to add integers exactly, `fold(0, |a, b| a + b)`.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize([0.5, 1.5, 2.0], 2).sum()?, 4.0);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn sum(&self) -> Result<f64> {
        let parts = self.run("sum", self.all_partitions(), (), |(), input, _| {
            let mut sum = 0.0;
            stream::drain(input, |chunk| {
                chunk.for_each(|number| sum += number.to_f64());
                Ok(())
            })?;
            Ok(sum)
        })?;
        // Begun from 0.0: the sum of no floats is -0.0.
        Ok(parts.into_iter().fold(0.0, |sum: f64, part: f64| sum + part))
    }

    /// Returns the mean; 0 without numbers.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize([1, 2], 2).mean()?, 1.5);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn mean(&self) -> Result<f64> {
        Ok(self.stats_as("mean")?.mean())
    }

    /// Returns the variance of the numbers; not a number without any.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize([1, 3], 2).variance()?, 1.0);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[doc(alias = "popVariance")]
    #[track_caller]
    pub fn variance(&self) -> Result<f64> {
        Ok(self.stats_as("variance")?.variance())
    }

    /// Returns the standard deviation of the numbers.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize([1, 5], 2).stdev()?, 2.0);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[doc(alias = "popStdev")]
    #[track_caller]
    pub fn stdev(&self) -> Result<f64> {
        Ok(self.stats_as("stdev")?.stdev())
    }

    /// Returns the variance of what the numbers are a sample of (divided by n - 1).
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize([1, 3], 2).sample_variance()?, 2.0);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn sample_variance(&self) -> Result<f64> {
        Ok(self.stats_as("sample_variance")?.sample_variance())
    }

    /// Returns the standard deviation of what the numbers are a sample of.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize([1, 1, 4], 2).sample_stdev()?, 3_f64.sqrt());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn sample_stdev(&self) -> Result<f64> {
        Ok(self.stats_as("sample_stdev")?.sample_stdev())
    }

    #[track_caller]
    pub(super) fn stats_as(&self, name: &'static str) -> Result<StatCounter> {
        let parts = self.run(name, self.all_partitions(), (), |(), input, _| {
            let mut stats = StatCounter::default();
            stream::drain(input, |chunk| {
                chunk.for_each(|number| stats.add(number.to_f64()));
                Ok(())
            })?;
            Ok(stats)
        })?;
        let mut stats = StatCounter::default();
        parts.iter().for_each(|part| stats.merge(part));
        Ok(stats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conf, Context};

    #[test]
    fn partitions_without_numbers_change_nothing() {
        let context = Context::new(Conf::empty()).unwrap();
        let stats = context.parallelize([4.0, 2.0], 7).stats().unwrap();
        assert_eq!(stats, [4.0, 2.0].into_iter().collect());
        assert_eq!((stats.min(), stats.max(), stats.stdev()), (2.0, 4.0, 1.0));
        let none = context.parallelize(Vec::<f64>::new(), 2);
        assert_eq!((none.sum().unwrap(), none.mean().unwrap()), (0.0, 0.0));
        assert!(none.variance().unwrap().is_nan() && none.sum().unwrap().is_sign_positive());
    }

    #[test]
    fn merging_is_as_precise_as_one_pass() {
        let numbers: Vec<f64> = (0..1000).map(|n| 1e9 + f64::from(n % 7)).collect();
        let one: StatCounter = numbers.iter().copied().collect();
        let mut merged = StatCounter::default();
        numbers.chunks(13).for_each(|part| merged.merge(&part.iter().copied().collect()));
        assert!((one.variance() - merged.variance()).abs() < 1e-6);
        assert!((one.variance() - 3.999).abs() < 0.01, "{}", one.variance());
    }
}
