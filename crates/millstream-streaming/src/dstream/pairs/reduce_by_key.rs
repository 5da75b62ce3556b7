//! `reduce_by_key`: one value per key and batch.

use std::sync::Arc;

use millstream_core::{Data, Key, Partitioner};

use crate::dstream::DStream;

impl<K: Key, V: Data> DStream<(K, V)> {
    /// Merges the values of each key of a batch with an associative function.
    ///
    /// There are as many partitions as `spark.default.parallelism` says (by default the number of worker threads).
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check_unordered};
    /// check_unordered(
    ///     batches![[("a".to_owned(), 1), ("b".to_owned(), 1), ("a".to_owned(), 1)], []],
    ///     |pairs| pairs.reduce_by_key(|a, b| a + b),
    ///     batches![[("a".to_owned(), 2), ("b".to_owned(), 1)], []],
    /// );
    /// ```
    #[track_caller]
    pub fn reduce_by_key(&self, f: impl Fn(V, V) -> V + Send + Sync + 'static) -> DStream<(K, V)> {
        self.reduce_by_key_with(f, self.context().default_parallelism())
    }

    /// Merges the values of each key of a batch, with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![[(1, 2), (1, 3)]], |s| s.reduce_by_key_with(|a, b| a + b, 1), batches![[(1, 5)]]);
    /// ```
    #[track_caller]
    pub fn reduce_by_key_with(
        &self,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
        partitioner: impl Into<Partitioner<K>>,
    ) -> DStream<(K, V)> {
        let f = Arc::new(f);
        self.per_batch_spread("reduce_by_key", partitioner, move |rdd, partitioner| {
            let f = Arc::clone(&f);
            rdd.reduce_by_key_with(move |a, b| f(a, b), partitioner)
        })
    }
}
