//! `group_by_key`: all values of each key.

use std::panic::Location;

use super::{Hashed, into_buckets};
use crate::chunk::Cursor;
use crate::data::{Data, Key};
use crate::error::Result;
use crate::function::CodeAddress;
use crate::rdd::exchange::{Exchange, sent_with};
use crate::rdd::narrow::Form;
use crate::rdd::{AnyRdd, Rdd, Rebuild, Rebuilding};
use crate::shuffle::combine_table::CombineTable;
use crate::shuffle::hash::pinned_hash;
use crate::shuffle::partitioner::Partitioner;
use crate::stream::{self, ChunkStream};

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
        let form = Form { keeps_keys: true, ..Form::new("group_by_key") };
        self.per_partition(form, |(), input, _| group(hashed(input)?))
    }

    #[track_caller]
    fn group_across(&self, partitioner: Partitioner<K>) -> Rdd<(K, Vec<V>)> {
        fn rebuild<K: Key, V: Data>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            let parent: Rdd<(K, V)> = Rdd::from_any(from.parent(0)?)?;
            Ok(parent.group_across(sent_with::<K, ()>(from)?.0).any())
        }
        let rebuild: Rebuild = rebuild::<K, V>;
        let spread = partitioner.clone();
        let exchange = Exchange::new(
            self,
            &partitioner,
            CodeAddress::of::<(K, V)>(rebuild as usize),
            (),
            Box::new(move |input, _| Ok(into_buckets(hashed(input)?, &spread))),
            Box::new(|buckets, _| group(buckets.into_iter().flatten())),
        );
        exchange.into_rdd(self, "group_by_key", Location::caller(), 0)
    }
}

/// Reads a partition and hashes its keys.
pub(super) fn hashed<K: Key, V: Data>(input: ChunkStream<(K, V)>) -> Result<Vec<Hashed<K, V>>> {
    let mut pairs = Vec::new();
    stream::drain(input, |chunk| {
        pairs.extend(Cursor::from(chunk).map(|(key, value)| (pinned_hash(&key), key, value)));
        Ok(())
    })?;
    Ok(pairs)
}

fn group<K: Key, V: Data>(pairs: impl IntoIterator<Item = Hashed<K, V>>) -> Result<ChunkStream<(K, Vec<V>)>> {
    let mut table: CombineTable<K, Vec<V>> = CombineTable::new();
    for (hash, key, value) in pairs {
        table.entry(hash, key, Vec::new).push(value);
    }
    Ok(stream::from_iter(table.into_entries().into_iter().map(|(_, key, values)| (key, values))))
}
