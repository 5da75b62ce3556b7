//! `count_by_value`: how often each record occurs.

use std::collections::HashMap;

use crate::data::Key;
use crate::error::Result;
use crate::rdd::Rdd;
use crate::stream;

impl<T: Key> Rdd<T> {
    /// Returns how often each record occurs; the different records must fit in memory.
    ///
    /// Counted in the tasks and added up here, without a shuffle.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let counts = context.parallelize([7, 8, 7], 2).count_by_value()?;
    /// assert_eq!((counts.len(), counts[&7], counts[&8]), (2, 2, 1));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn count_by_value(&self) -> Result<HashMap<T, u64>> {
        let parts = self.run("count_by_value", self.all_partitions(), (), |(), input, _| {
            let mut counts: HashMap<T, u64> = HashMap::new();
            stream::drain(input, |chunk| {
                chunk.into_vec().into_iter().for_each(|record| *counts.entry(record).or_default() += 1);
                Ok(())
            })?;
            Ok(counts.into_iter().collect::<Vec<_>>())
        })?;
        Ok(added_up(parts))
    }
}

/// Adds up the counts of the partitions.
pub(crate) fn added_up<K: Key>(parts: Vec<Vec<(K, u64)>>) -> HashMap<K, u64> {
    let mut sums = HashMap::new();
    for (key, count) in parts.into_iter().flatten() {
        *sums.entry(key).or_default() += count;
    }
    sums
}
