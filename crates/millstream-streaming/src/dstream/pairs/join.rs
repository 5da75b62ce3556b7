//! `join`: the pairs with the same key of a stream and another one, or an RDD, batch by batch.

use millstream_core::{Data, Key, Partitioner};

use crate::dstream::{DStream, JoinSide};

impl<K: Key, V: Data> DStream<(K, V)> {
    /// Pairs each value of a key of a batch here with each of its values in `other`; keys of one side only are left out.
    ///
    /// `other` is a stream with the same slide, or an RDD that is the same for every batch. To join over more than a batch, put
    /// windows on the streams. All values of a key must fit in memory.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check_unordered};
    /// check_unordered(
    ///     batches![[(1, 'a'), (2, 'b')]],
    ///     |pairs| pairs.join(&pairs.filter(|(key, _)| *key == 1).map_values(|_| true)),
    ///     batches![[(1, ('a', true))]],
    /// );
    /// ```
    #[track_caller]
    pub fn join<W: Data>(&self, other: &impl JoinSide<(K, W)>) -> DStream<(K, (V, W))> {
        self.join_with(other, self.context().default_parallelism())
    }

    /// Joins like [`join`](DStream::join), with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check_unordered};
    /// check_unordered(
    ///     batches![[(1, 'a'), (2, 'b')]],
    ///     |pairs| pairs.join_with(&pairs.filter(|(key, _)| *key == 1).map_values(|_| true), 3),
    ///     batches![[(1, ('a', true))]],
    /// );
    /// ```
    #[track_caller]
    pub fn join_with<W: Data>(
        &self,
        other: &impl JoinSide<(K, W)>,
        partitioner: impl Into<Partitioner<K>>,
    ) -> DStream<(K, (V, W))> {
        self.per_batch_with_spread(other, "join", partitioner, |left, right, partitioner| {
            left.join_with(&right, partitioner)
        })
    }
}
