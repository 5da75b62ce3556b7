//! `flat_map_values`: any number of values for each, under the same key.

use crate::chunk::CHUNK;
use crate::data::Data;
use crate::rdd::Rdd;
use crate::rdd::method::Method;
use crate::rdd::narrow::Form;

const INSTEAD: &str = "flat_map_values_env(values, |values, value| ..)";

impl<K: Data, V: Data> Rdd<(K, V)> {
    /// Makes any number of values of each value; the keys stay, and so does how they are spread over the partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([('a', vec![1, 2]), ('b', vec![])], 1).flat_map_values(|list| list);
    /// assert_eq!(pairs.collect()?, [('a', 1), ('a', 2)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map_values<U: Data, I>(&self, f: impl Fn(V) -> I + Send + Sync + 'static) -> Rdd<(K, U)>
    where
        I: IntoIterator<Item = U>,
    {
        self.flat_map_values_as(Method::or("flat_map_values", INSTEAD), (), move |(), value| f(value))
    }

    /// Makes any number of values of each value and of values that go along to the workers; the keys stay where they are.
    ///
    /// Use it where the program may run in several processes: the closure itself may capture nothing there.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([('a', 1)], 1).flat_map_values_env(2, |times, n| vec![n; *times]);
    /// assert_eq!(pairs.collect()?, [('a', 1), ('a', 1)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map_values_env<E: Data, U: Data, I>(
        &self,
        env: E,
        f: impl Fn(&E, V) -> I + Send + Sync + 'static,
    ) -> Rdd<(K, U)>
    where
        I: IntoIterator<Item = U>,
    {
        self.flat_map_values_as(Method::or("flat_map_values_env", INSTEAD), env, f)
    }

    /// Makes values of each value, under the name of the operator it is done for.
    #[track_caller]
    pub(crate) fn flat_map_values_as<E: Data, U: Data, I>(
        &self,
        name: impl Into<Method>,
        env: E,
        f: impl Fn(&E, V) -> I + Send + Sync + 'static,
    ) -> Rdd<(K, U)>
    where
        I: IntoIterator<Item = U>,
    {
        self.expanding(Form { name, env, keeps_keys: true }, move |env, input, out| {
            while out.len() < CHUNK {
                match input.next() {
                    Some((key, value)) => {
                        out.extend(f(env, value).into_iter().map(|made| (key.clone(), made)));
                    }
                    None => break,
                }
            }
        })
    }
}
