//! `count`: how many records each batch has.

use millstream_core::Data;

use super::DStream;

impl<T: Data> DStream<T> {
    /// Makes one record of each batch: the number of its records, also if there are none.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![[7, 8], [], [9]], |s| s.count(), batches![[2], [0], [1]]);
    /// ```
    #[track_caller]
    pub fn count(&self) -> DStream<u64> {
        self.per_batch("count", |rdd| {
            // So that there is a record also for a batch without partitions.
            let zero = rdd.context().parallelize([((), 0)], 1);
            let counts = rdd.map_ref(|_| ()).map_partitions(|records| [((), records.count() as u64)]);
            counts.union(&zero).reduce_by_key_with(|a, b| a + b, 1).map(|((), count)| count)
        })
    }
}
