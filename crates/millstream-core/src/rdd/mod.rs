//! `Rdd<T>`: a distributed collection of records, described by how it is computed.
//!
//! One file per operator, named after the method. An operator that needs one parent and no shuffle is a few lines on
//! one of the three forms in `narrow`; one that needs a shuffle is a few lines on `exchange`.

pub(crate) mod actions;
mod any_rdd;
mod cartesian;
pub(crate) mod checkpoint;
mod coalesce;
mod compute;
mod counting_reads;
mod distinct;
pub(crate) mod exchange;
mod filter;
mod flat_map;
mod glom;
mod group_by;
mod hyper_log_log;
mod in_place;
mod info;
mod intersection;
mod itself;
mod key_by;
pub(crate) mod lineage;
mod local_checkpoint;
mod map;
pub(crate) mod map_partitions;
pub(crate) mod method;
mod narrow;
mod pairs;
mod persist;
mod pipe;
mod repartition;
mod sample;
mod set_name;
mod side_by_side;
mod sort_by;
pub(crate) mod source;
mod subtract;
mod to_debug_string;
mod union;
mod zip;
mod zip_partitions;
mod zip_with_index;

use std::any::Any;
use std::panic::Location;
use std::rc::Rc;
use std::sync::{Arc, PoisonError, RwLock};

pub use actions::{Existing, SUCCESS, Saving};
pub use any_rdd::{AnyRdd, RddNode};
pub use compute::{Compute, Dependency};
pub(crate) use compute::{Rebuild, Rebuilding, Recipe};
pub use counting_reads::ReadCounts;
pub use info::Info;
use method::Method;
pub use pairs::{Grouped, Grouped3, Grouped4};
pub use pipe::PipeInput;
pub use source::parallelize::StoredPartition;

use crate::context::Context;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::operator::{self, Operator};
use crate::shuffle::partitioner::PartitionedBy;
use crate::storage::Again;
use crate::storage::cache::Cache;
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

/// A collection of records in partitions, described by how it is computed and computed when an action asks for it.
///
/// Cloning is shallow.
///
/// # Examples
/// ```
/// use millstream_core::{Conf, Context};
///
/// let context = Context::new(Conf::empty().set_master("local[2]"))?;
/// let squares = context.parallelize(1..=4, 2).map(|n| n * n);
/// assert_eq!(squares.collect()?, [1, 4, 9, 16]);
/// # Ok::<(), millstream_core::Error>(())
/// ```
pub struct Rdd<T: Data>(Arc<Node<T>>);

impl<T: Data> Clone for Rdd<T> {
    fn clone(&self) -> Self {
        Rdd(Arc::clone(&self.0))
    }
}

pub(crate) struct Node<T: Data> {
    info: Info,
    partitions: usize,
    partitioned_by: Option<PartitionedBy>,
    /// Replaced once, by nothing to compute from, when the lineage is cut.
    source: RwLock<Source<T>>,
    cache: Cache,
    checkpoint: checkpoint::Progress,
}

/// How an RDD is computed, and from what.
struct Source<T: Data> {
    compute: Arc<dyn Compute<T>>,
    dependencies: Arc<[Dependency]>,
}

impl<T: Data> Source<T> {
    fn new(compute: Arc<dyn Compute<T>>) -> Self {
        Source { dependencies: compute.dependencies().into(), compute }
    }
}

impl<T: Data> Node<T> {
    fn compute(&self) -> Arc<dyn Compute<T>> {
        // Only ever replaced whole: a panic elsewhere can not have left it half changed.
        Arc::clone(&self.source.read().unwrap_or_else(PoisonError::into_inner).compute)
    }

    /// Forgets what the RDD is computed from, if it is to and all of it is kept.
    fn cut_lineage(&self) {
        if self.cache.cut_if_complete(self.partitions) {
            self.compute_from(Arc::new(local_checkpoint::Cut { partitions: self.partitions }));
        }
    }

