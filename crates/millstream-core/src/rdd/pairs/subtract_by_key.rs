//! `subtract_by_key`: the pairs whose key another RDD lacks.

use super::Grouped;
use crate::data::{Data, Key};
use crate::rdd::Rdd;

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Gives the pairs whose key is not in `other`, in as many partitions as there are.
    ///
    /// The values of `other` are not moved. All values of a key must fit in memory.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([(1, 'a'), (2, 'b')], 2);
    /// let others = context.parallelize([(2, 0.5)], 1);
    /// assert_eq!(pairs.subtract_by_key(&others).collect()?, [(1, 'a')]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn subtract_by_key<W: Data>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, V)> {
        // Without partitions there is nothing to subtract from, but the other RDD's keys must go somewhere.
        let both = self.cogroup_with(&other.map_values(|_| ()), self.num_partitions().max(1));
        let rest = |(): &(), (left, right): Grouped<V, ()>| if right.is_empty() { left } else { Vec::new() };
        both.flat_map_values_as("subtract_by_key", (), rest)
    }
}
