//! `left_outer_join`: the pairs with the same key of a stream and another one, or an RDD, batch by batch.

use millstream_core::{Data, Key, Partitioner};

use crate::dstream::{DStream, JoinSide};

impl<K: Key, V: Data> DStream<(K, V)> {
    /// Pairs each value of a key of a batch here with each of its values in `other`, or with `None`.
    ///
    /// `other` is a stream with the same slide, or an RDD that is the same for every batch. To join over more than a batch, put
    /// windows on the streams. All values of a key must fit in memory.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check_unordered};
    /// check_unordered(
    ///     batches![[(1, 'a'), (2, 'b')]],
    ///     |pairs| pairs.left_outer_join(&pairs.filter(|(key, _)| *key == 1).map_values(|_| true)),
    ///     batches![[(1, ('a', Some(true))), (2, ('b', None))]],
    /// );
    /// ```
    #[track_caller]
    pub fn left_outer_join<W: Data>(&self, other: &impl JoinSide<(K, W)>) -> DStream<(K, (V, Option<W>))> {
        self.left_outer_join_with(other, self.context().default_parallelism())
    }

    /// Joins like [`left_outer_join`](DStream::left_outer_join), with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check_unordered};
    /// check_unordered(
    ///     batches![[(1, 'a'), (2, 'b')]],
    ///     |pairs| pairs.left_outer_join_with(&pairs.filter(|(key, _)| *key == 1).map_values(|_| true), 3),
    ///     batches![[(1, ('a', Some(true))), (2, ('b', None))]],
    /// );
    /// ```
    #[track_caller]
    pub fn left_outer_join_with<W: Data>(
        &self,
        other: &impl JoinSide<(K, W)>,
        partitioner: impl Into<Partitioner<K>>,
    ) -> DStream<(K, (V, Option<W>))> {
        self.per_batch_with_spread(other, "left_outer_join", partitioner, |left, right, partitioner| {
            left.left_outer_join_with(&right, partitioner)
        })
    }
}
