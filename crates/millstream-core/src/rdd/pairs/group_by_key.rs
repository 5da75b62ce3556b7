//! `group_by_key`: all values of each key.

use std::panic::Location;

use super::{hashed, spread_by_key};
use crate::data::{Data, Key};
use crate::error::Result;
use crate::function::CodeAddress;
use crate::rdd::exchange::{Exchange, sent_with};
use crate::rdd::in_place::InPlace;
use crate::rdd::{AnyRdd, Rdd, Rebuild, Rebuilding};
use crate::shuffle::clusters::{Hashed, one_by_one};
use crate::shuffle::gatherer::Gatherer;
use crate::shuffle::partitioner::Partitioner;
use crate::storage::size_estimate::estimate_all;
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Gathers the values of each key, in the order of their partitions.
    ///
    /// Where the keys are spread by some partitioner already it stays, and nothing crosses partitions; else there are as
    /// many partitions as `spark.default.parallelism` says. All values of a key must fit in memory; to merge them, `reduce_by_key` moves far less.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([("a".to_owned(), 1), ("a".to_owned(), 2)], 2);
    /// assert_eq!(pairs.group_by_key().collect()?, [("a".into(), vec![1, 2])]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by_key(&self) -> Rdd<(K, Vec<V>)> {
        self.group_by_key_with(self.default_partitioner())
    }

    /// Gathers the values of each key, with a partitioner or a number of partitions.
    ///
    /// Where the keys are already spread by the same partitioner nothing crosses partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let groups = context.parallelize([(1, 'a'), (1, 'b')], 2).group_by_key_with(3);
    /// assert_eq!((groups.num_partitions(), groups.collect()?), (3, vec![(1, vec!['a', 'b'])]));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by_key_with(&self, partitioner: impl Into<Partitioner<K>>) -> Rdd<(K, Vec<V>)> {
        let partitioner = partitioner.into();
        if self.partitioned_by() == Some(partitioner.identity()) {
            return self.group_in_place();
        }
        self.group_across(partitioner)
    }

    #[track_caller]
    fn group_in_place(&self) -> Rdd<(K, Vec<V>)> {
        fn rebuild<K: Key, V: Data>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            Ok(Rdd::<(K, V)>::from_any(from.parent(0)?)?.group_in_place().any())
        }
        let rebuild: Rebuild = rebuild::<K, V>;
        let build = CodeAddress::of::<(K, V)>(rebuild as usize);
        let groups = InPlace::new(self, build, (), Box::new(|input, task| group(hashed(input), task)));
        groups.into_rdd("group_by_key", Location::caller(), 0)
    }

    #[track_caller]
    fn group_across(&self, partitioner: Partitioner<K>) -> Rdd<(K, Vec<V>)> {
        fn rebuild<K: Key, V: Data>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            let parent: Rdd<(K, V)> = Rdd::from_any(from.parent(0)?)?;
            Ok(parent.group_across(sent_with::<K, ()>(from)?.0).any())
        }
        let rebuild: Rebuild = rebuild::<K, V>;
        let rule = partitioner.clone();
        let exchange = Exchange::new(
            self,
            &partitioner,
            CodeAddress::of::<(K, V)>(rebuild as usize),
            (),
            Box::new(move |input, task| spread_by_key(input, &rule, task)),
            Box::new(|input| {
                let task = input.task().clone();
                Ok(one_by_one(input.clusters(), move |cluster| group(cluster.pairs, &task)))
            }),
        );
        exchange.into_rdd(self, "group_by_key", Location::caller(), 0)
    }
}

fn group<K: Key, V: Data>(
    pairs: ChunkStream<Hashed<K, V>>,
    task: &TaskContext,
) -> Result<ChunkStream<(K, Vec<V>)>> {
    let mut groups: Gatherer<K, Vec<V>> = Gatherer::new("the values of keys", task);
    stream::drain(pairs, |chunk| {
        let pairs = chunk.into_vec();
        let bytes = estimate_all(&pairs);
        for (hash, key, value) in pairs {
            groups.table.entry(hash, key, Vec::new).push(value);
        }
        groups.collected(bytes)
    })?;
    groups.finish(|mut first, mut second| {
        first.append(&mut second);
        first
    })
}
