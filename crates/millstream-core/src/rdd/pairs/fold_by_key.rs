//! `fold_by_key`: one value per key, from a neutral value.

use super::combine_by_key::Combiner;
use crate::data::{Data, Key};
use crate::rdd::Rdd;
use crate::shuffle::partitioner::Partitioner;

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Merges the values of each key with an associative function, beginning with a `zero` of its own.
    ///
    /// Where the keys are spread by some partitioner already it stays; else there are as many partitions as
    /// `spark.default.parallelism` says or, where that is not set, as there are now. `zero` must be neutral, or it counts once for each partition.
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
        F: Fn(V, V) -> V + Send + Sync + 'static,
    {
        self.fold_by_key_with(zero, f, self.default_partitioner())
    }

    /// Merges the values of each key from a `zero`, with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let sums = context.parallelize([('a', 1), ('a', 2)], 2).fold_by_key_with(0, |a, b| a + b, 5);
    /// assert_eq!((sums.num_partitions(), sums.collect()?), (5, vec![('a', 3)]));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn fold_by_key_with<F>(&self, zero: V, f: F, partitioner: impl Into<Partitioner<K>>) -> Rdd<(K, V)>
    where
        F: Fn(V, V) -> V + Send + Sync + 'static,
    {
        self.combined("fold_by_key", zero, Fold(f), partitioner.into())
    }
}

/// Each key begins with a copy of the same value, of the type of the others.
struct Fold<F>(F);

impl<V: Clone, F: Fn(V, V) -> V + Send + Sync + 'static> Combiner<V, V, V> for Fold<F> {
    #[inline(always)]
    fn create(&self, zero: &V, value: V) -> V {
        (self.0)(zero.clone(), value)
    }
    #[inline(always)]
    fn add(&self, combined: V, value: V) -> V {
        (self.0)(combined, value)
    }
    #[inline(always)]
    fn merge(&self, first: V, second: V) -> V {
        (self.0)(first, second)
    }
}
