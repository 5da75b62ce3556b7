//! `map`: one record for each.

use super::Rdd;
use super::method::Method;
use super::narrow::Form;
use crate::data::Data;

const INSTEAD: &str = "map_env(values, |values, record| ..)";

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
        self.per_chunk(Form::new(Method::or("map", INSTEAD)), move |(), chunk| chunk.map(&f))
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
        self.per_chunk(Form::new(Method::or("map_ref", INSTEAD)), move |(), chunk| chunk.map_ref(&f))
    }

    /// Makes a record of each record and of values that go along to the workers.
    ///
    /// Use it where the program may run in several processes: the closure itself may capture nothing there.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let factor = 10;
    /// let products = context.parallelize(1..=3, 1).map_env(factor, |factor, n| n * factor);
    /// assert_eq!(products.collect()?, [10, 20, 30]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn map_env<E: Data, U: Data>(
        &self,
        env: E,
        f: impl Fn(&E, T) -> U + Send + Sync + 'static,
    ) -> Rdd<U> {
        let form = Form { name: Method::or("map_env", INSTEAD), env, keeps_keys: false };
        self.per_chunk(form, move |env, chunk| chunk.map(|record| f(env, record)))
    }
}
