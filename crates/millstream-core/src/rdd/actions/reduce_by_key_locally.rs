//! `reduce_by_key_locally`: one value per key, as a map.

use std::collections::HashMap;
use std::panic::Location;

use super::merging;
use crate::data::{Data, Key};
use crate::error::Result;
use crate::rdd::Rdd;
use crate::rdd::method::Method;
use crate::shuffle::combine_table::CombineTable;
use crate::stream;

const METHOD: Method = Method::or(
    "reduce_by_key_locally",
    "reduce_by_key_env(values, |values, first, second| ..).collect_as_map()",
);

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Merges the values of each key and returns them as a map, which must fit in memory; nothing is shuffled.
    ///
    /// Values are merged in their order, those of a partition first.
    ///
    /// # Errors
    /// If a task fails as often as it may, or `f` panics.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let sums = context.parallelize([('a', 1), ('b', 2), ('a', 3)], 2).reduce_by_key_locally(|a, b| a + b)?;
    /// assert_eq!((sums.len(), sums[&'a']), (2, 4));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_key_locally<F>(&self, f: F) -> Result<HashMap<K, V>>
    where
        F: Fn(V, V) -> V + Clone + Send + Sync + 'static,
    {
        let place = Location::caller();
        let here = f.clone();
        let parts = self.run(METHOD, self.all_partitions(), (), move |(), input, _| {
            let mut table: CombineTable<K, V> = CombineTable::new();
            stream::drain(input, |chunk| {
                table.merge_chunk(chunk.into_vec(), |value| value, &here);
                Ok(())
            })?;
            Ok(table.into_entries())
        })?;
        merging(METHOD.name, place, || {
            let mut merged = CombineTable::new();
            parts.into_iter().for_each(|entries| merged.merge_entries(entries, &f));
            merged.into_entries().into_iter().map(|(_, key, value)| (key, value)).collect()
        })
    }
}
