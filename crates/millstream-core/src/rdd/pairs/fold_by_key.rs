//! `fold_by_key`: one value per key, from a neutral value.

use super::combine_by_key::{Combiner, SPREAD_FIRST};
use crate::data::{Data, Key};
use crate::rdd::Rdd;
use crate::rdd::method::Method;
use crate::shuffle::partitioner::Partitioner;

const INSTEAD: &str = "fold_by_key_env(values, zero, |values, first, second| ..)";

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
        self.fold_by_key_as(Method::or("fold_by_key", INSTEAD), zero, f, self.default_partitioner())
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
        let method = Method::or("fold_by_key", INSTEAD).after(SPREAD_FIRST);
        self.fold_by_key_as(method, zero, f, partitioner.into())
    }

    /// Merges the values of each key from a `zero`, with values that go along to the workers.
    ///
    /// Use it where the program may run in several processes: the closure itself may capture nothing there. For another
    /// number of partitions spread the keys first, by [`partition_by`](Rdd::partition_by).
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([('a', 3), ('a', 4)], 2);
    /// let sums = pairs.fold_by_key_env(5, 0, |most, a, b| (a + b).min(*most));
    /// assert_eq!(sums.collect()?, [('a', 5)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn fold_by_key_env<E: Data>(
        &self,
        env: E,
        zero: V,
        f: impl Fn(&E, V, V) -> V + Send + Sync + 'static,
    ) -> Rdd<(K, V)> {
        let method = Method::or("fold_by_key_env", INSTEAD);
        self.combined(method, (zero, env), Fold(f), self.default_partitioner())
    }

    #[track_caller]
    fn fold_by_key_as<F>(&self, method: Method, zero: V, f: F, partitioner: Partitioner<K>) -> Rdd<(K, V)>
    where
        F: Fn(V, V) -> V + Send + Sync + 'static,
    {
        self.combined(method, (zero, ()), Fold(move |(): &(), a, b| f(a, b)), partitioner)
    }
}

/// Each key begins with a copy of the same value, of the type of the others.
struct Fold<F>(F);

impl<E, V: Clone, F: Fn(&E, V, V) -> V + Send + Sync + 'static> Combiner<(V, E), V, V> for Fold<F> {
    #[inline(always)]
    fn create(&self, (zero, env): &(V, E), value: V) -> V {
        (self.0)(env, zero.clone(), value)
    }
    #[inline(always)]
    fn add(&self, (_, env): &(V, E), combined: V, value: V) -> V {
        (self.0)(env, combined, value)
    }
    #[inline(always)]
    fn merge(&self, (_, env): &(V, E), first: V, second: V) -> V {
        (self.0)(env, first, second)
    }
}
