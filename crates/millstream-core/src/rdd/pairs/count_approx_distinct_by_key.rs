//! `count_approx_distinct_by_key`: about how many different values each key has.

use std::hash::Hash;
use std::panic::Location;

use super::aggregate_by_key::Aggregate;
use crate::data::{Data, Key};
use crate::operator;
use crate::rdd::Rdd;
use crate::rdd::hyper_log_log::HyperLogLog;
use crate::shuffle::partitioner::Partitioner;

impl<K: Key, V: Data + Hash> Rdd<(K, V)> {
    /// Makes about how many different values each key has, with a relative standard deviation of 0.05.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.range(0, 3000, 1, 4).map(|n| (n % 3, n / 3 % 100));
    /// let counts = pairs.count_approx_distinct_by_key().collect()?;
    /// assert!(counts.len() == 3 && counts.iter().all(|(_, count)| (85..115).contains(count)));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn count_approx_distinct_by_key(&self) -> Rdd<(K, u64)> {
        self.count_approx_distinct_by_key_with(0.05, self.default_partitioner())
    }

    /// Makes about how many different values each key has, with this relative standard deviation, and a partitioner or a
    /// number of partitions.
    ///
    /// A key with many values takes about `1.1 / relative_sd` squared bytes, at most 16 MiB. A deviation below 0.0003 is an
    /// error of the action.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.range(0, 3000, 1, 4).map(|n| (n % 3, n / 3 % 100));
    /// let counts = pairs.count_approx_distinct_by_key_with(0.005, 2);
    /// assert!(counts.values().collect()?.iter().all(|count| (98..=102).contains(count)));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn count_approx_distinct_by_key_with(
        &self,
        relative_sd: f64,
        partitioner: impl Into<Partitioner<K>>,
    ) -> Rdd<(K, u64)> {
        let (name, place) = ("count_approx_distinct_by_key", Location::caller());
        let _composed = operator::composed(name);
        let empty = match HyperLogLog::new(name, place, relative_sd) {
            Ok(empty) => empty,
            Err(error) => return Rdd::checked(self.context(), name, place, Err(error), 0),
        };
        let add = |(): &(), mut seen: HyperLogLog, value| {
            seen.add(&value);
            seen
        };
        let by = Aggregate { add, merge: |(): &(), first: HyperLogLog, second| first.merge(second) };
        self.combined(name, (empty, ()), by, partitioner.into()).map_values(|seen| seen.estimate())
    }
}
