//! What is made of two RDDs of pairs by key: both spread alike, each moved only if need be.

use std::panic::Location;
use std::sync::Arc;

use super::{Grouped, Hashed, hashed, spread_by_key};
use crate::data::{Data, Key};
use crate::error::Result;
use crate::function::{self, CodeAddress};
use crate::operator;
use crate::rdd::exchange::can_spread;
use crate::rdd::{Dependency, Rdd, Rebuild, Rebuilding, Recipe};
use crate::shuffle::clusters::Cluster;
use crate::shuffle::gatherer::Gatherer;
use crate::shuffle::input::Input;
use crate::shuffle::partitioner::{Partitioner, Spec};
use crate::shuffle::{AnyShuffle, Shuffle};
use crate::storage::size_estimate::estimate_all;
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

/// Two RDDs of pairs, and how their keys are to be spread.
pub(super) struct Sides<K: Key, V: Data, W: Data> {
    pub(super) left: Side<K, V>,
    pub(super) right: Side<K, W>,
    pub(super) partitioner: Partitioner<K>,
    pub(super) operator: String,
}

/// One of the two RDDs: spread as needed, or to be moved.
pub(super) enum Side<K: Key, V: Data> {
    InPlace(Rdd<(K, V)>),
    Moved(Arc<Shuffle<(K, V), Hashed<K, V>>>),
}

/// The pairs of the same keys, of both sides.
pub(super) type Both<K, V, W> = (Cluster<K, V>, Cluster<K, W>);

/// What a rebuilt operator is made of: both RDDs, the partitioner, and which side is moved.
pub(super) type Given<K, V, W> = (Rdd<(K, V)>, Rdd<(K, W)>, Partitioner<K>, (bool, bool));

/// Tells which of two RDDs are not spread by a partitioner.
pub(super) fn moved<K: Key, V: Data, W: Data>(
    left: &Rdd<(K, V)>,
    right: &Rdd<(K, W)>,
    partitioner: &Partitioner<K>,
) -> (bool, bool) {
    let spread = Some(partitioner.identity());
    (left.partitioned_by() != spread, right.partitioned_by() != spread)
}

impl<K: Key, V: Data, W: Data> Sides<K, V, W> {
    /// Describes two sides for an operator that is named and called at a place; `moved` says which are to be moved.
    pub(super) fn checked(
        left: &Rdd<(K, V)>,
        right: &Rdd<(K, W)>,
        partitioner: Partitioner<K>,
        moved: (bool, bool),
        (name, place): (&'static str, &'static Location<'static>),
    ) -> Result<Self> {
        let (partitions, rule) = (partitioner.partitions(), partitioner.identity());
        can_spread(left, partitions, Some(&rule), name, place)?;
        can_spread(right, partitions, Some(&rule), name, place)?;
        let operator = operator::blamed(name, place).to_string();
        let (left, right) = (Side::new(left, moved.0, &partitioner), Side::new(right, moved.1, &partitioner));
        Ok(Sides { left, right, partitioner, operator })
    }

    pub(super) fn dependencies(&self) -> Vec<Dependency> {
        vec![self.left.dependency(), self.right.dependency()]
    }

    /// Returns how another process makes the operator `O`, whose code finds what it is given by [`given`].
    pub(super) fn recipe<O: 'static>(&self, rebuild: Rebuild) -> Recipe {
        let moved = (self.left.is_moved(), self.right.is_moved());
        let spec = self.partitioner.spec(&self.operator);
        Recipe {
            build: CodeAddress::of::<O>(rebuild as usize),
            env: spec.and_then(|spec| function::encode("two sides", &(spec, moved))),
        }
    }
}

/// Returns what [`Sides::recipe`] has sent.
pub(super) fn given<K: Key, V: Data, W: Data>(from: &Rebuilding<'_>) -> Result<Given<K, V, W>> {
    let (spec, moved): (Spec, (bool, bool)) = function::decode("two sides", from.env)?;
    let (left, right) = (Rdd::from_any(from.parent(0)?)?, Rdd::from_any(from.parent(1)?)?);
    Ok((left, right, Partitioner::from_spec(spec)?, moved))
}

