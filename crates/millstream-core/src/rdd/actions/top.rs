//! `top`: the greatest records.

use std::cmp::Reverse;

use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;

impl<T: Data + Ord> Rdd<T> {
    /// Returns the `n` greatest records in descending order; costs a heap of `n` records per task.
    ///
    /// # Errors
    /// If a task fails as often as it may, or the comparison panics.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize([4, 1, 3, 2], 2).top(2)?, [4, 3]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn top(&self, n: usize) -> Result<Vec<T>> {
        self.least_as("top", n, Reverse, |Reverse(record)| record)
    }
}