    /// Forgets what the RDD is computed from, and computes it from something else.
    fn compute_from(&self, compute: Arc<dyn Compute<T>>) {
        let from = Source::new(compute);
        let source = {
            let mut source = self.source.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *source, from)
        };
        // After the source: whoever finds no origin any more finds the new source.
        let origin = self.info.forget_origin();
        lineage::drop_flat(Box::new((source, origin))); // outside of the locks: a long lineage may go with it
    }
}

impl<T: Data> Drop for Node<T> {
    fn drop(&mut self) {
        self.info.context.persisted().forget(self.info.id, self.cache.is_on());
        let source = self.source.get_mut().unwrap_or_else(PoisonError::into_inner);
        let source = std::mem::replace(source, Source::new(Arc::new(source::Empty)));
        lineage::drop_flat(Box::new((source, self.info.forget_origin())));
    }
}

impl<T: Data> RddNode for Node<T> {
    fn info(&self) -> &Info {
        &self.info
    }

    fn partitions(&self) -> usize {
        self.partitions
    }

    fn dependencies(&self) -> Arc<[Dependency]> {
        Arc::clone(&self.source.read().unwrap_or_else(PoisonError::into_inner).dependencies)
    }

    fn cache(&self) -> &Cache {
        &self.cache
    }

    fn checkpoint(&self) -> &checkpoint::Progress {
        &self.checkpoint
    }

    fn reads(&self, partition: usize) -> Vec<(usize, Vec<usize>)> {
        self.compute().reads(partition)
    }

    fn recipe(&self, kept: bool) -> Option<Recipe> {
        if kept { Some(source::parallelize::recipe::<T>()) } else { self.compute().recipe() }
    }

