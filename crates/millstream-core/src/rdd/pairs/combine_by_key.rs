//! `combine_by_key`: one combined value per key; also what all operators that merge values by key are made of.

use std::panic::Location;
use std::sync::Arc;

use super::Hashed;
use crate::data::{Data, Key};
use crate::error::Result;
use crate::function::{self, CodeAddress};
use crate::rdd::exchange::{Exchange, sent_with};
use crate::rdd::in_place::InPlace;
use crate::rdd::method::Method;
use crate::rdd::{AnyRdd, Rdd, Rebuild, Rebuilding};
use crate::shuffle::clusters::one_by_one;
use crate::shuffle::collector::Collector;
use crate::shuffle::combine_table::CombineTable;
use crate::shuffle::gatherer::{Gatherer, TableSize};
use crate::shuffle::map_output::MapOutput;
use crate::shuffle::partitioner::Partitioner;
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

const INSTEAD: &str = "combine_by_key_env(values, |values, value| .., |values, combined, value| .., \
                       |values, first, second| ..)";

/// What comes before the forms that take values along where a partitioner was asked for: they take none.
pub(super) const SPREAD_FIRST: &str = "partition_by(partitioner)";

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Combines the values of each key: `create` makes a combined value of a key's first value, `merge_value` adds a further
    /// one, and `merge_combiners` merges the combined values of two partitions.
    ///
    /// Values are combined in their order where they lie, then across partitions in the order of these. The keys are spread
    /// like those of the parent if it has a partitioner, else by hash over as many partitions as `spark.default.parallelism`
    /// says or, where that is not set, as the parent has. Costs one hash table entry per key and task.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let marks = context.parallelize([("ann", 2), ("bob", 3), ("ann", 4)].map(|(k, v)| (k.to_owned(), v)), 2);
    /// let sums = marks.combine_by_key(|v| (v, 1), |(sum, n), v| (sum + v, n + 1), |a, b| (a.0 + b.0, a.1 + b.1));
    /// let mut means = sums.map_values(|(sum, n)| sum / n).collect()?;
    /// means.sort();
    /// assert_eq!(means, [("ann".into(), 3), ("bob".into(), 3)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn combine_by_key<C: Data>(
        &self,
        create: impl Fn(V) -> C + Send + Sync + 'static,
        merge_value: impl Fn(C, V) -> C + Send + Sync + 'static,
        merge_combiners: impl Fn(C, C) -> C + Send + Sync + 'static,
    ) -> Rdd<(K, C)> {
        let method = Method::or("combine_by_key", INSTEAD);
        self.combine_by_key_as(method, create, merge_value, merge_combiners, self.default_partitioner())
    }

    /// Combines the values of each key, with a partitioner or a number of partitions.
    ///
    /// Where the keys are already spread by the same partitioner nothing crosses partitions, and `merge_combiners` is not
    /// called unless memory runs short.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([(1, 'a'), (1, 'b')], 2);
    /// let texts = pairs.combine_by_key_with(String::from, |text, c| text + &c.to_string(), |a, b| a + &b, 3);
    /// assert_eq!((texts.num_partitions(), texts.collect()?), (3, vec![(1, "ab".into())]));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn combine_by_key_with<C: Data>(
        &self,
        create: impl Fn(V) -> C + Send + Sync + 'static,
        merge_value: impl Fn(C, V) -> C + Send + Sync + 'static,
        merge_combiners: impl Fn(C, C) -> C + Send + Sync + 'static,
        partitioner: impl Into<Partitioner<K>>,
    ) -> Rdd<(K, C)> {
        let method = Method::or("combine_by_key", INSTEAD).after(SPREAD_FIRST);
        self.combine_by_key_as(method, create, merge_value, merge_combiners, partitioner.into())
    }

    /// Combines the values of each key, with values that go along to the workers and are handed to all three functions.
    ///
    /// Use it where the program may run in several processes: the closures themselves may capture nothing there. For another
    /// number of partitions spread the keys first, by [`partition_by`](Rdd::partition_by).
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([(1, 'a'), (1, 'b')], 2);
    /// let texts = pairs.combine_by_key_env(
    ///     "-".to_owned(),
    ///     |_, c| c.to_string(),
    ///     |between, text, c| format!("{text}{between}{c}"),
    ///     |between, a, b| a + between + &b,
    /// );
    /// assert_eq!(texts.collect()?, [(1, "a-b".into())]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn combine_by_key_env<E: Data, C: Data>(
        &self,
        env: E,
        create: impl Fn(&E, V) -> C + Send + Sync + 'static,
        merge_value: impl Fn(&E, C, V) -> C + Send + Sync + 'static,
        merge_combiners: impl Fn(&E, C, C) -> C + Send + Sync + 'static,
    ) -> Rdd<(K, C)> {
        let by = Functions { create, merge_value, merge_combiners };
        self.combined(Method::or("combine_by_key_env", INSTEAD), env, by, self.default_partitioner())
    }

    #[track_caller]
    fn combine_by_key_as<C: Data>(
        &self,
        method: Method,
        create: impl Fn(V) -> C + Send + Sync + 'static,
        merge_value: impl Fn(C, V) -> C + Send + Sync + 'static,
        merge_combiners: impl Fn(C, C) -> C + Send + Sync + 'static,
        partitioner: Partitioner<K>,
    ) -> Rdd<(K, C)> {
        let by = Functions {
            create: move |(): &(), value| create(value),
            merge_value: move |(): &(), combined, value| merge_value(combined, value),
            merge_combiners: move |(): &(), first, second| merge_combiners(first, second),
        };
        self.combined(method, (), by, partitioner)
    }

    /// Combines the values of each key, under the name of the operator it is done for.
    #[track_caller]
    pub(super) fn combined<E: Data, C: Data, B: Combiner<E, V, C>>(
        &self,
        method: impl Into<Method>,
        env: E,
        by: B,
        partitioner: Partitioner<K>,
    ) -> Rdd<(K, C)> {
        let method = method.into();
        if self.partitioned_by() == Some(partitioner.identity()) {
            return self.combined_in_place(method, env, by);
        }
        self.combined_across(method, env, by, partitioner)
    }

    /// Combines the values of each key where all of them lie in one partition.
    #[track_caller]
    pub(super) fn combined_in_place<E: Data, C: Data, B: Combiner<E, V, C>>(
        &self,
        method: impl Into<Method>,
        env: E,
        by: B,
    ) -> Rdd<(K, C)> {
        fn rebuild<K: Key, V: Data, E: Data, C: Data, B: Combiner<E, V, C>>(
            from: &Rebuilding<'_>,
        ) -> Result<AnyRdd> {
            let parent: Rdd<(K, V)> = Rdd::from_any(from.parent(0)?)?;
            let env: E = function::decode("closure values", from.env)?;
            Ok(parent.combined_in_place("rebuilt", env, from.build.conjure::<B>()?).any())
        }
        let rebuild: Rebuild = rebuild::<K, V, E, C, B>;
        let build = CodeAddress::of::<B>(rebuild as usize);
        let by = Arc::new((by, env.clone()));
        let gather = Box::new(move |input: ChunkStream<(K, V)>, task: &TaskContext| {
            combine_in_place(input, &by, task)
        });
        InPlace::new(self, build, env, gather).into_rdd(method, Location::caller(), size_of::<B>())
    }

    #[track_caller]
    fn combined_across<E: Data, C: Data, B: Combiner<E, V, C>>(
        &self,
        method: Method,
        env: E,
        by: B,
        partitioner: Partitioner<K>,
    ) -> Rdd<(K, C)> {
        fn rebuild<K: Key, V: Data, E: Data, C: Data, B: Combiner<E, V, C>>(
            from: &Rebuilding<'_>,
        ) -> Result<AnyRdd> {
            let parent: Rdd<(K, V)> = Rdd::from_any(from.parent(0)?)?;
            let (partitioner, env) = sent_with::<K, E>(from)?;
            Ok(parent.combined_across("rebuilt".into(), env, from.build.conjure::<B>()?, partitioner).any())
        }
        let rebuild: Rebuild = rebuild::<K, V, E, C, B>;
        let build = CodeAddress::of::<B>(rebuild as usize);
        let by = Arc::new((by, env.clone()));
        let merge = Arc::clone(&by);
        let spread = partitioner.clone();
        let exchange = Exchange::new(
            self,
            &partitioner,
            build,
            env,
            Box::new(move |input, task| combine(input, &by, &spread, task)),
            Box::new(move |input| {
                let task = input.task().clone();
                let merge = Arc::clone(&merge);
                Ok(one_by_one(input.clusters(), move |cluster| {
                    let mut merged = Gatherer::new("combined values", &task);
                    stream::drain(cluster.pairs, |chunk| {
                        let entries = chunk.len();
                        merged.table.merge_entries(chunk.into_vec(), |a, b| merge.0.merge(&merge.1, a, b));
                        merged.merged(entries)
                    })?;
                    let merge = Arc::clone(&merge);
                    merged.finish(move |a, b| merge.0.merge(&merge.1, a, b))
                }))
            }),
        );
        exchange.into_rdd(self, method, Location::caller(), size_of::<B>())
    }
}

