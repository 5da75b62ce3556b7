//! `reduce`: all records in one.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use crate::chunk::Cursor;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::operator::Operator;
use crate::rdd::Rdd;
use crate::scheduler::panics;
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
        let (merge, place) = (f.clone(), Location::caller());
        let parts: Vec<Option<T>> = self.run("reduce", self.all_partitions(), (), move |(), input, _| {
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
        // On this thread the closure is the user's as well: its panic is an error like those of the tasks.
        let merge = AssertUnwindSafe(|| parts.into_iter().flatten().reduce(f));
        panics::noted(|| catch_unwind(merge)).map_err(|panic| {
            let operator = Operator::call("reduce", place);
            Error::user(format!("{operator}, merging the results of the partitions: {panic}"))
        })
    }
}