    fn split(&self, partition: usize, kept: bool) -> Result<Vec<u8>> {
        if !kept {
            return self.compute().split(partition);
        }
        let freed: Again<T> = Rc::new(|| Err(Error::Freed));
        let stream =
            self.cache.kept().and_then(|kept| kept.find(partition, &freed)).ok_or(Error::Freed)??;
        let mut chunks = Vec::new();
        stream::drain(stream, |chunk| {
            chunks.push(chunk);
            Ok(())
        })?;
        source::parallelize::encode_chunks(&chunks)
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl<T: Data> Rdd<T> {
    /// Makes an RDD of one's own kind: `compute` says what its partitions are.
    ///
    /// The RDD is named after the method `name` called at the caller's place.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::rdd::{Compute, Dependency};
    /// use millstream_core::stream::{self, ChunkStream};
    /// use millstream_core::{Rdd, Result, TaskContext};
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    ///
    /// /// Each partition holds its number.
    /// struct Numbers(usize);
    ///
    /// impl Compute<usize> for Numbers {
    ///     fn partitions(&self) -> usize {
    ///         self.0
    ///     }
    ///     fn dependencies(&self) -> Vec<Dependency> {
    ///         Vec::new()
    ///     }
    ///     fn compute(&self, partition: usize, _: &TaskContext) -> Result<ChunkStream<usize>> {
    ///         Ok(stream::from_vec(vec![partition]))
    ///     }
    /// }
    ///
    /// assert_eq!(Rdd::from_compute(&context, "numbers", Numbers(3)).collect()?, [0, 1, 2]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn from_compute(context: &Context, name: &'static str, compute: impl Compute<T>) -> Self {
        Self::checked(context, name, Location::caller(), Ok(Box::new(compute)), 0)
    }

    /// Makes the RDD of an operator whose closure captures some bytes, or of one that could not be described.
    pub(crate) fn checked(
        context: &Context,
        method: impl Into<Method>,
        place: &'static Location<'static>,
        compute: Result<Box<dyn Compute<T>>>,
        captured: usize,
    ) -> Self {
        Self::described(context, method.into(), place, compute, captured)
    }

    /// Compiled once for each type of records, however a method is named.
    fn described(
        context: &Context,
        method: Method,
        place: &'static Location<'static>,
        compute: Result<Box<dyn Compute<T>>>,
        captured: usize,
    ) -> Self {
        let dependencies = compute.as_ref().map(|compute| compute.dependencies()).map_err(Error::clone);
        let (info, dependencies) = Info::of(context, method, place, dependencies, captured);
        let compute: Arc<dyn Compute<T>> = match (compute, &dependencies) {
            (Ok(compute), Some(_)) => Arc::from(compute),
            _ => Arc::new(source::Empty),
        };
        let rdd = Rdd(Arc::new(Node {
            info,
            partitions: compute.partitions(),
            partitioned_by: compute.partitioned_by(),
            source: RwLock::new(Source { compute, dependencies: dependencies.unwrap_or_default() }),
            cache: Cache::default(),
            checkpoint: checkpoint::Progress::default(),
        }));
        operator::made(&rdd.any());
        rdd
    }

    /// Reads one partition, from where it is kept if it is.
    ///
    /// # Errors
    /// If a source can not be read or a closure fails.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::rdd::{Compute, Dependency};
    /// use millstream_core::stream::ChunkStream;
    /// use millstream_core::{Rdd, Result, TaskContext};
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    ///
    /// /// Some partitions of another RDD.
    /// struct Pruned(Rdd<i32>, Vec<usize>);
    ///
    /// impl Compute<i32> for Pruned {
    ///     fn partitions(&self) -> usize {
    ///         self.1.len()
    ///     }
    ///     fn dependencies(&self) -> Vec<Dependency> {
    ///         vec![Dependency::Narrow(self.0.any())]
    ///     }
    ///     fn reads(&self, partition: usize) -> Vec<(usize, Vec<usize>)> {
    ///         vec![(0, vec![self.1[partition]])]
    ///     }
    ///     fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<i32>> {
    ///         self.0.stream(self.1[partition], task)
    ///     }
    /// }
    ///
    /// let numbers = context.parallelize(0..6, 3);
    /// let ends = Rdd::from_compute(&context, "ends", Pruned(numbers, vec![2, 0]));
    /// assert_eq!(ends.collect()?, [4, 5, 0, 1]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[doc(alias = "iterator")]
    pub fn stream(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<T>> {
        // Taken before it is asked whether the partition is kept: a task that keeps the last one cuts the lineage.
        let compute = self.0.compute();
        let Some(kept) = self.0.cache.kept() else { return self.computed(&compute, partition, task) };
        let (rdd, task) = (self.clone(), task.clone());
        let again: Again<T> = Rc::new(move || rdd.computed(&compute, partition, &task));
        let stream = kept.read(partition, &again)?;
        self.0.cut_lineage();
        Ok(stream)
    }

    fn computed(
        &self,
        compute: &Arc<dyn Compute<T>>,
        partition: usize,
        task: &TaskContext,
    ) -> Result<ChunkStream<T>> {
        let node = &self.0;
        let compute = || lineage::deeper(&node.info.operator, || compute.compute(partition, task));
        let stream = task.within(&node.info.operator, compute)?;
        Ok(tracked(stream, Arc::clone(&node.info.operator), task.clone()))
    }
}

/// Notes which operator is at work, so that a failure can name it, and stops when the job is cancelled.
fn tracked<T: Data>(stream: ChunkStream<T>, operator: Arc<Operator>, task: TaskContext) -> ChunkStream<T> {
    // Gone once it has ended: what it holds is freed, and asking again costs nothing, however many are behind it.
    let mut stream = Some(stream);
    stream::from_fn(move || {
        let Some(source) = &mut stream else { return Ok(None) };
        task.check_cancelled()?;
        let chunk = task.within(&operator, || source.next_chunk())?;
        if chunk.is_none() {
            stream = None;
        }
        Ok(chunk)
    })
}
