//! `subtract`: the records another RDD lacks.

use super::Rdd;
use crate::data::Key;

impl<T: Key> Rdd<T> {
    /// Gives the records that are not in `other`, duplicates included, in as many partitions as there are.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let rest = context.parallelize([1, 1, 2], 2).subtract(&context.parallelize([2, 3], 1));
    /// assert_eq!(rest.collect()?, [1, 1]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn subtract(&self, other: &Rdd<T>) -> Rdd<T> {
        self.with_nothing("subtract").subtract_by_key(&other.with_nothing("subtract")).keys()
    }
}
