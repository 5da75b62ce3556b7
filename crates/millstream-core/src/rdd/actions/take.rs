//! `take`: the first records.

use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;
use crate::settings::{TAKE_INITIAL_PARTITIONS, TAKE_SCALE_UP};

impl<T: Data> Rdd<T> {
    /// Returns the first `n` records, reading no more partitions than it must.
    ///
    /// The first partition is read first, then four times as many as so far;
    /// `spark.rdd.limit.initialNumPartitions` and `spark.rdd.limit.scaleUpFactor` set other numbers.
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
        let conf = self.context().conf();
        let (first, scale_up) = (conf.get(TAKE_INITIAL_PARTITIONS)?, conf.get(TAKE_SCALE_UP)?);
        let (mut read, all) = (0_usize, self.num_partitions());
        // Without partitions there is a job all the same: it finds what is wrong with the RDD.
        while records.len() < n {
            let more = if read == 0 { first } else { read.saturating_mul(scale_up) };
            let next = all.min(read.saturating_add(more));
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
