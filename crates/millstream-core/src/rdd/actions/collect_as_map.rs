//! `collect_as_map`: all pairs as a map.

use std::collections::HashMap;

use crate::data::{Data, Key};
use crate::error::Result;
use crate::operator;
use crate::rdd::Rdd;

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Returns the pairs as a map, which must fit in memory; of several values of a key the last one stays.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let map = context.parallelize([('a', 1), ('b', 2), ('a', 3)], 2).collect_as_map()?;
    /// assert_eq!((map.len(), map[&'a'], map[&'b']), (2, 3, 2));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn collect_as_map(&self) -> Result<HashMap<K, V>> {
        let _composed = operator::composed("collect_as_map");
        Ok(self.collect()?.into_iter().collect())
    }
}
