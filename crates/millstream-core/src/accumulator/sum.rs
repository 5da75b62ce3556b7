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
    #[must_use]
    pub fn sum(&self) -> N {
        self.sum
    }

    /// Returns how many numbers were added.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.count
    }

    /// Returns the average of the numbers, which is not a number if nothing was added.
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
    #[must_use]
    pub fn sum(&self) -> N {
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
