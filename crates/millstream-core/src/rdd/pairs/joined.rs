//! What all joins are made of: a table of the right side's values, in which the pairs of the left side look up theirs.

use std::marker::PhantomData;
use std::mem;
use std::panic::Location;

use super::sides::{Groups, Sides, given, moved};
use super::{Grouped, Hashed};
use crate::chunk::{CHUNK, Chunk, Cursor};
use crate::data::{Data, Key};
use crate::error::Result;
use crate::rdd::{AnyRdd, Compute, Dependency, Rdd, Rebuilding, Recipe};
use crate::shuffle::clusters::{Cluster, one_by_one};
use crate::shuffle::combine_table::CombineTable;
use crate::shuffle::held::Held;
use crate::shuffle::partitioner::{PartitionedBy, Partitioner};
use crate::storage::size_estimate::estimate_all;
use crate::stream::{self, ChunkStream, Chunks};
use crate::task::TaskContext;

/// What a join makes of values that meet, and of those that meet none.
pub(super) trait Pairing<V, W>: Send + Sync + 'static {
    /// What is made.
    type Out: Data;
    /// Whether something is made of values of the right side that meet none.
    const RIGHT_ALONE: bool;
    fn both(v: V, w: W) -> Self::Out;
    fn left(v: V) -> Option<Self::Out>;
    fn right(w: W) -> Option<Self::Out>;
}

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Joins under the name of the operator it is done for.
    #[track_caller]
    pub(super) fn joined<W: Data, P: Pairing<V, W>>(
        &self,
        name: &'static str,
        other: &Rdd<(K, W)>,
        partitioner: Partitioner<K>,
    ) -> Rdd<(K, P::Out)> {
        let moved = moved(self, other, &partitioner);
        self.join_sides::<W, P>(name, other, partitioner, moved)
    }

    #[track_caller]
    fn join_sides<W: Data, P: Pairing<V, W>>(
        &self,
        name: &'static str,
        other: &Rdd<(K, W)>,
        partitioner: Partitioner<K>,
        moved: (bool, bool),
    ) -> Rdd<(K, P::Out)> {
        let place = Location::caller();
        let sides = Sides::checked(self, other, partitioner, moved, (name, place));
        let join = |sides| Box::new(Join::<K, V, W, P>(sides, PhantomData)) as Box<dyn Compute<_>>;
        Rdd::checked(self.context(), name, place, sides.map(join), 0)
    }
}

struct Join<K: Key, V: Data, W: Data, P>(Sides<K, V, W>, PhantomData<fn() -> P>);

impl<K: Key, V: Data, W: Data, P: Pairing<V, W>> Compute<(K, P::Out)> for Join<K, V, W, P> {
    fn partitions(&self) -> usize {
        self.0.partitioner.partitions()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        self.0.dependencies()
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<(K, P::Out)>> {
        let clusters = self.0.clusters(partition, task, |_, right| right)?;
        let task = task.clone();
        Ok(one_by_one(clusters, move |(left, right)| join::<K, V, W, P>(left, right, &task)))
    }

    fn partitioned_by(&self) -> Option<PartitionedBy> {
        Some(self.0.partitioner.identity())
    }

    fn recipe(&self) -> Option<Recipe> {
        fn rebuild<K: Key, V: Data, W: Data, P: Pairing<V, W>>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            let (left, right, partitioner, moved) = given::<K, V, W>(from)?;
            Ok(left.join_sides::<W, P>("rebuilt", &right, partitioner, moved).any())
        }
        Some(self.0.recipe::<Self>(rebuild::<K, V, W, P>))
    }
}

/// Joins the pairs of one cluster.
fn join<K: Key, V: Data, W: Data, P: Pairing<V, W>>(
    left: Cluster<K, V>,
    right: Cluster<K, W>,
    task: &TaskContext,
) -> Result<ChunkStream<(K, P::Out)>> {
    let mut table = Table::for_pairs(right.expected);
    let mut right = right.pairs;
    let mut held = Held::nothing(&task.space().memory);
    while let Some(chunk) = right.next_chunk()? {
        let fits = table.add(chunk.into_vec());
        if !fits || !held.hold(table.bytes()) {
            drop(held);
            return gathered::<K, V, W, P>(table, right, left.pairs, task);
        }
    }
    Ok(Box::new(Probe::<K, V, W, P> {
        left: left.pairs,
        pairs: Cursor::from(Chunk::from(Vec::new())),
        open: None,
        table,
        alone: None,
        _held: held,
        _pairing: PhantomData,
    }))
}

/// The values of each key of the right side, in the order of their arrival.
struct Table<K, W> {
    keys: CombineTable<K, Chain<W>>,
    /// All values but the first one of each key, with the place of the next one.
    more: Vec<(W, u32)>,
    heap: usize,
}

struct Chain<W> {
    first: W,
    /// The place of the second value.
    next: u32,
    /// The place of the last value; later on, whether the key has met one of the left side.
    last: u32,
}

const END: u32 = u32::MAX;
const MET: u32 = u32::MAX - 1;

impl<K: Key, W: Data> Table<K, W> {
    fn for_pairs(pairs: usize) -> Self {
        Table { keys: CombineTable::with_capacity(pairs), more: Vec::new(), heap: 0 }
    }

    /// Adds pairs; returns whether there are places for as many again.
    fn add(&mut self, pairs: Vec<Hashed<K, W>>) -> bool {
        self.heap += estimate_all(&pairs) - size_of_val(pairs.as_slice());
        let pairs_more = pairs.len();
        for (hash, key, value) in pairs {
            match self.keys.get_mut(hash, &key) {
                None => _ = self.keys.insert(hash, key, Chain { first: value, next: END, last: END }),
                Some(chain) => {
                    let place = self.more.len() as u32;
                    match self.more.get_mut(chain.last as usize) {
                        Some(last) => last.1 = place,
                        None => chain.next = place,
                    }
                    chain.last = place;
                    self.more.push((value, END));
                }
            }
        }
        self.more.len() + pairs_more < (MET as usize).saturating_sub(1 << 20)
    }

