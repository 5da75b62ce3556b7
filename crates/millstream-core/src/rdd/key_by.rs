//! `key_by`: pairs of a key and the record it was made of.

use super::Rdd;
use super::method::Method;
use super::narrow::Form;
use crate::data::Data;

const INSTEAD: &str = "key_by_env(values, |values, record| ..)";

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
        self.key_by_as(Method::or("key_by", INSTEAD), (), move |(), record| f(record))
    }

    /// Makes a key of each record and of values that go along to the workers, and puts it before the record.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let groups = context.parallelize(0..4, 2).key_by_env(3, |groups, n| n % groups);
    /// assert_eq!(groups.collect()?, [(0, 0), (1, 1), (2, 2), (0, 3)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn key_by_env<E: Data, K: Data>(
        &self,
        env: E,
        f: impl Fn(&E, &T) -> K + Send + Sync + 'static,
    ) -> Rdd<(K, T)> {
        self.key_by_as(Method::or("key_by_env", INSTEAD), env, f)
    }

    /// Puts a key before each record, under the name of the operator it is done for.
    #[track_caller]
    pub(super) fn key_by_as<E: Data, K: Data>(
        &self,
        name: Method,
        env: E,
        f: impl Fn(&E, &T) -> K + Send + Sync + 'static,
    ) -> Rdd<(K, T)> {
        let form = Form { name, env, keeps_keys: false };
        self.per_chunk(form, move |env, chunk| chunk.map(|record| (f(env, &record), record)))
    }
}
