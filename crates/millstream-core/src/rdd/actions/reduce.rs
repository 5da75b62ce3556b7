//! `reduce`: all records in one.

use std::panic::Location;

use super::merging;
use crate::chunk::Cursor;
use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;
use crate::rdd::method::Method;
use crate::stream;

const INSTEAD: &str = "reduce_env(values, |values, first, second| ..)";

impl<T: Data> Rdd<T> {
    /// Merges all records with an associative function; nothing if there are none.
    ///
    /// (Spark throws an exception for an RDD without records.)
    ///
    /// # Errors
    /// If a task fails as often as it may, or the function panics while it merges the results of the partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize(1..=4, 2).reduce(|a, b| a + b)?, Some(10));
    /// assert_eq!(context.empty_rdd::<i32>().reduce(|a, b| a + b)?, None);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce<F>(&self, f: F) -> Result<Option<T>>
    where
        F: Fn(T, T) -> T + Clone + Send + Sync + 'static,
    {
        self.reduce_as(Method::or("reduce", INSTEAD), (), move |(): &(), a, b| f(a, b))
    }

    /// Merges all records with an associative function and values that go along to the workers; nothing if there are none.
    ///
    /// Use it where the program may run in several processes: the closure itself may capture nothing there.
    ///
    /// # Errors
    /// If a task fails as often as it may, or the function panics while it merges the results of the partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let sum = context.parallelize(1..=4, 2).reduce_env(8, |most, a, b| (a + b).min(*most))?;
    /// assert_eq!(sum, Some(8));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_env<E: Data, F>(&self, env: E, f: F) -> Result<Option<T>>
    where
        F: Fn(&E, T, T) -> T + Clone + Send + Sync + 'static,
    {
        self.reduce_as(Method::or("reduce_env", INSTEAD), env, f)
    }

    /// Merges all records, under the name of the action it is done for.
    #[track_caller]
    pub(super) fn reduce_as<E: Data, F>(&self, method: impl Into<Method>, env: E, f: F) -> Result<Option<T>>
    where
        F: Fn(&E, T, T) -> T + Clone + Send + Sync + 'static,
    {
        let (method, merge, place) = (method.into(), f.clone(), Location::caller());
        let parts: Vec<Option<T>> =
            self.run(method, self.all_partitions(), env.clone(), move |env, input, _| {
                let mut merged: Option<T> = None;
                stream::drain(input, |chunk| {
                    for record in Cursor::from(chunk) {
                        merged = Some(match merged.take() {
                            Some(so_far) => merge(env, so_far, record),
                            None => record,
                        });
                    }
                    Ok(())
                })?;
                Ok(merged)
            })?;
        merging(method.name, place, || parts.into_iter().flatten().reduce(|a, b| f(&env, a, b)))
    }
}
