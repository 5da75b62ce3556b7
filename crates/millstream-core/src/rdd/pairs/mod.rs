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
mod keys;
mod left_outer_join;
mod map_values;
mod partition_by;
mod partitioner;
mod reduce_by_key;
mod repartition_and_sort_within_partitions;
mod right_outer_join;
mod sample_by_key;
mod sort_by_key;
mod subtract_by_key;
mod values;

pub use cogroup::Grouped;
pub use cogroup3::Grouped3;
pub use cogroup4::Grouped4;

use crate::data::Key;
use crate::shuffle::partitioner::Partitioner;

/// A pair on its way through a shuffle, with the pinned hash of its key.
pub(crate) type Hashed<K, V> = (u64, K, V);

/// Sorts pairs into one bucket per partition, keeping their order.
pub(crate) fn into_buckets<K: Key, V>(
    pairs: impl IntoIterator<Item = Hashed<K, V>>,
    partitioner: &Partitioner<K>,
) -> Vec<Vec<Hashed<K, V>>> {
    let mut buckets: Vec<Vec<Hashed<K, V>>> = (0..partitioner.partitions()).map(|_| Vec::new()).collect();
    for (hash, key, value) in pairs {
        let partition = partitioner.partition(&key, hash);
        if let Some(bucket) = buckets.get_mut(partition) {
            bucket.push((hash, key, value));
        }
    }
    buckets
}
