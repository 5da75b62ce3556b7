//! `run_job`: a function on some partitions, which all actions are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;

use crate::data::Data;
use crate::error::{Error, Result};
use crate::operator;
use crate::rdd::Rdd;
use crate::rdd::method::Method;
use crate::stream::Records;

const INSTEAD: &str = "run_job_env(values, partitions, |values, records| ..)";

impl<T: Data> Rdd<T> {
    /// Calls `f` with the records of each of the given partitions, in the tasks; returns the results in the order given.
    ///
    /// Only these partitions are computed. For an action of one's own, or to look at a part of the data.
    ///
    /// # Errors
    /// If there is no such partition, or a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(0..9, 3);
    /// assert_eq!(numbers.run_job([2, 0], |records| records.sum::<i32>())?, [21, 3]);
    /// assert!(numbers.run_job([3], |records| records.count()).is_err());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn run_job<R: Data>(
        &self,
        partitions: impl IntoIterator<Item = usize>,
        f: impl Fn(Records<T>) -> R + Send + Sync + 'static,
    ) -> Result<Vec<R>> {
        self.run_job_as("run_job", (), partitions, move |(), records| f(records))
    }

    /// Calls `f` with the records of each of the given partitions and with values that go along to the workers; returns the
    /// results in the order given.
    ///
    /// Use it where the program may run in several processes: the closure itself may capture nothing there.
    ///
    /// # Errors
    /// If there is no such partition, or a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(0..9, 3);
    /// let over = numbers.run_job_env(4, [1, 2], |least, records| records.filter(|n| n > least).count())?;
    /// assert_eq!(over, [1, 3]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn run_job_env<E: Data, R: Data>(
        &self,
        env: E,
        partitions: impl IntoIterator<Item = usize>,
        f: impl Fn(&E, Records<T>) -> R + Send + Sync + 'static,
    ) -> Result<Vec<R>> {
        self.run_job_as("run_job_env", env, partitions, f)
    }

    #[track_caller]
    fn run_job_as<E: Data, R: Data>(
        &self,
        name: &'static str,
        env: E,
        partitions: impl IntoIterator<Item = usize>,
        f: impl Fn(&E, Records<T>) -> R + Send + Sync + 'static,
    ) -> Result<Vec<R>> {
        let asked: Vec<usize> = partitions.into_iter().collect();
        let has = self.num_partitions();
        if let Some(missing) = asked.iter().find(|partition| **partition >= has) {
            // One that could not be described has no partitions.
            return Err(self.0.info.defect.clone().unwrap_or_else(|| Error::Argument {
                operator: operator::blamed(name, Location::caller()).to_string(),
                problem: format!("there is no partition {missing} among {has}"),
                remedy: "partitions are numbered from 0 on; `num_partitions` says how many there are".into(),
            }));
        }
        let once: BTreeSet<usize> = asked.iter().copied().collect();
        let results = self.run(
            Method::or(name, INSTEAD),
            once.iter().copied().collect(),
            env,
            move |env, input, _| {
                let (records, failure) = Records::new(input);
                let result = f(env, records);
                // A stream that broke explains whatever the closure made of it.
                failure.check()?;
                Ok(result)
            },
        )?;
        let results: BTreeMap<usize, R> = once.into_iter().zip(results).collect();
        Ok(asked.iter().filter_map(|partition| results.get(partition).cloned()).collect())
    }
}
