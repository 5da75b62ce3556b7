//! `take`: the first records.

use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;

/// How many more partitions are read when the ones so far were not enough, as in Spark.
const SCALE_UP: usize = 4;

impl<T: Data> Rdd<T> {
    /// Returns the first `n` records, reading no more partitions than it must.
    ///
    /// The first partition is read first, then four times as many as so far.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize(0..100, 10).take(3)?, [0, 1, 2]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn take(&self, n: usize) -> Result<Vec<T>> {
        self.take_as("take", n)
    }

    /// Returns the first `n` records, under the name of the action it is done for.
    #[track_caller]
    pub(super) fn take_as(&self, name: &'static str, n: usize) -> Result<Vec<T>> {
        let mut records: Vec<T> = Vec::new();
        let (mut read, all) = (0, self.num_partitions());
        // Without partitions there is a job all the same: it finds what is wrong with the RDD.
        while records.len() < n {
            let next = all.min(read + 1.max(read * SCALE_UP));
            let missing = n - records.len();
            let parts = self.run(name, (read..next).collect(), missing, |&missing, mut input, _| {
                let mut first: Vec<T> = Vec::new();
                while first.len() < missing
                    && let Some(mut chunk) = input.next_chunk()?
                {
                    chunk.truncate(missing - first.len());
                    first.append(&mut chunk.into_vec());
                }
                Ok(first)
            })?;
            records.extend(parts.into_iter().flatten().take(missing));
            read = next;
            if read == all {
                break;
            }
        }
        Ok(records)
    }
}
