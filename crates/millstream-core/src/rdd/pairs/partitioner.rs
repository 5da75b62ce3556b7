//! `partitioner`: the rule by which keys are spread.

use crate::data::{Data, Key};
use crate::rdd::Rdd;
use crate::shuffle::partitioner::{PartitionedBy, Partitioner};

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Returns the rule by which the keys are spread over the partitions, if there is one, to spread others alike.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let left = context.parallelize([(1, 'a')], 1).partition_by(3);
    /// let right = context.parallelize([(1, 'b')], 1);
    /// let right = left.partitioner().map_or(right.clone(), |same| right.partition_by(same));
    /// assert_eq!(right.partitioned_by(), left.partitioned_by());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn partitioner(&self) -> Option<Partitioner<K>> {
        self.partitioned_by().and_then(|spread| Partitioner::of(&spread))
    }

    /// Returns what the default partitioner depends on.
    pub(super) fn spreading(&self) -> (usize, Option<PartitionedBy>) {
        (self.num_partitions(), self.partitioned_by())
    }

    /// Returns the partitioner of an operator by key that is given none.
    pub(crate) fn default_partitioner(&self) -> Partitioner<K> {
        Partitioner::default_of(self.context(), &[self.spreading()])
    }

    /// Returns the partitioner of an operator on two RDDs that is given none.
    pub(crate) fn default_partitioner_beside<W: Data>(&self, other: &Rdd<(K, W)>) -> Partitioner<K> {
        Partitioner::default_of(self.context(), &[self.spreading(), other.spreading()])
    }
}
