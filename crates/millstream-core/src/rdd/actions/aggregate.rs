//! `aggregate`: all records in a value of another type.

use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;
use crate::rdd::method::Method;

const INSTEAD: &str = "aggregate_env(values, zero, |values, sum, record| .., |values, first, second| ..)";

impl<T: Data> Rdd<T> {
    /// Adds the records of each partition to `zero`, then merges the results of the partitions, again from `zero`.
    ///
    /// `zero` must be neutral, or it counts once for each partition and once more. The results of the partitions are merged
    /// in their order.
    ///
    /// # Errors
    /// If a task fails as often as it may, or `merge` panics.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let words = context.parallelize(["to", "be", "not"].map(String::from), 2);
    /// let letters = words.aggregate(0, |sum, word| sum + word.len(), |a, b| a + b)?;
    /// assert_eq!(letters, 7);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn aggregate<U: Data>(
        &self,
        zero: U,
        add: impl Fn(U, T) -> U + Send + Sync + 'static,
        merge: impl Fn(U, U) -> U,
    ) -> Result<U> {
        let add = move |(): &(), sum, record| add(sum, record);
        self.aggregate_as(Method::or("aggregate", INSTEAD), (), zero, add, |(), a, b| merge(a, b))
    }

    /// Adds the records of each partition to `zero` and merges the results, with values that go along to the workers.
    ///
    /// Use it where the program may run in several processes: the closure `add` itself may capture nothing there.
    ///
    /// # Errors
    /// If a task fails as often as it may, or `merge` panics.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let words = context.parallelize(["to", "be", "not"].map(String::from), 2);
    /// let letters = words.aggregate_env(2, 0, |most, sum, word| sum + word.len().min(*most), |_, a, b| a + b)?;
    /// assert_eq!(letters, 6);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn aggregate_env<E: Data, U: Data>(
        &self,
        env: E,
        zero: U,
        add: impl Fn(&E, U, T) -> U + Send + Sync + 'static,
        merge: impl Fn(&E, U, U) -> U,
    ) -> Result<U> {
        self.aggregate_as(Method::or("aggregate_env", INSTEAD), env, zero, add, merge)
    }
}
