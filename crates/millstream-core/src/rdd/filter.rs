//! `filter`: keep some records.

use super::Rdd;
use super::method::Method;
use super::narrow::Form;
use crate::data::Data;

const INSTEAD: &str = "filter_env(values, |values, record| ..)";

impl<T: Data> Rdd<T> {
    /// Keeps the records for which `predicate` holds.
    ///
    /// Records are moved on, or picked by position where they are shared: none is cloned.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let even = context.parallelize(1..=5, 2).filter(|n| n % 2 == 0);
    /// assert_eq!(even.collect()?, [2, 4]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn filter(&self, predicate: impl Fn(&T) -> bool + Send + Sync + 'static) -> Rdd<T> {
        let form = Form { keeps_keys: true, ..Form::new(Method::or("filter", INSTEAD)) };
        self.per_chunk(form, move |(), chunk| chunk.filter(&predicate))
    }

    /// Keeps the records for which `predicate` holds, given values that go along to the workers.
    ///
    /// Use it where the program may run in several processes: the closure itself may capture nothing there.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let limit = 3;
    /// let small = context.parallelize(1..=5, 2).filter_env(limit, |limit, n| n < limit);
    /// assert_eq!(small.collect()?, [1, 2]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn filter_env<E: Data>(
        &self,
        env: E,
        predicate: impl Fn(&E, &T) -> bool + Send + Sync + 'static,
    ) -> Rdd<T> {
        let form = Form { name: Method::or("filter_env", INSTEAD), env, keeps_keys: true };
        self.per_chunk(form, move |env, chunk| chunk.filter(|record| predicate(env, record)))
    }
}
