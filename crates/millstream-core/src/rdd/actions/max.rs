//! `max`: the greatest record.

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
