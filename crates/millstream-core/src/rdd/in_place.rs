//! The form of an operator by key whose records lie where they belong already.

use std::panic::Location;

use super::method::Method;
use super::{Compute, Dependency, Rdd, Recipe};
use crate::data::Data;
use crate::error::Result;
use crate::function::{self, CodeAddress};
use crate::shuffle::partitioner::PartitionedBy;
use crate::stream::ChunkStream;
use crate::task::TaskContext;

/// What is made of a partition.
type Gather<A, U> = Box<dyn Fn(ChunkStream<A>, &TaskContext) -> Result<ChunkStream<U>> + Send + Sync>;

/// An RDD of pairs that keep their keys and partitions.
pub(crate) struct InPlace<A: Data, U: Data> {
    parent: Rdd<A>,
    gather: Gather<A, U>,
    build: CodeAddress,
    env: Box<dyn Fn() -> Result<Vec<u8>> + Send + Sync>,
}

impl<A: Data, U: Data> InPlace<A, U> {
    /// Describes it; `build` is the address of a [`Rebuild`](super::Rebuild), which reads `env`.
    pub(crate) fn new<E: Data>(parent: &Rdd<A>, build: CodeAddress, env: E, gather: Gather<A, U>) -> Self {
        let env = Box::new(move || function::encode("closure values", &env));
        InPlace { parent: parent.clone(), gather, build, env }
    }

    /// Makes the RDD; `captured` is the size of the user's closures.
    pub(crate) fn into_rdd(
        self,
        method: impl Into<Method>,
        place: &'static Location<'static>,
        captured: usize,
    ) -> Rdd<U> {
        let context = self.parent.context().clone();
        Rdd::checked(&context, method, place, Ok(Box::new(self)), captured)
    }
}

impl<A: Data, U: Data> Compute<U> for InPlace<A, U> {
    fn partitions(&self) -> usize {
        self.parent.num_partitions()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        vec![Dependency::Narrow(self.parent.any())]
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<U>> {
        (self.gather)(self.parent.stream(partition, task)?, task)
    }

    fn partitioned_by(&self) -> Option<PartitionedBy> {
        self.parent.partitioned_by()
    }

    fn recipe(&self) -> Option<Recipe> {
        Some(Recipe { build: self.build, env: (self.env)() })
    }
}
