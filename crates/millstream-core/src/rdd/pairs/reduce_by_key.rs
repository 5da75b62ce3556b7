//! `reduce_by_key`: one value per key.

use super::combine_by_key::{Combiner, SPREAD_FIRST};
use crate::data::{Data, Key};
use crate::rdd::Rdd;
use crate::rdd::method::Method;
use crate::shuffle::partitioner::Partitioner;

const INSTEAD: &str = "reduce_by_key_env(values, |values, first, second| ..)";

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Merges the values of each key with an associative function, first where they lie, then across partitions.
    ///
    /// Where the keys are spread by some partitioner already it stays, and nothing crosses partitions; else there are as many
    /// partitions as `spark.default.parallelism` says or, where that is not set, as there are now. Values are merged in
    /// their order within a partition. Costs one hash table entry per key and task.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let words = context.parallelize(["to", "be", "to"].map(|w| (w.to_owned(), 1)), 2);
    /// let mut counts = words.reduce_by_key(|a, b| a + b).collect()?;
    /// counts.sort();
    /// assert_eq!(counts, [("be".into(), 1), ("to".into(), 2)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_key(&self, f: impl Fn(V, V) -> V + Send + Sync + 'static) -> Rdd<(K, V)> {
        let f = move |(): &(), a, b| f(a, b);
        self.reduce_by_key_as(Method::or("reduce_by_key", INSTEAD), (), f, self.default_partitioner())
    }

    /// Merges the values of each key, with a partitioner or a number of partitions.
    ///
    /// Where the keys are already spread by the same partitioner nothing crosses partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([("a".to_owned(), 1), ("a".to_owned(), 2)], 2);
    /// let sums = pairs.reduce_by_key_with(|a, b| a + b, 5);
    /// assert_eq!((sums.num_partitions(), sums.collect()?), (5, vec![("a".into(), 3)]));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_key_with<F>(&self, f: F, partitioner: impl Into<Partitioner<K>>) -> Rdd<(K, V)>
    where
        F: Fn(V, V) -> V + Send + Sync + 'static,
    {
        let method = Method::or("reduce_by_key", INSTEAD).after(SPREAD_FIRST);
        self.reduce_by_key_as(method, (), move |(): &(), a, b| f(a, b), partitioner)
    }

    /// Merges the values of each key with an associative function and values that go along to the workers.
    ///
    /// Use it where the program may run in several processes: the closure itself may capture nothing there. For another
    /// number of partitions spread the keys first, by [`partition_by`](Rdd::partition_by).
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([('a', 3), ('a', 4), ('b', 1)], 2);
    /// let mut sums = pairs.reduce_by_key_env(5, |most, a, b| (a + b).min(*most)).collect()?;
    /// sums.sort();
    /// assert_eq!(sums, [('a', 5), ('b', 1)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_key_env<E: Data>(
        &self,
        env: E,
        f: impl Fn(&E, V, V) -> V + Send + Sync + 'static,
    ) -> Rdd<(K, V)> {
        self.reduce_by_key_as(Method::or("reduce_by_key_env", INSTEAD), env, f, self.default_partitioner())
    }

    /// Merges the values of each key, under the name of the operator it is done for.
    #[track_caller]
    pub(crate) fn reduce_by_key_as<E: Data, F>(
        &self,
        method: Method,
        env: E,
        f: F,
        partitioner: impl Into<Partitioner<K>>,
    ) -> Rdd<(K, V)>
    where
        F: Fn(&E, V, V) -> V + Send + Sync + 'static,
    {
        self.combined(method, env, Reduce(f), partitioner.into())
    }

    /// Merges the values of each key where all of them lie in one partition.
    #[track_caller]
    pub(crate) fn reduce_in_place<F>(&self, name: &'static str, f: F) -> Rdd<(K, V)>
    where
        F: Fn(V, V) -> V + Send + Sync + 'static,
    {
        self.combined_in_place(name, (), Reduce(move |(): &(), a, b| f(a, b)))
    }
}

/// The first value is the beginning.
struct Reduce<F>(F);

impl<E, V, F: Fn(&E, V, V) -> V + Send + Sync + 'static> Combiner<E, V, V> for Reduce<F> {
    #[inline(always)]
    fn create(&self, _: &E, value: V) -> V {
        value
    }
    #[inline(always)]
    fn add(&self, env: &E, combined: V, value: V) -> V {
        (self.0)(env, combined, value)
    }
    #[inline(always)]
    fn merge(&self, env: &E, first: V, second: V) -> V {
        (self.0)(env, first, second)
    }
}
