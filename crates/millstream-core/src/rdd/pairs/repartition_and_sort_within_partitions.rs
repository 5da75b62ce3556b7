//! `repartition_and_sort_within_partitions`: pairs spread by a rule, each partition in the order of its keys.

use crate::data::{Data, Key};
use crate::rdd::Rdd;
use crate::shuffle::hash::pinned_hash;
use crate::shuffle::partitioner::Partitioner;

impl<K: Key + Ord, V: Data> Rdd<(K, V)> {
    /// Spreads the pairs by a partitioner and sorts each partition by key, smallest first; equal keys keep their order.
    ///
    /// A partition that has no room in memory is sorted on disk.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Partitioner;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([(3, 'c'), (2, 'b'), (1, 'a'), (0, 'z')], 2);
    /// let odd_even = Partitioner::custom_env(2, (), |(), key: &usize| key % 2);
    /// let sorted = pairs.repartition_and_sort_within_partitions(odd_even).glom();
    /// assert_eq!(sorted.collect()?, [[(0, 'z'), (2, 'b')], [(1, 'a'), (3, 'c')]]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn repartition_and_sort_within_partitions(
        &self,
        partitioner: impl Into<Partitioner<K>>,
    ) -> Rdd<(K, V)> {
        let name = "repartition_and_sort_within_partitions";
        self.sorted_within(name, partitioner.into(), true, pinned_hash::<K>)
    }
}
