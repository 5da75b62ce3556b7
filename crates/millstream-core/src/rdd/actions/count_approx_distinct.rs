//! `count_approx_distinct`: about how many different records there are.

use std::hash::Hash;
use std::panic::Location;

use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;
use crate::rdd::hyper_log_log::HyperLogLog;
use crate::stream;

impl<T: Data + Hash> Rdd<T> {
    /// Returns about how many different records there are, with a relative standard deviation of 0.05.
    ///
    /// Without a shuffle, and in memory that does not grow with their number.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let users = context.range(0, 100_000, 1, 4).map(|n| n % 1000).count_approx_distinct()?;
    /// assert!((850..1150).contains(&users));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn count_approx_distinct(&self) -> Result<u64> {
        self.count_approx_distinct_with(0.05)
    }

    /// Returns about how many different records there are, with this relative standard deviation.
    ///
    /// Each task holds about `1.1 / relative_sd` squared bytes, at most 16 MiB.
    ///
    /// # Errors
    /// If `relative_sd` is below 0.0003, or a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let users = context.range(0, 100_000, 1, 4).map(|n| n % 1000).count_approx_distinct_with(0.002)?;
    /// assert!((990..1010).contains(&users));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn count_approx_distinct_with(&self, relative_sd: f64) -> Result<u64> {
        let name = "count_approx_distinct";
        let empty = HyperLogLog::new(name, Location::caller(), relative_sd)?;
        let parts = self.run(name, self.all_partitions(), empty.clone(), |empty, input, _| {
            let mut seen = empty.clone();
            stream::drain(input, |chunk| {
                chunk.for_each(|record| seen.add(record));
                Ok(())
            })?;
            Ok(seen)
        })?;
        Ok(parts.into_iter().fold(empty, HyperLogLog::merge).estimate())
    }
}
