//! `flat_map_values`: any number of values for each, under the same key.

use std::sync::Arc;

use millstream_core::Data;

use crate::dstream::DStream;

impl<K: Data, V: Data> DStream<(K, V)> {
    /// Makes any number of values of each value, all under its key; how keys are spread over the partitions stays.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(
    ///     batches![[('a', 2), ('b', 0)]],
    ///     |s| s.flat_map_values(|n| 0..n),
    ///     batches![[('a', 0), ('a', 1)]],
    /// );
    /// ```
    #[track_caller]
    pub fn flat_map_values<U: Data, I>(&self, f: impl Fn(V) -> I + Send + Sync + 'static) -> DStream<(K, U)>
    where
        I: IntoIterator<Item = U>,
    {
        let f = Arc::new(f);
        self.per_batch("flat_map_values", move |rdd| {
            let f = Arc::clone(&f);
            rdd.flat_map_values(move |value| f(value))
        })
    }
}
