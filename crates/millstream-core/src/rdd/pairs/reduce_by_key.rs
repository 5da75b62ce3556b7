//! `reduce_by_key`: one value per key.

use std::panic::Location;
use std::sync::Arc;

use super::into_buckets;
use crate::data::{Data, Key};
use crate::error::Result;
use crate::function::CodeAddress;
use crate::rdd::exchange::{Exchange, reducers};
use crate::rdd::narrow::Form;
use crate::rdd::{AnyRdd, Rdd, Rebuild, Rebuilding};
use crate::shuffle::combine_table::CombineTable;
use crate::shuffle::partitioner::Partitioner;
use crate::stream::{self, ChunkStream};

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Merges the values of each key with an associative function, first where they lie, then across partitions.
    ///
    /// There are as many partitions as `spark.default.parallelism` says (by default the number of worker threads), unless
    /// the keys are spread by some partitioner already: then it stays, and nothing crosses partitions. Values are merged
    /// in their order within a partition. Costs one hash table entry per key and task.
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
        // What lies together already needs no other partitioner.
        if self.partitioned_by().is_some() {
            return self.reduce_in_place(f);
        }
        self.reduce_by_key_with(f, self.context().default_parallelism())
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
        let partitioner = partitioner.into();
        if self.partitioned_by() == Some(partitioner.identity()) {
            return self.reduce_in_place(f);
        }
        self.reduce_across(f, partitioner)
    }

    #[track_caller]
    fn reduce_in_place(&self, f: impl Fn(V, V) -> V + Send + Sync + 'static) -> Rdd<(K, V)> {
        let form = Form { keeps_keys: true, ..Form::new("reduce_by_key") };
        self.per_partition(form, move |(), input, _| {
            let table = combine(input, &f)?;
            Ok(stream::from_iter(table.into_entries().into_iter().map(|(_, key, value)| (key, value))))
        })
    }

    #[track_caller]
    fn reduce_across<F>(&self, f: F, partitioner: Partitioner<K>) -> Rdd<(K, V)>
    where
        F: Fn(V, V) -> V + Send + Sync + 'static,
    {
        fn rebuild<K: Key, V: Data, F>(from: &Rebuilding<'_>) -> Result<AnyRdd>
        where
            F: Fn(V, V) -> V + Send + Sync + 'static,
        {
            let parent: Rdd<(K, V)> = Rdd::from_any(from.parent(0)?)?;
            Ok(parent.reduce_across(from.build.conjure::<F>()?, reducers(from)?.into()).any())
        }
        let rebuild: Rebuild = rebuild::<K, V, F>;
        let build = CodeAddress::of::<F>(rebuild as usize);
        let f = Arc::new(f);
        let merge = Arc::clone(&f);
        let spread = partitioner.clone();
        let exchange = Exchange::new(
            self,
            &partitioner,
            build,
            Box::new(move |input, _| Ok(into_buckets(combine(input, &*f)?.into_entries(), &spread))),
            Box::new(move |buckets, _| {
                let mut buckets = buckets.into_iter().filter(|bucket| !bucket.is_empty());
                // The keys of one map task are different already.
                let mut merged = buckets.next().unwrap_or_default();
                if let Some(second) = buckets.next() {
                    let mut table = CombineTable::with_capacity(merged.len());
                    for bucket in [merged, second].into_iter().chain(buckets) {
                        table.merge_entries(bucket, &*merge);
                    }
                    merged = table.into_entries();
                }
                Ok(stream::from_iter(merged.into_iter().map(|(_, key, value)| (key, value))))
            }),
        );
        exchange.into_rdd(self, "reduce_by_key", Location::caller(), size_of::<F>())
    }
}

/// Merges the values of each key of one partition.
fn combine<K: Key, V: Data>(
    input: ChunkStream<(K, V)>,
    f: &impl Fn(V, V) -> V,
) -> Result<CombineTable<K, V>> {
    let mut table = CombineTable::new();
    stream::drain(input, |chunk| {
        table.merge_chunk(chunk.into_vec(), |value| value, f);
        Ok(())
    })?;
    Ok(table)
}
