//! `reduce`: all records in one.

use std::panic::Location;

use super::merging;
use crate::chunk::Cursor;
use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;
use crate::stream;

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
        self.reduce_as("reduce", f)
    }

    /// Merges all records, under the name of the action it is done for.
    #[track_caller]
    pub(super) fn reduce_as<F>(&self, name: &'static str, f: F) -> Result<Option<T>>
    where
        F: Fn(T, T) -> T + Clone + Send + Sync + 'static,
    {
        let (merge, place) = (f.clone(), Location::caller());
        let parts: Vec<Option<T>> = self.run(name, self.all_partitions(), (), move |(), input, _| {
            let mut merged: Option<T> = None;
            stream::drain(input, |chunk| {
                for record in Cursor::from(chunk) {
                    merged = Some(match merged.take() {
                        Some(so_far) => merge(so_far, record),
                        None => record,
                    });
                }
                Ok(())
            })?;
            Ok(merged)
        })?;
        merging(name, place, || parts.into_iter().flatten().reduce(f))
    }
}
