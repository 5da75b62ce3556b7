//! `map_values`: one value for each, under the same key.

use std::sync::Arc;

use millstream_core::Data;

use crate::dstream::DStream;

impl<K: Data, V: Data> DStream<(K, V)> {
    /// Makes a value of each value; the keys stay, and so does how they are spread over the partitions.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![[('a', 1)], [('b', 2)]], |s| s.map_values(|n| n * 10), batches![[('a', 10)], [('b', 20)]]);
    /// ```
    #[track_caller]
    pub fn map_values<U: Data>(&self, f: impl Fn(V) -> U + Send + Sync + 'static) -> DStream<(K, U)> {
        let f = Arc::new(f);
        self.per_batch("map_values", move |rdd| {
            let f = Arc::clone(&f);
            rdd.map_values(move |value| f(value))
        })
    }
}
