//! `combine_by_key`: the values of each key of a batch in a value of another type, which the first value makes.

use std::sync::Arc;

use millstream_core::{Data, Key, Partitioner};

use crate::dstream::DStream;

impl<K: Key, V: Data> DStream<(K, V)> {
    /// Combines the values of each key of a batch: the first makes a combiner, the others are merged into it, first where
    /// they lie; then the combiners are merged across partitions.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(
    ///     batches![[('a', 2), ('a', 4)]],
    ///     |s| s.combine_by_key(|n| (n, 1), |(sum, k), n| (sum + n, k + 1), |(s, k), (t, l)| (s + t, k + l)),
    ///     batches![[('a', (6, 2))]],
    /// );
    /// ```
    #[track_caller]
    pub fn combine_by_key<C: Data>(
        &self,
        create: impl Fn(V) -> C + Send + Sync + 'static,
        merge_value: impl Fn(C, V) -> C + Send + Sync + 'static,
        merge_combiners: impl Fn(C, C) -> C + Send + Sync + 'static,
    ) -> DStream<(K, C)> {
        self.combine_by_key_with(create, merge_value, merge_combiners, self.context().default_parallelism())
    }

    /// Combines the values of each key of a batch, with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(
    ///     batches![[('a', 2), ('a', 4)]],
    ///     |s| s.combine_by_key_with(|n| vec![n], |all, n| [all, vec![n]].concat(), |a, b| [a, b].concat(), 1),
    ///     batches![[('a', vec![2, 4])]],
    /// );
    /// ```
    #[track_caller]
    pub fn combine_by_key_with<C: Data>(
        &self,
        create: impl Fn(V) -> C + Send + Sync + 'static,
        merge_value: impl Fn(C, V) -> C + Send + Sync + 'static,
        merge_combiners: impl Fn(C, C) -> C + Send + Sync + 'static,
        partitioner: impl Into<Partitioner<K>>,
    ) -> DStream<(K, C)> {
        let functions = Arc::new((create, merge_value, merge_combiners));
        self.per_batch_spread("combine_by_key", partitioner, move |rdd, partitioner| {
            let (one, two, three) = (Arc::clone(&functions), Arc::clone(&functions), Arc::clone(&functions));
            rdd.combine_by_key_with(
                move |value| one.0(value),
                move |combined, value| two.1(combined, value),
                move |a, b| three.2(a, b),
                partitioner,
            )
        })
    }
}
