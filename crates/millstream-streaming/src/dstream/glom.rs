//! `glom`: each partition of a batch as one record.

use millstream_core::Data;

use super::DStream;

impl<T: Data> DStream<T> {
    /// Makes one record of each partition of a batch: the list of its records, which must fit in memory.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// // The batches of `check` have two partitions.
    /// check(batches![[1, 2, 3, 4], []], |s| s.glom(), batches![[vec![1, 2], vec![3, 4]], [vec![], vec![]]]);
    /// ```
    #[track_caller]
    #[must_use]
    pub fn glom(&self) -> DStream<Vec<T>> {
        self.per_batch("glom", |rdd| rdd.glom())
    }
}
