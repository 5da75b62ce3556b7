//! `fold`: all records in one, from a neutral value.

use std::panic::Location;

use super::merging;
use crate::chunk::Cursor;
use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;
use crate::rdd::method::Method;
use crate::stream;

const INSTEAD: &str = "fold_env(values, zero, |values, first, second| ..)";

impl<T: Data> Rdd<T> {
    /// Merges all records with an associative function, beginning with `zero` in each partition and for their results.
    ///
    /// `zero` must be neutral, or it counts once for each partition and once more. The results of the partitions are merged
    /// in their order.
    ///
    /// # Errors
    /// If a task fails as often as it may, or the function panics while it merges the results of the partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize(1..=4, 2).fold(0, |a, b| a + b)?, 10);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn fold<F>(&self, zero: T, f: F) -> Result<T>
    where
        F: Fn(T, T) -> T + Clone + Send + Sync + 'static,
    {
        let here = f.clone();
        let (add, merge) = (move |(): &(), a, b| f(a, b), move |(): &(), a, b| here(a, b));
        self.aggregate_as(Method::or("fold", INSTEAD), (), zero, add, merge)
    }

    /// Merges all records from a `zero`, with values that go along to the workers.
    ///
    /// Use it where the program may run in several processes: the closure itself may capture nothing there.
    ///
    /// # Errors
    /// If a task fails as often as it may, or the function panics while it merges the results of the partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize(1..=4, 2).fold_env(8, 0, |most, a, b| (a + b).min(*most))?, 8);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn fold_env<E: Data, F>(&self, env: E, zero: T, f: F) -> Result<T>
    where
        F: Fn(&E, T, T) -> T + Clone + Send + Sync + 'static,
    {
        self.aggregate_as(Method::or("fold_env", INSTEAD), env, zero, f.clone(), f)
    }

    /// Adds records to a value and merges such values, under the name of the action it is done for.
    #[track_caller]
    pub(super) fn aggregate_as<E: Data, U: Data>(
        &self,
        method: impl Into<Method>,
        env: E,
        zero: U,
        add: impl Fn(&E, U, T) -> U + Send + Sync + 'static,
        merge: impl Fn(&E, U, U) -> U,
    ) -> Result<U> {
        let (method, place) = (method.into(), Location::caller());
        let sent = (zero.clone(), env.clone());
        let parts = self.run(method, self.all_partitions(), sent, move |(zero, env), input, _| {
            let mut so_far = Some(zero.clone());
            stream::drain(input, |chunk| {
                let add = |sum, record| add(env, sum, record);
                so_far = so_far.take().map(|value| Cursor::from(chunk).fold(value, add));
                Ok(())
            })?;
            Ok(so_far)
        })?;
        merging(method.name, place, || parts.into_iter().flatten().fold(zero, |a, b| merge(&env, a, b)))
    }
}
