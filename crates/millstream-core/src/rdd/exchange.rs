//! The form of an operator with one parent and a shuffle.

use std::panic::Location;
use std::sync::Arc;

use super::{Compute, Dependency, Rdd};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::operator::Operator;
use crate::shuffle::partitioner::PartitionedBy;
use crate::shuffle::{AnyShuffle, Shuffle, Write};
use crate::stream::ChunkStream;
use crate::task::TaskContext;

/// The reduce side: merges a reducer's buckets, which come in the order of the map tasks.
pub(crate) type Read<B, U> = Box<dyn Fn(Vec<Vec<B>>, &TaskContext) -> Result<ChunkStream<U>> + Send + Sync>;

/// An RDD whose partitions are merged from the buckets of a shuffle.
pub(crate) struct Exchange<A: Data, B: Data, U: Data> {
    pub(crate) shuffle: Arc<Shuffle<A, B>>,
    pub(crate) read: Read<B, U>,
    pub(crate) partitioned_by: Option<PartitionedBy>,
}

impl<A: Data, B: Data, U: Data> Exchange<A, B, U> {
    /// Describes an exchange over `reducers` partitions.
    pub(crate) fn new(parent: &Rdd<A>, reducers: usize, write: Write<A, B>, read: Read<B, U>) -> Self {
        Exchange { shuffle: Shuffle::new(parent, reducers, write), read, partitioned_by: None }
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
        self.partitioned_by.clone()
    }
}
