//! `max`: the greatest record.

use std::cmp::Ordering;

use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;

impl<T: Data + Ord> Rdd<T> {
    /// Returns the greatest record; nothing if there is none.
    ///
    /// (Spark throws an exception for an RDD without records.)
    ///
    /// # Errors
    /// If a task fails as often as it may, or the comparison panics.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize([3, 5, 1], 2).max()?, Some(5));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn max(&self) -> Result<Option<T>> {
        self.reduce_as("max", (), |(): &(), a, b| Ord::max(a, b))
    }
}

impl<T: Data> Rdd<T> {
    /// Returns the greatest record by a comparison of one's own; nothing if there is none.
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
    /// assert_eq!(scores.max_by(|a, b| a.1.total_cmp(&b.1))?, Some(('b', 2.5)));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn max_by<F>(&self, compare: F) -> Result<Option<T>>
    where
        F: Fn(&T, &T) -> Ordering + Clone + Send + Sync + 'static,
    {
        self.reduce_as("max_by", (), move |(): &(), a, b| if compare(&b, &a).is_lt() { a } else { b })
    }
}
