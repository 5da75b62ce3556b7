//! `map`: one record for each.

use super::Rdd;
use super::narrow::Form;
use crate::data::Data;

impl<T: Data> Rdd<T> {
    /// Makes a record of each record.
    ///
    /// The closure owns its argument; where the records are shared (cached, queued, read twice) it gets a clone, so
    /// prefer [`map_ref`](Rdd::map_ref) for large records that are only looked at.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize(["a", "b"].map(String::from), 1).map(|word| (word, 1));
    /// assert_eq!(pairs.collect()?, [("a".into(), 1), ("b".into(), 1)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn map<U: Data>(&self, f: impl Fn(T) -> U + Send + Sync + 'static) -> Rdd<U> {
        self.per_chunk(Form::new("map"), move |(), chunk| chunk.map(&f))
    }

    /// Makes a record of each record, which is only borrowed: nothing is cloned.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let lengths = context.parallelize(["a", "bcd"].map(String::from), 1).map_ref(|word| word.len());
    /// assert_eq!(lengths.collect()?, [1, 3]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn map_ref<U: Data>(&self, f: impl Fn(&T) -> U + Send + Sync + 'static) -> Rdd<U> {
        self.per_chunk(Form::new("map_ref"), move |(), chunk| chunk.map_ref(&f))
    }
}
