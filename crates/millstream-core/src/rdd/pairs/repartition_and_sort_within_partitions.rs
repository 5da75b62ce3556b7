//! `repartition_and_sort_within_partitions`: pairs spread by a rule, each partition in the order of its keys.

use std::panic::Location;

use crate::data::{Data, Key};
use crate::error::Result;
use crate::function::CodeAddress;
use crate::rdd::in_place::InPlace;
use crate::rdd::{AnyRdd, Rdd, Rebuild, Rebuilding};
use crate::shuffle::hash::pinned_hash;
use crate::shuffle::partitioner::Partitioner;
use crate::shuffle::sorter::sort;

const NAME: &str = "repartition_and_sort_within_partitions";

impl<K: Key + Ord, V: Data> Rdd<(K, V)> {
    /// Spreads the pairs by a partitioner and sorts each partition by key, smallest first; equal keys keep their order.
    ///
    /// Where the pairs are spread so already nothing is moved. A partition that has no room in memory is sorted on disk.
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
        let partitioner = partitioner.into();
        if self.partitioned_by() == Some(partitioner.identity()) {
            return self.sorted_in_place();
        }
        self.sorted_within(NAME, partitioner, true, pinned_hash::<K>)
    }

    #[track_caller]
    fn sorted_in_place(&self) -> Rdd<(K, V)> {
        fn rebuild<K: Key + Ord, V: Data>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            Ok(Rdd::<(K, V)>::from_any(from.parent(0)?)?.sorted_in_place().any())
        }
        let rebuild: Rebuild = rebuild::<K, V>;
        let build = CodeAddress::of::<(K, V)>(rebuild as usize);
        let sorted = InPlace::new(self, build, (), Box::new(|input, task| sort(input, 0, true, task)));
        sorted.into_rdd(NAME, Location::caller(), 0)
    }
}
