//! `repartition`: another number of partitions for each batch.

use millstream_core::Data;

use super::DStream;

impl<T: Data> DStream<T> {
    /// Spreads the records of each batch evenly over `partitions`, to use more workers than the input has blocks.
    ///
    /// Every record is moved.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(
    ///     batches![[1, 2, 3, 4, 5, 6]],
    ///     |s| s.repartition(3).map_partitions(|records| [records.count()]),
    ///     batches![[2, 2, 2]],
    /// );
    /// ```
    #[track_caller]
    #[must_use]
    pub fn repartition(&self, partitions: usize) -> DStream<T> {
        self.per_batch_spread::<(), _>("repartition", partitions, move |rdd, _| rdd.repartition(partitions))
    }
}
