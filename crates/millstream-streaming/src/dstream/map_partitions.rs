//! `map_partitions`: work on a whole partition of each batch.

use std::sync::Arc;

use millstream_core::{Data, Records};

use super::DStream;

impl<T: Data> DStream<T> {
    /// Makes records of each partition of each batch, read and written lazily.
    ///
    /// Called once per partition and batch, also for an empty partition.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![[1, 2, 3, 4]], |s| s.map_partitions(|part| [part.sum::<i32>()]), batches![[3, 7]]);
    /// ```
    #[track_caller]
    pub fn map_partitions<U: Data, I>(
        &self,
        f: impl Fn(Records<T>) -> I + Send + Sync + 'static,
    ) -> DStream<U>
    where
        I: IntoIterator<Item = U> + 'static,
        I::IntoIter: 'static,
    {
        let f = Arc::new(f);
        self.per_batch("map_partitions", move |rdd| {
            let f = Arc::clone(&f);
            rdd.map_partitions(move |records| f(records))
        })
    }
}
