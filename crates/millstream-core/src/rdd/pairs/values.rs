//! `values`: the value of each pair.

use crate::data::Data;
use crate::rdd::Rdd;
use crate::rdd::narrow::Form;

impl<K: Data, V: Data> Rdd<(K, V)> {
    /// Gives the value of each pair, duplicates included.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([("a".to_owned(), 1), ("b".to_owned(), 2)], 1);
    /// assert_eq!(pairs.values().collect()?, [1, 2]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn values(&self) -> Rdd<V> {
        self.per_chunk(Form::new("values"), |(), chunk| chunk.map(|(_, value)| value))
    }
}
