//! Pairs cut into clusters by the hashes of their keys.
//!
//! A key is in one cluster only: what is done by key may be done cluster by cluster, each with a table of its own, which
//! stays in the cache. Where pairs are many the map side cuts them while it sorts them into buckets, which costs nothing
//! more; what was not cut there, because a map task had few or was short of memory, is cut by its reader.

use std::cell::RefCell;
use std::rc::Rc;

use super::blocks::Blocks;
use super::held::Held;
use crate::data::Data;
use crate::error::Result;
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

/// A pair on its way through a shuffle, with the pinned hash of its key.
pub(crate) type Hashed<K, V> = (u64, K, V);

/// As many clusters as are written to at once without waiting for memory.
pub(super) const CLUSTERS: usize = 64;

/// Returns the cluster of a hash, of a power of two of them.
#[inline(always)]
pub(super) fn cluster_of(hash: u64, clusters: usize) -> usize {
    // Neither the bits that choose a place in a table nor, as a rule, those that chose the partition.
    (hash >> 32) as usize & (clusters - 1)
}

/// Cuts pairs into clusters, in their order.
pub(super) fn cut<K, V>(pairs: Blocks<Hashed<K, V>>, clusters: &mut [Blocks<Hashed<K, V>>]) {
    let count = clusters.len();
    for pair in pairs.into_blocks().flatten() {
        clusters[cluster_of(pair.0, count)].push(pair);
    }
}

/// Pairs of which no other cluster has the keys, to be read once.
pub(crate) struct Cluster<K: Data, V: Data> {
    pub(crate) pairs: ChunkStream<Hashed<K, V>>,
    /// How many pairs there are; 0 if that is not known.
    pub(crate) expected: usize,
}

impl<K: Data, V: Data> Cluster<K, V> {
    /// Makes one cluster of all.
    pub(crate) fn united(clusters: Vec<Self>) -> Self {
        let expected = clusters.iter().map(|cluster| cluster.expected).sum();
        Cluster { pairs: one_by_one(clusters, |cluster| Ok(cluster.pairs)), expected }
    }
}

/// The pairs of a reducer in memory, cut into clusters, and what they take.
pub(super) struct Cut<K: Data, V: Data> {
    clusters: Vec<Blocks<Hashed<K, V>>>,
    left: Left,
    task: TaskContext,
}

/// The memory of what has not been read yet, of all clusters.
struct Left {
    bytes: usize,
    bytes_of_pair: usize,
    held: Held,
}

impl<K: Data, V: Data> Cut<K, V> {
    pub(super) fn nothing(task: &TaskContext) -> Self {
        let left = Left { bytes: 0, bytes_of_pair: 0, held: Held::nothing(&task.space().memory) };
        let clusters = (0..CLUSTERS).map(|_| Blocks::default()).collect();
        Cut { clusters, left, task: task.clone() }
    }

    /// Adds pairs that take some bytes each: as they are if they are cut already.
    pub(super) fn add(&mut self, pairs: Vec<Blocks<Hashed<K, V>>>, bytes_of_pair: usize) {
        let Left { bytes, bytes_of_pair: each, held } = &mut self.left;
        *bytes += pairs.iter().map(Blocks::len).sum::<usize>() * bytes_of_pair;
        *each = bytes_of_pair.max(*each);
        held.must_hold(*bytes);
        if pairs.len() == CLUSTERS {
            self.clusters.iter_mut().zip(pairs).for_each(|(cluster, pairs)| cluster.append(pairs));
        } else {
            pairs.into_iter().for_each(|pairs| cut(pairs, &mut self.clusters));
        }
    }

    pub(super) fn into_clusters(self) -> Vec<Cluster<K, V>> {
        let left = Rc::new(RefCell::new(self.left));
        let read = |pairs| Cluster::in_memory(pairs, Rc::clone(&left), self.task.clone());
        self.clusters.into_iter().map(read).collect()
    }
}

impl<K: Data, V: Data> Cluster<K, V> {
    fn in_memory(pairs: Blocks<Hashed<K, V>>, left: Rc<RefCell<Left>>, task: TaskContext) -> Self {
        let expected = pairs.len();
        let mut read = 0;
        let mut pairs = pairs.into_chunks();
        let pairs = stream::from_fn(move || {
            task.check_cancelled()?;
            // What was read before is in the hands of others.
            let Left { bytes, bytes_of_pair, held } = &mut *left.borrow_mut();
            *bytes = bytes.saturating_sub(read * *bytes_of_pair);
            held.keep(*bytes);
            let chunk = pairs.next();
            read = chunk.as_ref().map_or(0, |chunk| chunk.len());
            Ok(chunk)
        });
        Cluster { pairs, expected }
    }
}

/// Makes one stream of what is done with each cluster.
pub(crate) fn one_by_one<C: 'static, U: 'static>(
    clusters: Vec<C>,
    mut f: impl FnMut(C) -> Result<ChunkStream<U>> + 'static,
) -> ChunkStream<U> {
    let mut clusters = clusters.into_iter();
    let mut open: Option<ChunkStream<U>> = None;
    stream::from_fn(move || {
        loop {
            if let Some(stream) = &mut open {
                if let Some(chunk) = stream.next_chunk()? {
                    return Ok(Some(chunk));
                }
                open = None;
            }
            match clusters.next() {
                Some(next) => open = Some(f(next)?),
                None => return Ok(None),
            }
        }
    })
}
