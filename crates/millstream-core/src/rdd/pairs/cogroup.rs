//! `cogroup`: the values of each key in two RDDs, side by side.

use std::panic::Location;

use super::sides::{Groups, Sides, given, moved};
use crate::data::{Data, Key};
use crate::error::Result;
use crate::rdd::{AnyRdd, Compute, Dependency, Rdd, Rebuilding, Recipe};
use crate::shuffle::clusters::one_by_one;
use crate::shuffle::partitioner::{PartitionedBy, Partitioner};
use crate::stream::ChunkStream;
use crate::task::TaskContext;

/// The values of one key in two RDDs.
pub type Grouped<V, W> = (Vec<V>, Vec<W>);

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Gathers, for each key of either RDD, its values here and its values in `other`.
    ///
    /// All values of a key must fit in memory.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let ages = context.parallelize([("ann".to_owned(), 31)], 1);
    /// let towns = context.parallelize([("ann".to_owned(), 'B'), ("bob".to_owned(), 'C')], 1);
    /// let mut both = ages.cogroup(&towns).collect()?;
    /// both.sort();
    /// assert_eq!(both, [("ann".into(), (vec![31], vec!['B'])), ("bob".into(), (vec![], vec!['C']))]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[doc(alias = "groupWith")]
    #[track_caller]
    pub fn cogroup<W: Data>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, Grouped<V, W>)> {
        self.cogroup_with(other, self.default_partitioner_beside(other))
    }

    /// Gathers the values of each key in both RDDs, with a partitioner or a number of partitions.
    ///
    /// A side whose keys are already spread by the same partitioner is not moved.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let left = context.parallelize([(1, 'a')], 1).partition_by(2);
    /// let right = context.parallelize([(1, 'b'), (1, 'c')], 1);
    /// assert_eq!(left.cogroup_with(&right, 2).collect()?, [(1, (vec!['a'], vec!['b', 'c']))]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn cogroup_with<W: Data>(
        &self,
        other: &Rdd<(K, W)>,
        partitioner: impl Into<Partitioner<K>>,
    ) -> Rdd<(K, Grouped<V, W>)> {
        let partitioner = partitioner.into();
        let moved = moved(self, other, &partitioner);
        self.cogroup_sides(other, partitioner, moved)
    }

    /// Gathers the values of each key in both RDDs; `moved` says which of them are not spread by the partitioner.
    #[track_caller]
    fn cogroup_sides<W: Data>(
        &self,
        other: &Rdd<(K, W)>,
        partitioner: Partitioner<K>,
        moved: (bool, bool),
    ) -> Rdd<(K, Grouped<V, W>)> {
        let place = Location::caller();
        let sides = Sides::checked(self, other, partitioner, moved, ("cogroup", place));
        let compute = sides.map(|sides| Box::new(Cogroup(sides)) as Box<dyn Compute<_>>);
        Rdd::checked(self.context(), "cogroup", place, compute, 0)
    }
}

struct Cogroup<K: Key, V: Data, W: Data>(Sides<K, V, W>);

impl<K: Key, V: Data, W: Data> Compute<(K, Grouped<V, W>)> for Cogroup<K, V, W> {
    fn partitions(&self) -> usize {
        self.0.partitioner.partitions()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        self.0.dependencies()
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<(K, Grouped<V, W>)>> {
        let clusters = self.0.clusters(partition, task, |left, right| left || right)?;
        let task = task.clone();
        Ok(one_by_one(clusters, move |(left, right)| {
            let mut groups = Groups::new(&task);
            groups.drain(left.pairs, |(left, _)| left)?;
            groups.drain(right.pairs, |(_, right)| right)?;
            groups.finish()
        }))
    }

    fn partitioned_by(&self) -> Option<PartitionedBy> {
        Some(self.0.partitioner.identity())
    }

    fn recipe(&self) -> Option<Recipe> {
        fn rebuild<K: Key, V: Data, W: Data>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            let (left, right, partitioner, moved) = given::<K, V, W>(from)?;
            Ok(left.cogroup_sides(&right, partitioner, moved).any())
        }
        Some(self.0.recipe::<Self>(rebuild::<K, V, W>))
    }
}
