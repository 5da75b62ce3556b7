//! `aggregate`: all records in a value of another type.

use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;

impl<T: Data> Rdd<T> {
    /// Adds the records of each partition to `zero`, then merges the results of the partitions, again from `zero`.
    ///
    /// `zero` must be neutral, or it counts once for each partition and once more. The results of the partitions are merged
    /// in their order.
    ///
    /// # Errors
    /// If a task fails as often as it may, or `merge` panics.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let words = context.parallelize(["to", "be", "not"].map(String::from), 2);
    /// let letters = words.aggregate(0, |sum, word| sum + word.len(), |a, b| a + b)?;
    /// assert_eq!(letters, 7);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn aggregate<U: Data>(
        &self,
        zero: U,
        add: impl Fn(U, T) -> U + Send + Sync + 'static,
        merge: impl Fn(U, U) -> U,
    ) -> Result<U> {
        self.aggregate_as("aggregate", zero, add, merge)
    }
}
