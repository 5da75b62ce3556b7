//! `Sum`: what accumulators of numbers hold.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use super::{Accumulator, Registered};
use crate::rdd::actions::Number;

/// A sum of numbers, with their count; whole numbers wrap around at the ends of `i64`, as Spark's do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum<N> {
    sum: N,
    count: i64,
}

/// What an accumulator can sum: `i64` and `f64`.
pub trait Summand: Number + Default + PartialEq + Debug {
    /// Returns the sum of two numbers.
    #[must_use]
    fn plus(self, other: Self) -> Self;
}

impl Summand for i64 {
    fn plus(self, other: i64) -> i64 {
        self.wrapping_add(other)
    }
}

impl Summand for f64 {
    fn plus(self, other: f64) -> f64 {
        self + other
    }
}

impl<N: Summand> Sum<N> {
    /// Returns the sum.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Accumulator, LongSum};
    ///
    /// let mut lengths = LongSum::default();
    /// lengths.add(2);
    /// lengths.add(4);
    /// assert_eq!(lengths.sum(), 6);
    /// ```
    #[must_use]
    pub fn sum(&self) -> N {
        self.sum
    }

    /// Returns how many numbers were added.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Accumulator, LongSum};
    ///
    /// let mut lengths = LongSum::default();
    /// lengths.add(2);
    /// lengths.add(4);
    /// assert_eq!(lengths.count(), 2);
    /// ```
    #[must_use]
    pub fn count(&self) -> i64 {
        self.count
    }

    /// Returns the average of the numbers, which is not a number if nothing was added.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Accumulator, DoubleSum};
    ///
    /// let mut lengths = DoubleSum::default();
    /// assert!(lengths.avg().is_nan());
    /// lengths.add(2.0);
    /// lengths.add(5.0);
    /// assert_eq!(lengths.avg(), 3.5);
    /// ```
    #[must_use]
    pub fn avg(&self) -> f64 {
        self.sum.to_f64() / self.count as f64
    }
}

impl<N: Summand> Accumulator for Sum<N> {
    type Input = N;
    type Output = N;

    fn is_zero(&self) -> bool {
        *self == Sum::default()
    }

    fn reset(&mut self) {
        *self = Sum::default();
    }

    fn add(&mut self, value: N) {
        self.sum = self.sum.plus(value);
        self.count += 1;
    }

    fn merge(&mut self, other: Self) {
        self.sum = self.sum.plus(other.sum);
        self.count += other.count;
    }

    fn value(&self) -> N {
        self.sum
    }
}

impl<N: Summand> Registered<Sum<N>> {
    /// Returns the sum, the same as [`value`](Registered::value).
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let lengths = context.long_accumulator("lengths");
    /// context.parallelize([2, 4], 2).foreach_env(lengths.clone(), |lengths, n| lengths.add(n))?;
    /// assert_eq!(lengths.sum(), 6);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn sum(&self) -> N {
        self.state().sum
    }

    /// Returns how many numbers were added.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let lengths = context.long_accumulator("lengths");
    /// context.parallelize([2, 4], 2).foreach_env(lengths.clone(), |lengths, n| lengths.add(n))?;
    /// assert_eq!(lengths.count(), 2);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn count(&self) -> i64 {
        self.state().count
    }

    /// Returns the average of the numbers, which is not a number if nothing was added.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let lengths = context.double_accumulator("lengths");
    /// context.parallelize([2.0, 5.0], 2).foreach_env(lengths.clone(), |lengths, n| lengths.add(n))?;
    /// assert_eq!(lengths.avg(), 3.5);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn avg(&self) -> f64 {
        self.state().avg()
    }
}
