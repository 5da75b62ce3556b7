//! `collect`: all records.

use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;
use crate::stream;

impl<T: Data> Rdd<T> {
    /// Returns all records, in the order of the partitions; they must fit in memory.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize([3, 1, 2], 2).collect()?, [3, 1, 2]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn collect(&self) -> Result<Vec<T>> {
        let parts = self.run("collect", self.all_partitions(), (), |(), input, _| {
            let mut records: Vec<T> = Vec::new();
            stream::drain(input, |chunk| {
                if records.is_empty() {
                    records = chunk.into_vec();
                } else {
                    records.append(&mut chunk.into_vec());
                }
                Ok(())
            })?;
            Ok(records)
        })?;
        Ok(parts.into_iter().flatten().collect())
    }
}
