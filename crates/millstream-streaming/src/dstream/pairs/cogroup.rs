//! `cogroup`: the values of each key in two streams, side by side.

use millstream_core::rdd::Grouped;
use millstream_core::{Data, Key, Partitioner};

use crate::dstream::{DStream, JoinSide};

impl<K: Key, V: Data> DStream<(K, V)> {
    /// Gathers, for each key of either stream's batch, its values here and its values in `other`.
    ///
    /// `other` is a stream with the same slide, or an RDD that is the same for every batch. All values of a key must fit in
    /// memory.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check_unordered};
    /// check_unordered(
    ///     batches![[(1, 'a'), (2, 'b')]],
    ///     |pairs| pairs.cogroup(&pairs.filter(|(key, _)| *key == 2).map(|(key, _)| (key, true))),
    ///     batches![[(1, (vec!['a'], vec![])), (2, (vec!['b'], vec![true]))]],
    /// );
    /// ```
    #[track_caller]
    pub fn cogroup<W: Data>(&self, other: &impl JoinSide<(K, W)>) -> DStream<(K, Grouped<V, W>)> {
        self.cogroup_with(other, self.context().default_parallelism())
    }

    /// Gathers the values of each key in both streams, with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![[(1, 'a')]], |s| s.cogroup_with(s, 1), batches![[(1, (vec!['a'], vec!['a']))]]);
    /// ```
    #[track_caller]
    pub fn cogroup_with<W: Data>(
        &self,
        other: &impl JoinSide<(K, W)>,
        partitioner: impl Into<Partitioner<K>>,
    ) -> DStream<(K, Grouped<V, W>)> {
        self.per_batch_with_spread(other, "cogroup", partitioner, |left, right, partitioner| {
            left.cogroup_with(&right, partitioner)
        })
    }
}
