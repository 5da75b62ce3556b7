//! `filter_by_range`: the pairs whose keys lie in a range.

use std::ops::RangeInclusive;

use crate::data::{Data, Key};
use crate::rdd::Rdd;
use crate::rdd::narrow::Form;

impl<K: Key + Ord, V: Data> Rdd<(K, V)> {
    /// Keeps the pairs whose keys lie in a range, both ends included.
    ///
    /// Where the keys are spread by ranges, as after [`sort_by_key`](Rdd::sort_by_key), only the partitions that can have
    /// such keys are read, and the result has only these.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let sorted = context.parallelize((0..100).rev().map(|n| (n, ())), 4).sort_by_key();
    /// let some = sorted.filter_by_range(10..=12);
    /// assert_eq!(some.keys().collect()?, [10, 11, 12]);
    /// assert!(some.num_partitions() < sorted.num_partitions());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn filter_by_range(&self, range: RangeInclusive<K>) -> Rdd<(K, V)> {
        let some = match self.partitioner().filter(|rule| rule.is_range()) {
            Some(rule) => {
                let (one, other) = (rule.partition(range.start(), 0), rule.partition(range.end(), 0));
                self.picked("filter_by_range", (one.min(other)..=one.max(other)).map(|at| vec![at]).collect())
            }
            None => self.clone(),
        };
        let form = Form { name: "filter_by_range", env: range.into_inner(), keeps_keys: true };
        some.per_chunk(form, |(start, end), chunk| chunk.filter(|(key, _)| start <= key && key <= end))
    }
}
