//! The form of an operator with one parent and a shuffle.

use std::panic::Location;
use std::sync::Arc;

use super::{Compute, Dependency, Rdd, Rebuilding, Recipe};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::function::{self, CodeAddress};
use crate::operator::Operator;
use crate::shuffle::partitioner::{PartitionedBy, Partitioner};
use crate::shuffle::{AnyShuffle, Shuffle, Write};
use crate::stream::ChunkStream;
use crate::task::TaskContext;

/// The reduce side: merges a reducer's buckets, which come in the order of the map tasks.
pub(crate) type Read<B, U> = Box<dyn Fn(Vec<Vec<B>>, &TaskContext) -> Result<ChunkStream<U>> + Send + Sync>;

/// An RDD of pairs whose partitions are merged from the buckets of a shuffle.
pub(crate) struct Exchange<A: Data, B: Data, U: Data> {
    shuffle: Arc<Shuffle<A, B>>,
    read: Read<B, U>,
    partitioned_by: PartitionedBy,
    /// The code that makes the exchange again; none where the partitioner can not travel.
    build: Option<CodeAddress>,
}

impl<A: Data, B: Data, U: Data> Exchange<A, B, U> {
    /// Describes an exchange; `build` is the address of a [`Rebuild`](super::Rebuild) that [`reducers`] gives the number of partitions.
    pub(crate) fn new<K: 'static>(
        parent: &Rdd<A>,
        partitioner: &Partitioner<K>,
        build: CodeAddress,
        write: Write<A, B>,
        read: Read<B, U>,
    ) -> Self {
        Exchange {
            shuffle: Shuffle::new(parent, partitioner.partitions(), write),
            read,
            partitioned_by: partitioner.identity(),
            build: travels(partitioner).then_some(build),
        }
    }

    /// Makes the RDD; `captured` is the size of the user's closures.
    pub(crate) fn into_rdd(
        self,
        parent: &Rdd<A>,
        name: &'static str,
        place: &'static Location<'static>,
        captured: usize,
    ) -> Rdd<U> {
        let reducers = self.shuffle.reducers();
        let compute =
            some_partitions(parent, reducers, name, place).map(|()| Box::new(self) as Box<dyn Compute<U>>);
        Rdd::checked(parent.context(), name, place, compute, captured)
    }
}

/// Returns whether another process can make the same partitioner: one by hash is all in its number of partitions.
pub(crate) fn travels<K: 'static>(partitioner: &Partitioner<K>) -> bool {
    partitioner.identity() == Partitioner::<K>::from(partitioner.partitions()).identity()
}

/// Reads the number of partitions from what [`Exchange`] gives a [`Rebuild`](super::Rebuild).
pub(crate) fn reducers(from: &Rebuilding<'_>) -> Result<usize> {
    function::decode("number of reducers", from.env)
}

/// Refuses to spread records over no partitions, where they would be lost.
pub(crate) fn some_partitions<A: Data>(
    parent: &Rdd<A>,
    reducers: usize,
    name: &'static str,
    place: &'static Location<'static>,
) -> Result<()> {
    if reducers > 0 || parent.num_partitions() == 0 {
        return Ok(());
    }
    Err(Error::Argument {
        operator: Operator::call(name, place).to_string(),
        problem: "records can not be spread over 0 partitions".into(),
        remedy: "ask for at least 1".into(),
    })
}

impl<A: Data, B: Data, U: Data> Compute<U> for Exchange<A, B, U> {
    fn partitions(&self) -> usize {
        self.shuffle.reducers()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        vec![Dependency::Shuffle(Arc::clone(&self.shuffle) as Arc<dyn AnyShuffle>)]
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<U>> {
        (self.read)(self.shuffle.read(partition, task)?, task)
    }

    fn partitioned_by(&self) -> Option<PartitionedBy> {
        Some(self.partitioned_by.clone())
    }

    fn recipe(&self) -> Option<Recipe> {
        let env = || function::encode("number of reducers", &self.shuffle.reducers());
        self.build.map(|build| Recipe { build, env: env() })
    }
}
