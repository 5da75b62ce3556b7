//! The form of an operator with one parent and a shuffle.

use std::panic::Location;
use std::sync::Arc;

use super::method::Method;
use super::{Compute, Dependency, Rdd, Rebuilding, Recipe};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::function::{self, CodeAddress};
use crate::operator::{self, Operator};
use crate::shuffle::input::Input;
use crate::shuffle::partitioner::{PartitionedBy, Partitioner, Spec};
use crate::shuffle::{AnyShuffle, Shuffle, Write};
use crate::stream::ChunkStream;
use crate::task::TaskContext;

/// The reduce side: merges a reducer's buckets, which come in the order of the map tasks.
pub(crate) type Read<B, U> = Box<dyn Fn(Input<B>) -> Result<ChunkStream<U>> + Send + Sync>;

/// Writes what the exchange is made again of, for the name of an operator.
type Describe = Box<dyn Fn(&str) -> Result<Vec<u8>> + Send + Sync>;

/// An RDD of pairs whose partitions are merged from the buckets of a shuffle.
pub(crate) struct Exchange<A: Data, B: Data, U: Data> {
    shuffle: Arc<Shuffle<A, B>>,
    read: Read<B, U>,
    partitioned_by: Option<PartitionedBy>,
    /// The code that makes the exchange again, of what `env` gives for the name of an operator.
    build: CodeAddress,
    env: Describe,
    operator: String,
}

impl<A: Data, B: Data, U: Data> Exchange<A, B, U> {
    /// Describes an exchange; `build` is the address of a [`Rebuild`](super::Rebuild), for which [`sent_with`] reads the partitioner and the values.
    pub(crate) fn new<K: 'static, E: Data>(
        parent: &Rdd<A>,
        partitioner: &Partitioner<K>,
        build: CodeAddress,
        env: E,
        write: Write<A, B>,
        read: Read<B, U>,
    ) -> Self {
        let rule = partitioner.clone();
        Exchange {
            shuffle: Shuffle::new(parent, partitioner.partitions(), write),
            read,
            partitioned_by: Some(partitioner.identity()),
            build,
            env: Box::new(move |operator| function::encode("closure values", &(rule.spec(operator)?, &env))),
            operator: String::new(),
        }
    }

    /// Says that records are not spread by what they are.
    pub(crate) fn without_keys(self) -> Self {
        Exchange { partitioned_by: None, ..self }
    }

    /// Makes the RDD; `captured` is the size of the user's closures.
    pub(crate) fn into_rdd(
        mut self,
        parent: &Rdd<A>,
        method: impl Into<Method>,
        place: &'static Location<'static>,
        captured: usize,
    ) -> Rdd<U> {
        let method = method.into();
        self.operator = operator::blamed(method.name, place).to_string();
        let reducers = self.shuffle.reducers();
        let compute = can_spread(parent, reducers, self.partitioned_by.as_ref(), method.name, place)
            .map(|()| Box::new(self) as Box<dyn Compute<U>>);
        Rdd::checked(parent.context(), method, place, compute, captured)
    }
}

/// Reads the partitioner and the values from what [`Exchange`] gives a [`Rebuild`](super::Rebuild).
pub(crate) fn sent_with<K: 'static, E: Data>(from: &Rebuilding<'_>) -> Result<(Partitioner<K>, E)> {
    let (spec, env): (Spec, E) = function::decode("closure values", from.env)?;
    Ok((Partitioner::from_spec(spec)?, env))
}

/// The most partitions: each map task makes a bucket for each.
pub(crate) const MOST_PARTITIONS: usize = 1 << 20;

/// Refuses to spread records over no partitions, where they would be lost, over more than can be, or by a rule that would
/// have to travel and can not.
pub(crate) fn can_spread<A: Data>(
    parent: &Rdd<A>,
    reducers: usize,
    by: Option<&PartitionedBy>,
    name: &'static str,
    place: &'static Location<'static>,
) -> Result<()> {
    if let Some(rule) = by {
        rule.must_travel(parent.context(), name, place)?;
    }
    if reducers == 0 && parent.num_partitions() == 0 {
        return Ok(());
    }
    few_enough(reducers, name, place)?;
    at_least_one(reducers, name, place)
}

/// Refuses more partitions than can be.
pub(crate) fn few_enough(
    partitions: usize,
    name: &'static str,
    place: &'static Location<'static>,
) -> Result<()> {
    if partitions <= MOST_PARTITIONS {
        return Ok(());
    }
    Err(unspreadable(&operator::blamed(name, place), partitions))
}

/// Refuses 0 partitions.
pub(crate) fn at_least_one(
    partitions: usize,
    name: &'static str,
    place: &'static Location<'static>,
) -> Result<()> {
    if partitions > 0 {
        return Ok(());
    }
    Err(unspreadable(&operator::blamed(name, place), partitions))
}

/// The error of an operator that is asked for no partitions, or for too many.
pub(crate) fn unspreadable(operator: &Operator, partitions: usize) -> Error {
    let (why, remedy) = match partitions {
        0 => ("they would be lost", "ask for at least 1".into()),
        _ => ("each is a task of its own", format!("ask for at most {MOST_PARTITIONS}")),
    };
    Error::Argument {
        operator: operator.to_string(),
        problem: format!("records can not be spread over {partitions} partitions: {why}"),
        remedy,
    }
}

impl<A: Data, B: Data, U: Data> Compute<U> for Exchange<A, B, U> {
    fn partitions(&self) -> usize {
        self.shuffle.reducers()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        vec![Dependency::Shuffle(Arc::clone(&self.shuffle) as Arc<dyn AnyShuffle>)]
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<U>> {
        (self.read)(self.shuffle.read(partition, task)?)
    }

    fn partitioned_by(&self) -> Option<PartitionedBy> {
        self.partitioned_by.clone()
    }

    fn recipe(&self) -> Option<Recipe> {
        Some(Recipe { build: self.build, env: (self.env)(&self.operator) })
    }
}
