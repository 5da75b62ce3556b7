//! `fold_by_key`: one value per key, from a neutral value.

use crate::data::{Data, Key};
use crate::rdd::Rdd;

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Merges the values of each key with an associative function, beginning with a `zero` of its own.
    ///
    /// Where the keys are spread by some partitioner already it stays; else there are as many partitions as
    /// `spark.default.parallelism` says. `zero` must be neutral, or it counts once for each partition.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let sums = context.parallelize([('a', 1), ('a', 2)], 2).fold_by_key(0, |a, b| a + b);
    /// assert_eq!(sums.collect()?, [('a', 3)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn fold_by_key<F>(&self, zero: V, f: F) -> Rdd<(K, V)>
    where
        F: Fn(V, V) -> V + Clone + Send + Sync + 'static,
    {
        let here = self.added_where_they_lie("fold_by_key", zero, f.clone());
        if self.partitioned_by().is_some() { here } else { here.reduce_by_key(f) }
    }
}
