//! `foreach_partition`: do something with each partition.

use super::Outcome;
use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;
use crate::stream::Records;

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
        let all = self.all_partitions();
        let done: Result<Vec<()>> = self.run("foreach_partition", all, (), move |(), input, _| {
            let (records, failure) = Records::new(input);
            let outcome = f(records).into_result();
            // A stream that broke explains whatever the closure made of it.
            failure.check()?;
            outcome
        });
        done.map(drop)
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
        let all = self.all_partitions();
        let done: Result<Vec<()>> = self.run("foreach_partition_env", all, env, move |env, input, _| {
            let (records, failure) = Records::new(input);
            let outcome = f(env, records).into_result();
            failure.check()?;
            outcome
        });
        done.map(drop)
    }
}
