//! `is_empty`: whether there are no records.

use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;

impl<T: Data> Rdd<T> {
    /// Returns whether there are no records, reading no more partitions than it must.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(0..9, 2);
    /// assert!(!numbers.is_empty()? && numbers.filter(|n| *n > 9).is_empty()?);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.take_as("is_empty", 1)?.is_empty())
    }
}
