//! `group_by_key`: all values of each key of a batch.

use millstream_core::{Data, Key, Partitioner};

use crate::dstream::DStream;

impl<K: Key, V: Data> DStream<(K, V)> {
    /// Gathers the values of each key of a batch, in the order in which they arrived.
    ///
    /// All values of a key must fit in memory; to merge them, `reduce_by_key` moves far less.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check_unordered};
    /// check_unordered(
    ///     batches![[(1, 'a'), (2, 'b'), (1, 'c')], []],
    ///     |pairs| pairs.group_by_key(),
    ///     batches![[(1, vec!['a', 'c']), (2, vec!['b'])], []],
    /// );
    /// ```
    #[track_caller]
    pub fn group_by_key(&self) -> DStream<(K, Vec<V>)> {
        self.group_by_key_with(self.context().default_parallelism())
    }

    /// Gathers the values of each key of a batch, with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![[(1, 'a'), (1, 'b')]], |s| s.group_by_key_with(1), batches![[(1, vec!['a', 'b'])]]);
    /// ```
    #[track_caller]
    pub fn group_by_key_with(&self, partitioner: impl Into<Partitioner<K>>) -> DStream<(K, Vec<V>)> {
        self.per_batch_spread("group_by_key", partitioner, |rdd, partitioner| {
            rdd.group_by_key_with(partitioner)
        })
    }
}
