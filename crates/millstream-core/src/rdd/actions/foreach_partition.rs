//! `foreach_partition`: do something with each partition.

use super::Outcome;
use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;
use crate::rdd::method::Method;
use crate::stream::Records;

const INSTEAD: &str = "foreach_partition_env(values, |values, records| ..)";

impl<T: Data> Rdd<T> {
    /// Calls `f` with the records of each partition, in the tasks; an error it returns fails the task.
    ///
    /// Called once per partition, also for an empty one: the place to open a connection.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let failed = context.parallelize(0..10, 2).foreach_partition(|records| {
    ///     let sum: i32 = records.sum();
    ///     if sum > 10 { Err(format!("sum is {sum}")) } else { Ok(()) }
    /// });
    /// assert!(failed.unwrap_err().to_string().ends_with("sum is 35"));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn foreach_partition<R: Outcome>(
        &self,
        f: impl Fn(Records<T>) -> R + Send + Sync + 'static,
    ) -> Result<()> {
        self.foreach_partition_as(Method::or("foreach_partition", INSTEAD), (), move |(), records| f(records))
    }

    /// Calls `f` with the records of each partition and with values that go along to the workers; an error it returns fails
    /// the task.
    ///
    /// Use it where the program may run in several processes: the closure itself may capture nothing there.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let address = "nowhere:1".to_owned();
    /// let failed = context.parallelize(0..10, 1).foreach_partition_env(address, |address, records| {
    ///     Err(format!("{} records for {address}", records.count()))
    /// });
    /// assert!(failed.unwrap_err().to_string().ends_with("10 records for nowhere:1"));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn foreach_partition_env<E: Data, R: Outcome>(
        &self,
        env: E,
        f: impl Fn(&E, Records<T>) -> R + Send + Sync + 'static,
    ) -> Result<()> {
        self.foreach_partition_as(Method::or("foreach_partition_env", INSTEAD), env, f)
    }

    /// Calls `f` with the records of each partition, under the name of the action it is done for.
    #[track_caller]
    pub(super) fn foreach_partition_as<E: Data, R: Outcome>(
        &self,
        method: Method,
        env: E,
        f: impl Fn(&E, Records<T>) -> R + Send + Sync + 'static,
    ) -> Result<()> {
        let done: Result<Vec<()>> = self.run(method, self.all_partitions(), env, move |env, input, _| {
            let (records, failure) = Records::new(input);
            let outcome = f(env, records).into_result();
            // A stream that broke explains whatever the closure made of it.
            failure.check()?;
            outcome
        });
        done.map(drop)
    }
}
