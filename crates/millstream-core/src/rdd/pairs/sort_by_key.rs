//! `sort_by_key`: pairs in the order of their keys.

use std::panic::Location;

use crate::data::Data;
use crate::error::Result;
use crate::function::CodeAddress;
use crate::rdd::exchange::{Exchange, sent_with};
use crate::rdd::{AnyRdd, Rdd, Rebuild, Rebuilding};
use crate::shuffle::collector::collect;
use crate::shuffle::partitioner::Partitioner;
use crate::shuffle::sorter::sorted;

impl<K: Data + Ord, V: Data> Rdd<(K, V)> {
    /// Sorts the pairs by their keys, smallest first, in as many partitions as there are; equal keys keep their order.
    ///
    /// Describing it runs a job, as in Spark: one pass that looks at some keys to find ranges of about equal size. Then each
    /// pair is moved to its range and the ranges are sorted. With few different keys there are fewer partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([(3, 'c'), (1, 'a'), (2, 'b')], 2);
    /// assert_eq!(pairs.sort_by_key().collect()?, [(1, 'a'), (2, 'b'), (3, 'c')]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn sort_by_key(&self) -> Rdd<(K, V)> {
        self.sort_by_key_with(true, self.num_partitions())
    }

    /// Sorts the pairs by their keys, the largest first unless `ascending`, in at most so many partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([(3, 'c'), (1, 'a'), (2, 'b')], 2);
    /// assert_eq!(pairs.sort_by_key_with(false, 1).collect()?, [(3, 'c'), (2, 'b'), (1, 'a')]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn sort_by_key_with(&self, ascending: bool, partitions: usize) -> Rdd<(K, V)> {
        self.sorted_as("sort_by_key", ascending, partitions)
    }

    /// Sorts by key under the name of the operator it is done for.
    #[track_caller]
    pub(crate) fn sorted_as(&self, name: &'static str, ascending: bool, partitions: usize) -> Rdd<(K, V)> {
        let place = Location::caller();
        match Partitioner::sampled(name, place, self, partitions, ascending) {
            // A range is found without a hash.
            Ok(ranges) => self.sorted_within(name, ranges, ascending, |_| 0),
            Err(error) => Rdd::checked(self.context(), name, place, Err(error), 0),
        }
    }

    /// Spreads the pairs by a partitioner, which is given each key's hash, and sorts each partition.
    #[track_caller]
    pub(super) fn sorted_within<H>(
        &self,
        name: &'static str,
        partitioner: Partitioner<K>,
        ascending: bool,
        hash: H,
    ) -> Rdd<(K, V)>
    where
        H: Fn(&K) -> u64 + Send + Sync + 'static,
    {
        fn rebuild<K: Data + Ord, V: Data, H>(from: &Rebuilding<'_>) -> Result<AnyRdd>
        where
            H: Fn(&K) -> u64 + Send + Sync + 'static,
        {
            let parent: Rdd<(K, V)> = Rdd::from_any(from.parent(0)?)?;
            let (partitioner, ascending) = sent_with::<K, bool>(from)?;
            Ok(parent.sorted_within("rebuilt", partitioner, ascending, from.build.conjure::<H>()?).any())
        }
        let rebuild: Rebuild = rebuild::<K, V, H>;
        let spread = partitioner.clone();
        let exchange = Exchange::new(
            self,
            &partitioner,
            CodeAddress::of::<H>(rebuild as usize),
            ascending,
            Box::new(move |input, task| {
                collect(input, spread.partitions(), task, |pair| {
                    (spread.partition(&pair.0, hash(&pair.0)), pair)
                })
            }),
            Box::new(move |input| sorted(input, ascending)),
        );
        exchange.into_rdd(self, name, Location::caller(), size_of::<H>())
    }
}
