//! `fold`: all records in one, from a neutral value.

use std::panic::Location;

use super::merging;
use crate::chunk::Cursor;
use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;
use crate::stream;

impl<T: Data> Rdd<T> {
    /// Merges all records with an associative function, beginning with `zero` in each partition and for their results.
    ///
    /// `zero` must be neutral, or it counts once for each partition and once more. The results of the partitions are merged
    /// in their order.
    ///
    /// # Errors
    /// If a task fails as often as it may, or the function panics while it merges the results of the partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize(1..=4, 2).fold(0, |a, b| a + b)?, 10);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn fold<F>(&self, zero: T, f: F) -> Result<T>
    where
        F: Fn(T, T) -> T + Clone + Send + Sync + 'static,
    {
        self.aggregate_as("fold", zero, f.clone(), f)
    }

    /// Adds records to a value and merges such values, under the name of the action it is done for.
    #[track_caller]
    pub(super) fn aggregate_as<U: Data>(
        &self,
        name: &'static str,
        zero: U,
        add: impl Fn(U, T) -> U + Send + Sync + 'static,
        merge: impl Fn(U, U) -> U,
    ) -> Result<U> {
        let place = Location::caller();
        let parts = self.run(name, self.all_partitions(), zero.clone(), move |zero, input, _| {
            let mut so_far = Some(zero.clone());
            stream::drain(input, |chunk| {
                so_far = so_far.take().map(|value| Cursor::from(chunk).fold(value, &add));
                Ok(())
            })?;
            Ok(so_far)
        })?;
        merging(name, place, || parts.into_iter().flatten().fold(zero, merge))
    }
}
