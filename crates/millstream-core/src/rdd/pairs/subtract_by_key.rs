//! `subtract_by_key`: the pairs whose key another RDD lacks.

use super::Grouped;
use crate::data::{Data, Key};
use crate::operator;
use crate::rdd::Rdd;
use crate::shuffle::partitioner::Partitioner;

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Gives the pairs whose key is not in `other`, in as many partitions as there are.
    ///
    /// The values of `other` are not moved. All values of a key must fit in memory.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([(1, 'a'), (2, 'b')], 2);
    /// let others = context.parallelize([(2, 0.5)], 1);
    /// assert_eq!(pairs.subtract_by_key(&others).collect()?, [(1, 'a')]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn subtract_by_key<W: Data>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, V)> {
        self.subtract_by_key_with(other, self.partitioner().unwrap_or_else(|| self.num_partitions().into()))
    }

    /// Gives the pairs whose key is not in `other`, with a partitioner or a number of partitions.
    ///
    /// A side whose keys are already spread by the same partitioner is not moved.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([(1, 'a'), (2, 'b')], 2);
    /// let rest = pairs.subtract_by_key_with(&context.parallelize([(2, 0.5)], 1), 3);
    /// assert_eq!((rest.num_partitions(), rest.collect()?), (3, vec![(1, 'a')]));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn subtract_by_key_with<W: Data>(
        &self,
        other: &Rdd<(K, W)>,
        partitioner: impl Into<Partitioner<K>>,
    ) -> Rdd<(K, V)> {
        let mut partitioner = partitioner.into();
        if partitioner.partitions() == 0 && self.num_partitions() == 0 {
            // There is nothing to subtract from, but the other RDD's keys must go somewhere.
            partitioner = 1.into();
        }
        let _composed = operator::composed("subtract_by_key");
        let both = self.cogroup_with(&other.map_values(|_| ()), partitioner);
        let rest = |(): &(), (left, right): Grouped<V, ()>| if right.is_empty() { left } else { Vec::new() };
        both.flat_map_values_as("subtract_by_key", (), rest)
    }
}
