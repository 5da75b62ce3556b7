//! `map_values`: one value for each, under the same key.

use crate::data::Data;
use crate::rdd::Rdd;
use crate::rdd::method::Method;
use crate::rdd::narrow::Form;

const INSTEAD: &str = "map_values_env(values, |values, value| ..)";

impl<K: Data, V: Data> Rdd<(K, V)> {
    /// Makes a value of each value; the keys stay, and so does how they are spread over the partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let lengths = context.parallelize([(1, "a".to_owned()), (2, "bc".to_owned())], 1).map_values(|v| v.len());
    /// assert_eq!(lengths.collect()?, [(1, 1), (2, 2)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn map_values<U: Data>(&self, f: impl Fn(V) -> U + Send + Sync + 'static) -> Rdd<(K, U)> {
        let form = Form { keeps_keys: true, ..Form::new(Method::or("map_values", INSTEAD)) };
        self.per_chunk(form, move |(), chunk| chunk.map(|(key, value)| (key, f(value))))
    }

    /// Makes a value of each value and of values that go along to the workers; the keys stay where they are.
    ///
    /// Use it where the program may run in several processes: the closure itself may capture nothing there.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let products = context.parallelize([('a', 1), ('b', 2)], 1).map_values_env(10, |factor, n| n * factor);
    /// assert_eq!(products.collect()?, [('a', 10), ('b', 20)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn map_values_env<E: Data, U: Data>(
        &self,
        env: E,
        f: impl Fn(&E, V) -> U + Send + Sync + 'static,
    ) -> Rdd<(K, U)> {
        let form = Form { name: Method::or("map_values_env", INSTEAD), env, keeps_keys: true };
        self.per_chunk(form, move |env, chunk| chunk.map(|(key, value)| (key, f(env, value))))
    }
}
