//! `count_by_value`: how often each record of a batch occurs.

use millstream_core::{Key, Partitioner};

use super::DStream;

impl<T: Key> DStream<T> {
    /// Counts how often each record of a batch occurs.
    ///
    /// There are as many partitions as `spark.default.parallelism` says (by default the number of worker threads).
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check_unordered};
    /// check_unordered(batches![[7, 8, 7], []], |s| s.count_by_value(), batches![[(7, 2), (8, 1)], []]);
    /// ```
    #[track_caller]
    pub fn count_by_value(&self) -> DStream<(T, u64)> {
        self.count_by_value_with(self.context().default_parallelism())
    }

    /// Counts how often each record of a batch occurs, with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![[7, 7]], |s| s.count_by_value_with(1), batches![[(7, 2)]]);
    /// ```
    #[track_caller]
    pub fn count_by_value_with(&self, partitioner: impl Into<Partitioner<T>>) -> DStream<(T, u64)> {
        self.per_batch_spread("count_by_value", partitioner, |rdd, partitioner| {
            rdd.map(|record| (record, 1)).reduce_by_key_with(|a, b| a + b, partitioner)
        })
    }
}