/// How values are combined, with values `E` that travel along.
pub(super) trait Combiner<E, V, C>: Send + Sync + 'static {
    /// Makes a combined value of a key's first value.
    fn create(&self, env: &E, value: V) -> C;
    /// Adds a further value.
    fn add(&self, env: &E, combined: C, value: V) -> C;
    /// Merges what two partitions have made.
    fn merge(&self, env: &E, first: C, second: C) -> C;
}

struct Functions<A, B, M> {
    create: A,
    merge_value: B,
    merge_combiners: M,
}

impl<E, V, C, A, B, M> Combiner<E, V, C> for Functions<A, B, M>
where
    A: Fn(&E, V) -> C + Send + Sync + 'static,
    B: Fn(&E, C, V) -> C + Send + Sync + 'static,
    M: Fn(&E, C, C) -> C + Send + Sync + 'static,
{
    #[inline(always)]
    fn create(&self, env: &E, value: V) -> C {
        (self.create)(env, value)
    }
    #[inline(always)]
    fn add(&self, env: &E, combined: C, value: V) -> C {
        (self.merge_value)(env, combined, value)
    }
    #[inline(always)]
    fn merge(&self, env: &E, first: C, second: C) -> C {
        (self.merge_combiners)(env, first, second)
    }
}

/// Combines the values of each key of one partition, and sorts the keys into buckets.
///
/// When there is no room for the table it is written out and begun anew: a key may be in a bucket more than once.
fn combine<K: Key, V: Data, E, C: Data>(
    input: ChunkStream<(K, V)>,
    (by, env): &(impl Combiner<E, V, C>, E),
    partitioner: &Partitioner<K>,
    task: &TaskContext,
) -> Result<Arc<MapOutput<Hashed<K, C>>>> {
    let mut buckets = Collector::new(partitioner.partitions(), task.space());
    let mut table = CombineTable::new();
    let mut size = TableSize::default();
    let sort = |table: CombineTable<K, C>, buckets: &mut Collector<Hashed<K, C>>| {
        for (hash, key, combined) in table.into_entries() {
            buckets.push_pair(partitioner.partition(&key, hash), (hash, key, combined));
        }
    };
    stream::drain(input, |chunk| {
        let values = chunk.len();
        let create = |value| by.create(env, value);
        table.merge_chunk(chunk.into_vec(), create, |old, new| by.add(env, old, new));
        if !buckets.has_room(size.after(values, &table)) {
            sort(std::mem::take(&mut table), &mut buckets);
            size = TableSize::default();
            buckets.write_out()?;
        }
        Ok(())
    })?;
    buckets.cut_for(table.len());
    sort(table, &mut buckets);
    buckets.finish()
}

/// Combines the values of each key of one partition where they lie.
fn combine_in_place<K: Key, V: Data, E: Data, C: Data>(
    input: ChunkStream<(K, V)>,
    with: &Arc<(impl Combiner<E, V, C>, E)>,
    task: &TaskContext,
) -> Result<ChunkStream<(K, C)>> {
    let mut combined = Gatherer::new("combined values", task);
    let (by, env) = &**with;
    stream::drain(input, |chunk| {
        let values = chunk.len();
        let create = |value| by.create(env, value);
        combined.table.merge_chunk(chunk.into_vec(), create, |old, new| by.add(env, old, new));
        combined.merged(values)
    })?;
    let with = Arc::clone(with);
    combined.finish(move |first, second| with.0.merge(&with.1, first, second))
}
