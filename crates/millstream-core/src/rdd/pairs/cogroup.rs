//! `cogroup`: the values of each key in two RDDs, side by side.

use std::panic::Location;
use std::sync::Arc;

use super::group_by_key::hashed;
use super::{Hashed, into_buckets};
use crate::data::{Data, Key};
use crate::error::Result;
use crate::function::{self, CodeAddress};
use crate::operator::Operator;
use crate::rdd::exchange::some_partitions;
use crate::rdd::{AnyRdd, Compute, Dependency, Rdd, Rebuild, Rebuilding, Recipe};
use crate::shuffle::combine_table::CombineTable;
use crate::shuffle::partitioner::{PartitionedBy, Partitioner, Spec};
use crate::shuffle::{AnyShuffle, Shuffle};
use crate::stream::{self, ChunkStream};
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
        let spread = Some(partitioner.identity());
        let moved = (self.partitioned_by() != spread, other.partitioned_by() != spread);
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
        let left = Side::new(self, moved.0, &partitioner);
        let right = Side::new(other, moved.1, &partitioner);
        let partitions = partitioner.partitions();
        let operator = Operator::call("cogroup", place).to_string();
        let compute = some_partitions(self, partitions, "cogroup", place)
            .and_then(|()| some_partitions(other, partitions, "cogroup", place))
            .map(|()| Box::new(Cogroup { left, right, partitioner, operator }) as Box<dyn Compute<_>>);
        Rdd::checked(self.context(), "cogroup", place, compute, 0)
    }
}

/// One of the two RDDs: spread as needed, or to be moved.
enum Side<K: Key, V: Data> {
    InPlace(Rdd<(K, V)>),
    Moved(Arc<Shuffle<(K, V), Hashed<K, V>>>),
}

impl<K: Key, V: Data> Side<K, V> {
    fn new(rdd: &Rdd<(K, V)>, moved: bool, partitioner: &Partitioner<K>) -> Self {
        if !moved {
            return Side::InPlace(rdd.clone());
        }
        let reducers = partitioner.partitions();
        let partitioner = partitioner.clone();
        let write = Box::new(move |input: ChunkStream<(K, V)>, _: &TaskContext| {
            Ok(into_buckets(hashed(input)?, &partitioner))
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

    fn read(&self, partition: usize, task: &TaskContext) -> Result<Vec<Hashed<K, V>>> {
        match self {
            Side::InPlace(rdd) => hashed(rdd.stream(partition, task)?),
            Side::Moved(shuffle) => Ok(shuffle.read(partition, task)?.into_iter().flatten().collect()),
        }
    }
}

struct Cogroup<K: Key, V: Data, W: Data> {
    left: Side<K, V>,
    right: Side<K, W>,
    partitioner: Partitioner<K>,
    operator: String,
}

impl<K: Key, V: Data, W: Data> Compute<(K, Grouped<V, W>)> for Cogroup<K, V, W> {
    fn partitions(&self) -> usize {
        self.partitioner.partitions()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        vec![self.left.dependency(), self.right.dependency()]
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<(K, Grouped<V, W>)>> {
        let mut table: CombineTable<K, Grouped<V, W>> = CombineTable::new();
        for (hash, key, value) in self.left.read(partition, task)? {
            table.entry(hash, key, Grouped::default).0.push(value);
        }
        for (hash, key, value) in self.right.read(partition, task)? {
            table.entry(hash, key, Grouped::default).1.push(value);
        }
        Ok(stream::from_iter(table.into_entries().into_iter().map(|(_, key, groups)| (key, groups))))
    }

    fn partitioned_by(&self) -> Option<PartitionedBy> {
        Some(self.partitioner.identity())
    }

    fn recipe(&self) -> Option<Recipe> {
        fn rebuild<K: Key, V: Data, W: Data>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            let (left, right) =
                (Rdd::<(K, V)>::from_any(from.parent(0)?)?, Rdd::<(K, W)>::from_any(from.parent(1)?)?);
            let (spec, moved): (Spec, (bool, bool)) = function::decode("cogroup", from.env)?;
            Ok(left.cogroup_sides(&right, Partitioner::from_spec(spec)?, moved).any())
        }
        let rebuild: Rebuild = rebuild::<K, V, W>;
        let moved = (self.left.is_moved(), self.right.is_moved());
        let spec = self.partitioner.spec(&self.operator);
        Some(Recipe {
            build: CodeAddress::of::<Self>(rebuild as usize),
            env: spec.and_then(|spec| function::encode("cogroup", &(spec, moved))),
        })
    }
}
