//! `left_outer_join`: the pairs of two streams with the same key, batch by batch.

use millstream_core::{Data, Key, Partitioner};

use crate::dstream::DStream;

impl<K: Key, V: Data> DStream<(K, V)> {
    /// Pairs each value of a key of a batch here with each of its values in `other`, or with `None`.
    ///
    /// Both streams must have the same slide; to join over more than a batch, put windows on them. All values of a key must fit
    /// in memory.
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
    pub fn left_outer_join<W: Data>(&self, other: &DStream<(K, W)>) -> DStream<(K, (V, Option<W>))> {
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
        other: &DStream<(K, W)>,
        partitioner: impl Into<Partitioner<K>>,
    ) -> DStream<(K, (V, Option<W>))> {
        let partitioner = partitioner.into();
        self.per_batch_with(other, "left_outer_join", move |left, right, _| {
            Ok(left.left_outer_join_with(&right, partitioner.clone()))
        })
    }
}
