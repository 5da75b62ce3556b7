//! `count_by_key`: how many pairs each key has.

use std::collections::HashMap;

use super::count_by_value::added_up;
use crate::data::{Data, Key};
use crate::error::Result;
use crate::rdd::Rdd;
use crate::stream;

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Returns how many pairs each key has; the different keys must fit in memory.
    ///
    /// Counted in the tasks and added up here, without a shuffle.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let counts = context.parallelize([('a', 1), ('b', 1), ('a', 5)], 2).count_by_key()?;
    /// assert_eq!((counts.len(), counts[&'a'], counts[&'b']), (2, 2, 1));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn count_by_key(&self) -> Result<HashMap<K, u64>> {
        let parts = self.run("count_by_key", self.all_partitions(), (), |(), input, _| {
            let mut counts: HashMap<K, u64> = HashMap::new();
            stream::drain(input, |chunk| {
                chunk.into_vec().into_iter().for_each(|(key, _)| *counts.entry(key).or_default() += 1);
                Ok(())
            })?;
            Ok(counts.into_iter().collect::<Vec<_>>())
        })?;
        Ok(added_up(parts))
    }
}
