//! `distinct`: each record once.

use super::Rdd;
use super::narrow::Form;
use crate::data::Key;
use crate::operator;
use crate::shuffle::partitioner::Partitioner;

impl<T: Key> Rdd<T> {
    /// Gives each record once, in as many partitions as there are.
    ///
    /// Costs a shuffle and one hash table entry per record and task; no shuffle, and the partitioner stays, if the records
    /// are partitioned by their keys already.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let mut records = context.parallelize([1, 2, 1, 1], 2).distinct().collect()?;
    /// records.sort();
    /// assert_eq!(records, [1, 2]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn distinct(&self) -> Rdd<T> {
        if self.partitioned_by().is_none() {
            return self.distinct_with(self.num_partitions());
        }
        // Equal records have equal keys, so they lie together.
        let in_place = || Form { keeps_keys: true, ..Form::new("distinct") };
        let records = self.per_chunk(in_place(), |(), chunk| chunk.map(|record| (record, ())));
        let once = records.reduce_in_place("distinct", |(), ()| ());
        once.per_chunk(in_place(), |(), chunk| chunk.map(|(record, ())| record))
    }

    /// Gives each record once, with a partitioner of records or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let records = context.parallelize([7, 7, 7], 2).distinct_with(5);
    /// assert_eq!((records.num_partitions(), records.collect()?), (5, vec![7]));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn distinct_with(&self, partitioner: impl Into<Partitioner<T>>) -> Rdd<T> {
        let _composed = operator::composed("distinct");
        self.map(|record| (record, ())).reduce_by_key_with(|(), ()| (), partitioner).keys()
    }
}
