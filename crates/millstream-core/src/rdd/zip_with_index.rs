//! `zip_with_index`, `zip_with_unique_id`: a number for each record.

use std::panic::Location;

use super::Rdd;
use super::map_partitions::results;
use super::narrow::Form;
use crate::data::Data;
use crate::error::Result;
use crate::stream::Records;

impl<T: Data> Rdd<T> {
    /// Puts its number after each record, counted from 0 in the order of the partitions.
    ///
    /// With more than one partition this runs a job at once, which counts the records of all but the last; if it fails, so does
    /// the first action on the result.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbered = context.parallelize(['a', 'b', 'c'], 2).zip_with_index();
    /// assert_eq!(numbered.collect()?, [('a', 0), ('b', 1), ('c', 2)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn zip_with_index(&self) -> Rdd<(T, u64)> {
        let starts = match self.starts() {
            Ok(starts) => starts,
            Err(error) => {
                return Rdd::checked(self.context(), "zip_with_index", Location::caller(), Err(error), 0);
            }
        };
        let form = Form { name: "zip_with_index", env: starts, keeps_keys: false };
        self.per_partition(form, |starts, input, partition| {
            let start = starts.get(partition).copied().unwrap_or_default();
            let (records, failure) = Records::new(input);
            Ok(results(records.zip(start..), failure))
        })
    }

    /// Puts a number after each record that no other record has, without a job: the k-th of n partitions counts k, n + k,
    /// 2n + k and so on.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbered = context.parallelize(['a', 'b', 'c'], 2).zip_with_unique_id();
    /// assert_eq!(numbered.collect()?, [('a', 0), ('b', 1), ('c', 3)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn zip_with_unique_id(&self) -> Rdd<(T, u64)> {
        let form = Form { name: "zip_with_unique_id", env: self.num_partitions(), keeps_keys: false };
        self.per_partition(form, |&partitions, input, partition| {
            let (records, failure) = Records::new(input);
            Ok(results(records.zip((partition as u64..).step_by(partitions.max(1))), failure))
        })
    }

    /// Returns the number of the first record of each partition.
    #[track_caller]
    fn starts(&self) -> Result<Vec<u64>> {
        let counted = (0..self.num_partitions().saturating_sub(1)).collect();
        let counts = self.counts("zip_with_index", counted)?;
        let mut next = 0;
        let starts = counts.into_iter().map(|count: u64| {
            next += count;
            next
        });
        Ok(std::iter::once(0).chain(starts).collect())
    }
}
