//! `filter`: keep some records.

use std::sync::Arc;

use millstream_core::Data;

use super::DStream;

impl<T: Data> DStream<T> {
    /// Keeps the records for which `predicate` holds; none is cloned.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![[1, 2, 3], [4]], |s| s.filter(|n| n % 2 == 0), batches![[2], [4]]);
    /// ```
    #[track_caller]
    pub fn filter(&self, predicate: impl Fn(&T) -> bool + Send + Sync + 'static) -> DStream<T> {
        let predicate = Arc::new(predicate);
        self.per_batch("filter", move |rdd| {
            let predicate = Arc::clone(&predicate);
            rdd.filter(move |record| predicate(record))
        })
    }
}
