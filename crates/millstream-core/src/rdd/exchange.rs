//! The form of an operator with one parent and a shuffle.

use std::panic::Location;
use std::sync::Arc;

use super::{Compute, Dependency, Rdd};
use crate::data::Data;
use crate::error::Result;
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
        Rdd::checked(parent.context(), name, place, Ok(Box::new(self)), captured)
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
        (self.read)(self.shuffle.read(partition, task)?, task)
    }

    fn partitioned_by(&self) -> Option<PartitionedBy> {
        self.partitioned_by.clone()
    }
}
