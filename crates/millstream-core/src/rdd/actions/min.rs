//! `min`: the least record.

use std::cmp::Ordering;

use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;

impl<T: Data + Ord> Rdd<T> {
    /// Returns the least record; nothing if there is none.
    ///
    /// (Spark throws an exception for an RDD without records.)
    ///
    /// # Errors
    /// If a task fails as often as it may, or the comparison panics.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize([3, 5, 1], 2).min()?, Some(1));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn min(&self) -> Result<Option<T>> {
        self.reduce_as("min", (), |(): &(), a, b| Ord::min(a, b))
    }
}

impl<T: Data> Rdd<T> {
    /// Returns the least record by a comparison of one's own; nothing if there is none.
    ///
    /// For records without an order, such as floating-point numbers, or another one than theirs.
    ///
    /// # Errors
    /// If a task fails as often as it may, or the comparison panics.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let scores = context.parallelize([('a', 0.5_f64), ('b', 2.5), ('c', 1.0)], 2);
    /// assert_eq!(scores.min_by(|a, b| a.1.total_cmp(&b.1))?, Some(('a', 0.5)));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn min_by<F>(&self, compare: F) -> Result<Option<T>>
    where
        F: Fn(&T, &T) -> Ordering + Clone + Send + Sync + 'static,
    {
        self.reduce_as("min_by", (), move |(): &(), a, b| if compare(&b, &a).is_lt() { b } else { a })
    }
}
