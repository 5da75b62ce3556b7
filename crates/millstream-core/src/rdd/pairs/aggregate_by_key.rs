//! `aggregate_by_key`: the values of each key in a value of another type.

use super::combine_by_key::{Combiner, SPREAD_FIRST};
use crate::data::{Data, Key};
use crate::rdd::Rdd;
use crate::rdd::method::Method;
use crate::shuffle::partitioner::Partitioner;

const INSTEAD: &str =
    "aggregate_by_key_env(values, zero, |values, sum, value| .., |values, first, second| ..)";

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Adds the values of each key to a `zero` of its own, first where they lie, then merges the results across partitions.
    ///
    /// Where the keys are spread by some partitioner already it stays and nothing is merged; else there are as many
    /// partitions as `spark.default.parallelism` says or, where that is not set, as there are now. `zero` must be neutral, or it counts once for each partition.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let words = context.parallelize([('a', "to".to_owned()), ('a', "be".to_owned())], 2);
    /// let letters = words.aggregate_by_key(0, |sum, word| sum + word.len(), |a, b| a + b);
    /// assert_eq!(letters.collect()?, [('a', 4)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn aggregate_by_key<U: Data>(
        &self,
        zero: U,
        add: impl Fn(U, V) -> U + Send + Sync + 'static,
        merge: impl Fn(U, U) -> U + Send + Sync + 'static,
    ) -> Rdd<(K, U)> {
        let method = Method::or("aggregate_by_key", INSTEAD);
        self.aggregate_by_key_as(method, zero, add, merge, self.default_partitioner())
    }

    /// Adds the values of each key to a `zero`, with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([('a', 1), ('a', 2)], 2);
    /// let sums = pairs.aggregate_by_key_with(0, |sum, n| sum + n, |a, b| a + b, 3);
    /// assert_eq!((sums.num_partitions(), sums.collect()?), (3, vec![('a', 3)]));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn aggregate_by_key_with<U: Data>(
        &self,
        zero: U,
        add: impl Fn(U, V) -> U + Send + Sync + 'static,
        merge: impl Fn(U, U) -> U + Send + Sync + 'static,
        partitioner: impl Into<Partitioner<K>>,
    ) -> Rdd<(K, U)> {
        let method = Method::or("aggregate_by_key", INSTEAD).after(SPREAD_FIRST);
        self.aggregate_by_key_as(method, zero, add, merge, partitioner.into())
    }

    /// Adds the values of each key to a `zero`, with values that go along to the workers.
    ///
    /// Use it where the program may run in several processes: the closures themselves may capture nothing there. For another
    /// number of partitions spread the keys first, by [`partition_by`](Rdd::partition_by).
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([('a', 1), ('a', 20)], 2);
    /// let sums = pairs.aggregate_by_key_env(10, 0, |most, sum, n| sum + n.min(*most), |_, a, b| a + b);
    /// assert_eq!(sums.collect()?, [('a', 11)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn aggregate_by_key_env<E: Data, U: Data>(
        &self,
        env: E,
        zero: U,
        add: impl Fn(&E, U, V) -> U + Send + Sync + 'static,
        merge: impl Fn(&E, U, U) -> U + Send + Sync + 'static,
    ) -> Rdd<(K, U)> {
        let method = Method::or("aggregate_by_key_env", INSTEAD);
        self.combined(method, (zero, env), Aggregate { add, merge }, self.default_partitioner())
    }

    #[track_caller]
    fn aggregate_by_key_as<U: Data>(
        &self,
        method: Method,
        zero: U,
        add: impl Fn(U, V) -> U + Send + Sync + 'static,
        merge: impl Fn(U, U) -> U + Send + Sync + 'static,
        partitioner: Partitioner<K>,
    ) -> Rdd<(K, U)> {
        let by = Aggregate {
            add: move |(): &(), sum, value| add(sum, value),
            merge: move |(): &(), first, second| merge(first, second),
        };
        self.combined(method, (zero, ()), by, partitioner)
    }
}

/// Each key begins with a copy of the same value.
pub(super) struct Aggregate<A, M> {
    pub(super) add: A,
    pub(super) merge: M,
}

impl<E, U, V, A, M> Combiner<(U, E), V, U> for Aggregate<A, M>
where
    U: Clone,
    A: Fn(&E, U, V) -> U + Send + Sync + 'static,
    M: Fn(&E, U, U) -> U + Send + Sync + 'static,
{
    #[inline(always)]
    fn create(&self, (zero, env): &(U, E), value: V) -> U {
        (self.add)(env, zero.clone(), value)
    }
    #[inline(always)]
    fn add(&self, (_, env): &(U, E), combined: U, value: V) -> U {
        (self.add)(env, combined, value)
    }
    #[inline(always)]
    fn merge(&self, (_, env): &(U, E), first: U, second: U) -> U {
        (self.merge)(env, first, second)
    }
}
