//! `intersection`: the records two RDDs have in common.

use super::Rdd;
use crate::data::Key;
use crate::operator;
use crate::shuffle::partitioner::Partitioner;

impl<T: Key> Rdd<T> {
    /// Gives each record that is also in `other`, once.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let common = context.parallelize([1, 2, 2], 2).intersection(&context.parallelize([2, 3], 1));
    /// assert_eq!(common.collect()?, [2]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn intersection(&self, other: &Rdd<T>) -> Rdd<T> {
        let partitions = [(self.num_partitions(), None), (other.num_partitions(), None)];
        self.intersection_with(other, Partitioner::default_of(self.context(), &partitions))
    }

    /// Gives each record that is also in `other`, once, with a partitioner of records or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let common = context.parallelize([1, 2, 2], 2).intersection_with(&context.parallelize([2, 3], 1), 3);
    /// assert_eq!((common.num_partitions(), common.collect()?), (3, vec![2]));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn intersection_with(&self, other: &Rdd<T>, partitioner: impl Into<Partitioner<T>>) -> Rdd<T> {
        let _composed = operator::composed("intersection");
        let others = other.map(|record| (record, ()));
        let both = self.map(|record| (record, ())).cogroup_with(&others, partitioner);
        let common = both.filter(|(_, (left, right))| !left.is_empty() && !right.is_empty());
        common.keys()
    }
}
