//! `count`: how many records.

use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;
use crate::stream;

impl<T: Data> Rdd<T> {
    /// Returns the number of records.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize(0..10, 3).filter(|n| n % 3 == 0).count()?, 4);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn count(&self) -> Result<u64> {
        Ok(self.counts("count", self.all_partitions())?.into_iter().sum())
    }

    /// Returns the number of records of each of some partitions.
    #[track_caller]
    pub(crate) fn counts(&self, name: &'static str, partitions: Vec<usize>) -> Result<Vec<u64>> {
        self.run(name, partitions, (), |(), input, _| {
            let mut records = 0;
            stream::drain(input, |chunk| {
                records += chunk.len() as u64;
                Ok(())
            })?;
            Ok(records)
        })
    }
}
