//! `map`: one record for each.

use std::sync::Arc;

use millstream_core::Data;

use super::DStream;

impl<T: Data> DStream<T> {
    /// Makes a record of each record.
    ///
    /// The closure owns its argument; where the records are shared (windows, two consumers of a kept stream) it gets a
    /// clone, so prefer [`map_ref`](DStream::map_ref) for large records that are only looked at.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![[1, 2], [], [3]], |s| s.map(|n| n * 10), batches![[10, 20], [], [30]]);
    /// ```
    #[track_caller]
    pub fn map<U: Data>(&self, f: impl Fn(T) -> U + Send + Sync + 'static) -> DStream<U> {
        let f = Arc::new(f);
        self.per_batch("map", move |rdd| {
            let f = Arc::clone(&f);
            rdd.map(move |record| f(record))
        })
    }

    /// Makes a record of each record, which is only borrowed: nothing is cloned.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![["a".to_owned()]], |s| s.map_ref(|word| word.len()), batches![[1]]);
    /// ```
    #[track_caller]
    pub fn map_ref<U: Data>(&self, f: impl Fn(&T) -> U + Send + Sync + 'static) -> DStream<U> {
        let f = Arc::new(f);
        self.per_batch("map_ref", move |rdd| {
            let f = Arc::clone(&f);
            rdd.map_ref(move |record| f(record))
        })
    }
}
