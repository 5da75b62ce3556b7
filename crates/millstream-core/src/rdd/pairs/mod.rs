//! Operators of RDDs of pairs, one file each.

mod aggregate_by_key;
mod cogroup;
mod cogroup3;
mod cogroup4;
mod combine_by_key;
mod count_approx_distinct_by_key;
mod filter_by_range;
mod flat_map_values;
mod fold_by_key;
mod full_outer_join;
mod group_by_key;
mod join;
mod joined;
mod keys;
mod left_outer_join;
mod map_values;
mod partition_by;
mod partitioner;
mod preserving_partitioning_of;
mod reduce_by_key;
mod repartition_and_sort_within_partitions;
mod right_outer_join;
mod sample_by_key;
mod sides;
mod sort_by_key;
mod subtract_by_key;
mod values;

pub use cogroup::Grouped;
pub use cogroup3::Grouped3;
pub use cogroup4::Grouped4;

use std::sync::Arc;

use crate::chunk::Cursor;
use crate::data::{Data, Key};
use crate::error::Result;
use crate::shuffle::clusters::Hashed;
use crate::shuffle::collector::{Collector, collect};
use crate::shuffle::hash::pinned_hash;
use crate::shuffle::map_output::MapOutput;
use crate::shuffle::partitioner::Partitioner;
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

/// Sorts pairs into one bucket per partition, keeping their order: the map side of what does not combine.
pub(crate) fn spread<K: Key, V: Data>(
    input: ChunkStream<(K, V)>,
    partitioner: &Partitioner<K>,
    task: &TaskContext,
) -> Result<Arc<MapOutput<Hashed<K, V>>>> {
    collect(input, partitioner.partitions(), task, |(key, value)| {
        let hash = pinned_hash(&key);
        (partitioner.partition(&key, hash), (hash, key, value))
    })
}

/// Sorts pairs into one bucket per partition, keeping the order of those of one key: the map side of what is done by key.
pub(crate) fn spread_by_key<K: Key, V: Data>(
    input: ChunkStream<(K, V)>,
    partitioner: &Partitioner<K>,
    task: &TaskContext,
) -> Result<Arc<MapOutput<Hashed<K, V>>>> {
    let mut buckets = Collector::new(partitioner.partitions(), task.space());
    stream::drain(input, |chunk| {
        let pairs = chunk.len();
        for (key, value) in Cursor::from(chunk) {
            let hash = pinned_hash(&key);
            buckets.push_pair(partitioner.partition(&key, hash), (hash, key, value));
        }
        buckets.grew(pairs)?;
        buckets.cut_if_many();
        Ok(())
    })?;
    buckets.finish()
}

/// Hashes the keys of pairs that are not moved.
pub(crate) fn hashed<K: Key, V: Data>(mut input: ChunkStream<(K, V)>) -> ChunkStream<Hashed<K, V>> {
    stream::from_fn(move || {
        let chunk = input.next_chunk()?;
        Ok(chunk.map(|chunk| chunk.map(|(key, value)| (pinned_hash(&key), key, value))))
    })
}
