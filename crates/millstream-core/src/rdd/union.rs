//! `union`: the records of several RDDs.

use super::{AnyRdd, Compute, Dependency, Rdd, Rebuild, Rebuilding, Recipe};
use crate::context::Context;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::function::CodeAddress;
use crate::shuffle::partitioner::PartitionedBy;
use crate::stream::ChunkStream;
use crate::task::TaskContext;

impl<T: Data> Rdd<T> {
    /// Returns the records of this RDD, then those of `other`; duplicates are kept, nothing is moved.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let both = context.parallelize([1, 2], 1).union(&context.parallelize([2, 3], 1));
    /// assert_eq!(both.collect()?, [1, 2, 2, 3]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn union(&self, other: &Rdd<T>) -> Rdd<T> {
        self.context().union([self.clone(), other.clone()])
    }
}

impl Context {
    /// Returns the records of all the RDDs, in their order; nothing is moved.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let parts = [1, 2, 3].map(|n| context.parallelize([n, n * 10], 1));
    /// assert_eq!(context.union(parts).collect()?, [1, 10, 2, 20, 3, 30]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn union<T: Data>(&self, rdds: impl IntoIterator<Item = Rdd<T>>) -> Rdd<T> {
        // One without partitions would hide that all others spread their keys alike.
        let matters = |rdd: &Rdd<T>| rdd.num_partitions() > 0 || rdd.any().info().defect.is_some();
        Rdd::from_compute(self, "union", Union { parents: rdds.into_iter().filter(matters).collect() })
    }
}

struct Union<T: Data> {
    parents: Vec<Rdd<T>>,
}

impl<T: Data> Union<T> {
    /// Whether every parent spreads its keys alike, so that partitions can be joined one by one.
    fn aligned(&self) -> Option<PartitionedBy> {
        let first = self.parents.first()?.partitioned_by()?;
        self.parents.iter().all(|parent| parent.partitioned_by().as_ref() == Some(&first)).then_some(first)
    }

    /// Which partition of which parent a partition is, if they are not aligned.
    fn find(&self, partition: usize) -> Option<(usize, usize)> {
        let mut at = partition;
        for (n, parent) in self.parents.iter().enumerate() {
            match at.checked_sub(parent.num_partitions()) {
                None => return Some((n, at)),
                Some(rest) => at = rest,
            }
        }
        None
    }
}

impl<T: Data> Compute<T> for Union<T> {
    fn partitions(&self) -> usize {
        match self.aligned() {
            Some(_) => self.parents.first().map_or(0, Rdd::num_partitions),
            None => self.parents.iter().map(Rdd::num_partitions).sum(),
        }
    }

    fn dependencies(&self) -> Vec<Dependency> {
        self.parents.iter().map(|parent| Dependency::Narrow(parent.any())).collect()
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<T>> {
        if self.aligned().is_some() {
            return one_after_another(self.parents.clone(), partition, task.clone());
        }
        let (parent, at) = self
            .find(partition)
            .ok_or_else(|| Error::poisoned(format!("union has no partition {partition}")))?;
        self.parents[parent].stream(at, task)
    }

    fn reads(&self, partition: usize) -> Vec<(usize, Vec<usize>)> {
        if self.aligned().is_some() {
            return (0..self.parents.len()).map(|parent| (parent, vec![partition])).collect();
        }
        self.find(partition).map(|(parent, at)| (parent, vec![at])).into_iter().collect()
    }

    fn partitioned_by(&self) -> Option<PartitionedBy> {
        self.aligned()
    }

    fn recipe(&self) -> Option<Recipe> {
        fn rebuild<T: Data>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            let parents: Result<Vec<Rdd<T>>> = from.parents.iter().cloned().map(Rdd::from_any).collect();
            Ok(from.context.union(parents?).any())
        }
        let rebuild: Rebuild = rebuild::<T>;
        Some(Recipe { build: CodeAddress::of::<T>(rebuild as usize), env: Ok(Vec::new()) })
    }
}

/// Reads the same partition of each RDD.
fn one_after_another<T: Data>(
    rdds: Vec<Rdd<T>>,
    partition: usize,
    task: TaskContext,
) -> Result<ChunkStream<T>> {
    let mut rest = rdds.into_iter();
    let mut current: Option<ChunkStream<T>> = None;
    Ok(crate::stream::from_fn(move || {
        loop {
            if let Some(stream) = &mut current
                && let Some(chunk) = stream.next_chunk()?
            {
                return Ok(Some(chunk));
            }
            match rest.next() {
                Some(rdd) => current = Some(rdd.stream(partition, &task)?),
                None => return Ok(None),
            }
        }
    }))
}