impl<K: Key, V: Data, W: Data> Sides<K, V, W> {
    /// Opens both sides of a partition: cluster by cluster if both are moved and `many` says so of whether they are many,
    /// else all as one.
    pub(super) fn clusters(
        &self,
        partition: usize,
        task: &TaskContext,
        many: impl FnOnce(bool, bool) -> bool,
    ) -> Result<Vec<Both<K, V, W>>> {
        let (left, right) = match (self.left.open(partition, task)?, self.right.open(partition, task)?) {
            (Pairs::Moved(left), Pairs::Moved(right)) if many(left.are_many(), right.are_many()) => {
                (left.cut(), right.cut())
            }
            (left, right) => (vec![left.whole()], vec![right.whole()]),
        };
        if left.len() == right.len() {
            return Ok(left.into_iter().zip(right).collect());
        }
        // Meanwhile someone had to write some of one side to disk.
        Ok(vec![(Cluster::united(left), Cluster::united(right))])
    }
}

impl<K: Key, V: Data> Side<K, V> {
    pub(super) fn new(rdd: &Rdd<(K, V)>, moved: bool, partitioner: &Partitioner<K>) -> Self {
        if !moved {
            return Side::InPlace(rdd.clone());
        }
        let reducers = partitioner.partitions();
        let partitioner = partitioner.clone();
        let write = Box::new(move |input: ChunkStream<(K, V)>, task: &TaskContext| {
            spread_by_key(input, &partitioner, task)
        });
        Side::Moved(Shuffle::new(rdd, reducers, write))
    }

    fn dependency(&self) -> Dependency {
        match self {
            Side::InPlace(rdd) => Dependency::Narrow(rdd.any()),
            Side::Moved(shuffle) => Dependency::Shuffle(Arc::clone(shuffle) as Arc<dyn AnyShuffle>),
        }
    }

    fn is_moved(&self) -> bool {
        matches!(self, Side::Moved(_))
    }

    /// Finds the pairs of a partition.
    fn open(&self, partition: usize, task: &TaskContext) -> Result<Pairs<K, V>> {
        match self {
            Side::InPlace(rdd) => Ok(Pairs::Here(hashed(rdd.stream(partition, task)?))),
            Side::Moved(shuffle) => Ok(Pairs::Moved(shuffle.read(partition, task)?)),
        }
    }
}

/// The pairs of one side in a partition, to be read once.
enum Pairs<K: Key, V: Data> {
    Here(ChunkStream<Hashed<K, V>>),
    Moved(Input<Hashed<K, V>>),
}

impl<K: Key, V: Data> Pairs<K, V> {
    fn whole(self) -> Cluster<K, V> {
        match self {
            Pairs::Here(pairs) => Cluster { pairs, expected: 0 },
            Pairs::Moved(input) => input.whole(),
        }
    }
}

/// The values of each key of two sides, gathered.
pub(super) struct Groups<K: Key, V: Data, W: Data>(Gatherer<K, Grouped<V, W>>);

impl<K: Key, V: Data, W: Data> Groups<K, V, W> {
    pub(super) fn new(task: &TaskContext) -> Self {
        Groups(Gatherer::new("the values of keys", task))
    }

    /// Adds values of one side, which `values` names.
    pub(super) fn add<X: Data>(
        &mut self,
        pairs: Vec<Hashed<K, X>>,
        values: impl Fn(&mut Grouped<V, W>) -> &mut Vec<X>,
    ) -> Result<()> {
        let bytes = estimate_all(&pairs);
        for (hash, key, value) in pairs {
            values(self.0.table.entry(hash, key, Grouped::default)).push(value);
        }
        self.0.collected(bytes)
    }

    /// Adds all that is left of one side.
    pub(super) fn drain<X: Data>(
        &mut self,
        pairs: ChunkStream<Hashed<K, X>>,
        values: impl Fn(&mut Grouped<V, W>) -> &mut Vec<X>,
    ) -> Result<()> {
        stream::drain(pairs, |chunk| self.add(chunk.into_vec(), &values))
    }

    pub(super) fn finish(self) -> Result<ChunkStream<(K, Grouped<V, W>)>> {
        self.0.finish(|mut first, mut second| {
            first.0.append(&mut second.0);
            first.1.append(&mut second.1);
            first
        })
    }
}
