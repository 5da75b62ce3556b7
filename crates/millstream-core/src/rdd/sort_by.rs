//! `sort_by`: records in the order of a key that is made of them.

use super::Rdd;
use super::narrow::Form;
use crate::data::Data;

impl<T: Data> Rdd<T> {
    /// Sorts the records by what `f` makes of them, smallest first, in as many partitions as there are; equal ones keep
    /// their order.
    ///
    /// Describing it runs a job, as in Spark: one pass that looks at some records to find ranges of about equal size. `f` is
    /// called once per record and pass.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let words = context.parallelize(["ccc", "a", "bb"].map(String::from), 2).sort_by(|word| word.len());
    /// assert_eq!(words.collect()?, ["a", "bb", "ccc"]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn sort_by<K: Data + Ord>(&self, f: impl Fn(&T) -> K + Send + Sync + 'static) -> Rdd<T> {
        self.sort_by_with(f, true, self.num_partitions())
    }

    /// Sorts the records by what `f` makes of them, the largest first unless `ascending`, in at most so many partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize([3, 1, 2], 2).sort_by_with(|n| *n, false, 1);
    /// assert_eq!(numbers.collect()?, [3, 2, 1]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn sort_by_with<K: Data + Ord>(
        &self,
        f: impl Fn(&T) -> K + Send + Sync + 'static,
        ascending: bool,
        partitions: usize,
    ) -> Rdd<T> {
        let sorted = self.key_by_as("sort_by", f).sorted_as("sort_by", ascending, partitions);
        sorted.per_chunk(Form::new("sort_by"), |(), chunk| chunk.map(|(_, record)| record))
    }
}
