//! What a kind of RDD must say of itself.

use std::sync::Arc;

use super::AnyRdd;
use crate::context::Context;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::function::CodeAddress;
use crate::shuffle::AnyShuffle;
use crate::shuffle::partitioner::PartitionedBy;
use crate::stream::ChunkStream;
use crate::task::TaskContext;

/// What an RDD is computed from.
#[derive(Clone)]
pub enum Dependency {
    /// A partition needs some partitions of this RDD, in the same task.
    Narrow(AnyRdd),
    /// A partition needs its share of all partitions of another RDD: a stage ends here.
    Shuffle(Arc<dyn AnyShuffle>),
}

/// A kind of RDD: how many partitions, from what, and how one is read.
///
/// Implementations hold their parents; they must give the same records each time a partition is read.
pub trait Compute<T: Data>: Send + Sync + 'static {
    /// Returns the number of partitions.
    fn partitions(&self) -> usize;

    /// Returns the RDDs and shuffles this one is computed from; none for a source.
    fn dependencies(&self) -> Vec<Dependency>;

    /// Reads one partition.
    ///
    /// # Errors
    /// If a source can not be read or a closure fails.
    fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<T>>;

    /// Returns which partitions of its narrow parents a partition reads, by the parent's place among the dependencies.
    ///
    /// By default the partition of the same number of each.
    fn reads(&self, partition: usize) -> Vec<(usize, Vec<usize>)> {
        same_of_each(&self.dependencies(), partition)
    }

    /// Returns how keys are spread over the partitions, if that is known.
    fn partitioned_by(&self) -> Option<PartitionedBy> {
        None
    }

    /// Returns how another process makes this RDD, if it can.
    #[doc(hidden)]
    fn recipe(&self) -> Option<Recipe> {
        None
    }

    /// Returns what a task must be given to read one partition of a source in another process.
    ///
    /// # Errors
    /// If the partition can not be read or written as bytes.
    fn split(&self, _partition: usize) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
}

/// Not in the trait, where it would be compiled once more for each kind of RDD and each closure in it.
fn same_of_each(dependencies: &[Dependency], partition: usize) -> Vec<(usize, Vec<usize>)> {
    let narrow = |(at, dependency): (usize, &Dependency)| match dependency {
        Dependency::Narrow(_) => Some((at, vec![partition])),
        Dependency::Shuffle(_) => None,
    };
    dependencies.iter().enumerate().filter_map(narrow).collect()
}

/// How another process makes an RDD: the address of the code that does it, and the values it needs.
pub struct Recipe {
    pub(crate) build: CodeAddress,
    pub(crate) env: Result<Vec<u8>>,
}

/// The code at the address of a [`Recipe`].
pub(crate) type Rebuild = fn(&Rebuilding<'_>) -> Result<AnyRdd>;

/// What the code of a [`Recipe`] is given.
pub(crate) struct Rebuilding<'a> {
    pub(crate) context: &'a Context,
    pub(crate) parents: &'a [AnyRdd],
    pub(crate) build: CodeAddress,
    pub(crate) env: &'a [u8],
    pub(crate) partitions: usize,
    /// Of a source: the partitions the task reads, and what it was given for them.
    pub(crate) splits: &'a [(usize, Vec<u8>)],
}

impl Rebuilding<'_> {
    /// Returns the n-th parent.
    pub(crate) fn parent(&self, n: usize) -> Result<AnyRdd> {
        self.parents.get(n).cloned().ok_or_else(|| Error::Codec {
            what: "task description".into(),
            problem: format!("parent {n} of an RDD is missing"),
        })
    }
}
