//! `subtract`: the records another RDD lacks.

use super::Rdd;
use crate::data::Key;
use crate::operator;
use crate::shuffle::partitioner::Partitioner;

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
        self.subtract_with(other, self.num_partitions())
    }

    /// Gives the records that are not in `other`, with a partitioner of records or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let rest = context.parallelize([1, 1, 2], 2).subtract_with(&context.parallelize([2, 3], 1), 4);
    /// assert_eq!((rest.num_partitions(), rest.collect()?), (4, vec![1, 1]));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn subtract_with(&self, other: &Rdd<T>, partitioner: impl Into<Partitioner<T>>) -> Rdd<T> {
        let _composed = operator::composed("subtract");
        let others = other.map(|record| (record, ()));
        self.map(|record| (record, ())).subtract_by_key_with(&others, partitioner).keys()
    }
}