    fn bytes(&self) -> usize {
        self.keys.allocated() + self.more.capacity() * size_of::<(W, u32)>() + self.heap
    }
}

/// The pairs of the left side on their way through the table.
struct Probe<K: Key, V: Data, W: Data, P> {
    left: ChunkStream<Hashed<K, V>>,
    pairs: Cursor<Hashed<K, V>>,
    /// A pair that has met some values, and the place of the next one.
    open: Option<(K, V, u32)>,
    table: Table<K, W>,
    /// Once the left side is used up: the keys that have met none.
    alone: Option<Box<dyn Iterator<Item = (K, Chain<W>)>>>,
    _held: Held,
    _pairing: PhantomData<fn() -> P>,
}

impl<K: Key, V: Data, W: Data, P: Pairing<V, W>> Chunks<(K, P::Out)> for Probe<K, V, W, P> {
    fn next_chunk(&mut self) -> Result<Option<Chunk<(K, P::Out)>>> {
        let mut out = Vec::with_capacity(CHUNK);
        while out.len() < CHUNK && self.alone.is_none() {
            self.probe(&mut out);
            if out.len() < CHUNK {
                match self.left.next_chunk()? {
                    Some(chunk) => self.pairs = chunk.into(),
                    None => self.alone = Some(self.met_none()),
                }
            }
        }
        while out.len() < CHUNK {
            let Some((key, chain)) = self.alone.as_mut().and_then(Iterator::next) else { break };
            let mut next = chain.next;
            out.extend(P::right(chain.first).map(|made| (key.clone(), made)));
            while let Some((w, then)) = self.table.more.get(next as usize) {
                out.extend(P::right(w.clone()).map(|made| (key.clone(), made)));
                next = *then;
            }
        }
        Ok((!out.is_empty()).then(|| out.into()))
    }
}

impl<K: Key, V: Data, W: Data, P: Pairing<V, W>> Probe<K, V, W, P> {
    /// Fills a chunk with what the pairs at hand meet.
    fn probe(&mut self, out: &mut Vec<(K, P::Out)>) {
        while out.len() < CHUNK {
            let (key, v, w, next) = match self.open.take() {
                Some((key, v, at)) => match self.table.more.get(at as usize) {
                    Some((w, next)) => (key, v, w, *next),
                    None => continue,
                },
                None => {
                    let Some((hash, key, v)) = self.pairs.next() else { return };
                    let Some(chain) = self.table.keys.get_mut(hash, &key) else {
                        out.extend(P::left(v).map(|made| (key, made)));
                        continue;
                    };
                    if P::RIGHT_ALONE {
                        chain.last = MET;
                    }
                    (key, v, &chain.first, chain.next)
                }
            };
            if next == END {
                out.push((key, P::both(v, w.clone())));
            } else {
                out.push((key.clone(), P::both(v.clone(), w.clone())));
                self.open = Some((key, v, next));
            }
        }
    }

    fn met_none(&mut self) -> Box<dyn Iterator<Item = (K, Chain<W>)>> {
        if !P::RIGHT_ALONE {
            return Box::new(std::iter::empty());
        }
        Box::new(mem::take(&mut self.table.keys).into_pairs().filter(|(_, chain)| chain.last != MET))
    }
}

/// Joins without a table of one whole side: both sides gathered by key, on disk as need be.
fn gathered<K: Key, V: Data, W: Data, P: Pairing<V, W>>(
    table: Table<K, W>,
    right: ChunkStream<Hashed<K, W>>,
    left: ChunkStream<Hashed<K, V>>,
    task: &TaskContext,
) -> Result<ChunkStream<(K, P::Out)>> {
    let mut groups = Groups::<K, V, W>::new(task);
    let Table { keys, more, .. } = table;
    let mut pairs = Vec::new();
    for (hash, key, chain) in keys.into_entries() {
        let mut next = chain.next;
        pairs.push((hash, key.clone(), chain.first));
        while let Some((w, then)) = more.get(next as usize) {
            pairs.push((hash, key.clone(), w.clone()));
            next = *then;
        }
        if pairs.len() >= CHUNK {
            groups.add(mem::take(&mut pairs), |(_, right)| right)?;
        }
    }
    groups.add(pairs, |(_, right)| right)?;
    drop(more);
    groups.drain(right, |(_, right)| right)?;
    groups.drain(left, |(left, _)| left)?;
    let mut groups = groups.finish()?;
    Ok(stream::from_fn(move || {
        let Some(chunk) = groups.next_chunk()? else { return Ok(None) };
        let mut out = Vec::new();
        for (key, group) in Cursor::from(chunk) {
            pair_up::<K, V, W, P>(&key, group, &mut out);
        }
        Ok(Some(out.into()))
    }))
}

fn pair_up<K: Key, V: Data, W: Data, P: Pairing<V, W>>(
    key: &K,
    (left, right): Grouped<V, W>,
    out: &mut Vec<(K, P::Out)>,
) {
    if left.is_empty() {
        out.extend(right.into_iter().filter_map(P::right).map(|made| (key.clone(), made)));
    } else if right.is_empty() {
        out.extend(left.into_iter().filter_map(P::left).map(|made| (key.clone(), made)));
    } else {
        for v in left {
            out.extend(right.iter().map(|w| (key.clone(), P::both(v.clone(), w.clone()))));
        }
    }
}
