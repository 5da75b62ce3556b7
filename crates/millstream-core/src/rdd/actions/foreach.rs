//! `foreach`: do something with each record.

use super::Outcome;
use crate::chunk::Cursor;
use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;
use crate::rdd::method::Method;
use crate::stream;

const INSTEAD: &str = "foreach_env(values, |values, record| ..)";

impl<T: Data> Rdd<T> {
    /// Calls `f` with each record, in the tasks; an error it returns fails the task.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// static SEEN: AtomicUsize = AtomicUsize::new(0);
    ///
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// context.parallelize(0..10, 2).foreach(|_| {
    ///     SEEN.fetch_add(1, Ordering::Relaxed);
    /// })?;
    /// assert_eq!(SEEN.load(Ordering::Relaxed), 10);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn foreach<R: Outcome>(&self, f: impl Fn(T) -> R + Send + Sync + 'static) -> Result<()> {
        self.foreach_as(Method::or("foreach", INSTEAD), (), move |(), record| f(record))
    }

    /// Calls `f` with each record and with values that go along to the workers; an error it returns fails the task.
    ///
    /// Use it where the program may run in several processes: the closure itself may capture nothing there.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let limit = 3;
    /// let checked = context.parallelize(0..5, 2).foreach_env(limit, |limit, n| {
    ///     if n < *limit { Ok(()) } else { Err(format!("{n} is too large")) }
    /// });
    /// assert!(checked.unwrap_err().to_string().ends_with("is too large"));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn foreach_env<E: Data, R: Outcome>(
        &self,
        env: E,
        f: impl Fn(&E, T) -> R + Send + Sync + 'static,
    ) -> Result<()> {
        self.foreach_as(Method::or("foreach_env", INSTEAD), env, f)
    }

    /// Calls `f` with each record, under the name of the action it is done for.
    #[track_caller]
    pub(super) fn foreach_as<E: Data, R: Outcome>(
        &self,
        method: Method,
        env: E,
        f: impl Fn(&E, T) -> R + Send + Sync + 'static,
    ) -> Result<()> {
        let done: Result<Vec<()>> = self.run(method, self.all_partitions(), env, move |env, input, _| {
            stream::drain(input, |chunk| {
                Cursor::from(chunk).try_for_each(|record| f(env, record).into_result())
            })
        });
        done.map(drop)
    }
}
