//! `first`: the first record.

use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;

impl<T: Data> Rdd<T> {
    /// Returns the first record, reading no more partitions than it must; nothing if there is none.
    ///
    /// (Spark throws an exception for an RDD without records.)
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize(3..9, 2).first()?, Some(3));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn first(&self) -> Result<Option<T>> {
        Ok(self.take_as("first", 1)?.pop())
    }
}
