//! `top`: the greatest records.

use std::cmp::Ordering;

use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;

impl<T: Data + Ord> Rdd<T> {
    /// Returns the `n` greatest records in descending order; a task holds at most twice as many.
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
        self.least_as("top", n, |a, b| b.cmp(a))
    }
}

impl<T: Data> Rdd<T> {
    /// Returns the `n` greatest records by a comparison of one's own, in descending order.
    ///
    /// # Errors
    /// If a task fails as often as it may, or the comparison panics.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let counts = context.parallelize([("to".to_owned(), 2), ("be".to_owned(), 5), ("or".to_owned(), 1)], 2);
    /// let top = counts.top_by(2, |a, b| a.1.cmp(&b.1))?;
    /// assert_eq!(top, [("be".to_owned(), 5), ("to".to_owned(), 2)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn top_by<F>(&self, n: usize, compare: F) -> Result<Vec<T>>
    where
        F: Fn(&T, &T) -> Ordering + Clone + Send + Sync + 'static,
    {
        self.least_as("top_by", n, move |a, b| compare(b, a))
    }
}
