//! `reduce`: all records of a batch in one.

use std::sync::Arc;

use millstream_core::Data;

use super::DStream;

impl<T: Data> DStream<T> {
    /// Merges all records of each batch with an associative function; a batch without records gives none.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![[1, 2, 3], [], [4]], |s| s.reduce(|a, b| a + b), batches![[6], [], [4]]);
    /// ```
    #[track_caller]
    pub fn reduce(&self, f: impl Fn(T, T) -> T + Send + Sync + 'static) -> DStream<T> {
        let f = Arc::new(f);
        self.per_batch("reduce", move |rdd| {
            let f = Arc::clone(&f);
            rdd.map(|record| ((), record))
                .reduce_by_key_with(move |a, b| f(a, b), 1)
                .map(|((), merged)| merged)
        })
    }
}
