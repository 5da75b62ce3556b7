//! `reduce`: all records in one.

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
    /// If a task fails as often as it may.
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
        let merge = f.clone();
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
        Ok(parts.into_iter().flatten().reduce(f))
    }
}
