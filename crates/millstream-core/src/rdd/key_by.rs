//! `key_by`: pairs of a key and the record it was made of.

use super::Rdd;
use super::narrow::Form;
use crate::data::Data;

impl<T: Data> Rdd<T> {
    /// Makes a key of each record and puts it before the record.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let by_length = context.parallelize(["a", "bc"].map(String::from), 1).key_by(|word| word.len());
    /// assert_eq!(by_length.collect()?, [(1, "a".into()), (2, "bc".into())]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn key_by<K: Data>(&self, f: impl Fn(&T) -> K + Send + Sync + 'static) -> Rdd<(K, T)> {
        self.key_by_as("key_by", f)
    }

    /// Puts a key before each record, under the name of the operator it is done for.
    #[track_caller]
    pub(crate) fn key_by_as<K: Data>(
        &self,
        name: &'static str,
        f: impl Fn(&T) -> K + Send + Sync + 'static,
    ) -> Rdd<(K, T)> {
        self.per_chunk(Form::new(name), move |(), chunk| chunk.map(|record| (f(&record), record)))
    }
}
