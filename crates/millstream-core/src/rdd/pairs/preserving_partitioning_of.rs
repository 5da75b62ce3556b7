//! `preserving_partitioning_of`: says that an operator has left the keys where they were.

use std::panic::Location;

use crate::data::{Data, Key};
use crate::error::{Error, Result};
use crate::function::{self, CodeAddress};
use crate::operator;
use crate::rdd::{AnyRdd, Compute, Dependency, Rdd, Rebuild, Rebuilding, Recipe};
use crate::shuffle::hash::pinned_hash;
use crate::shuffle::partitioner::{PartitionedBy, Partitioner, Spec};
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

const NAME: &str = "preserving_partitioning_of";

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Says that each key lies in the partition in which it lies in `parent`, so that joins and reductions by key that follow
    /// move nothing.
    ///
    /// For what [`map_partitions`](Rdd::map_partitions) and its like, or [`map`](Rdd::map), make without changing keys; they can
    /// not know. Nothing changes where `parent` is not spread by its keys. Costs one hash per chunk of records: the first
    /// key of each is checked. Stands in the place of Spark's `preservesPartitioning = true`, which is never checked.
    ///
    /// # Errors
    /// A task fails that finds a key where it does not belong; an action fails if the RDDs have different numbers of partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let spread = context.parallelize([("a".to_owned(), 1), ("b".to_owned(), 2)], 2).partition_by(2);
    /// let doubled = spread.map_partitions(|records| records.map(|(key, n)| (key, 2 * n)));
    /// assert_eq!(doubled.partitioned_by(), None);
    /// let doubled = doubled.preserving_partitioning_of(&spread);
    /// assert_eq!(doubled.partitioned_by(), spread.partitioned_by());
    /// assert_eq!(doubled.join(&spread).count()?, 2); // without a shuffle
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[doc(alias = "preservesPartitioning")]
    #[track_caller]
    #[must_use]
    pub fn preserving_partitioning_of<W: Data>(&self, parent: &Rdd<(K, W)>) -> Rdd<(K, V)> {
        let Some(partitioner) = parent.partitioner() else { return self.clone() };
        self.taken_as_spread_by(partitioner)
    }

    #[track_caller]
    fn taken_as_spread_by(&self, partitioner: Partitioner<K>) -> Rdd<(K, V)> {
        fn rebuild<K: Key, V: Data>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            let spec: Spec = function::decode("partitioner", from.env)?;
            let records: Rdd<(K, V)> = Rdd::from_any(from.parent(0)?)?;
            Ok(records.taken_as_spread_by(Partitioner::from_spec(spec)?).any())
        }
        let rebuild: Rebuild = rebuild::<K, V>;
        let place = Location::caller();
        let (here, there) = (self.num_partitions(), partitioner.partitions());
        let operator = operator::blamed(NAME, place).to_string();
        let compute = if here == there {
            let build = CodeAddress::of::<(K, V)>(rebuild as usize);
            let records = self.clone();
            let travels = partitioner.identity().must_travel(self.context(), NAME, place);
            let preserving = Preserving { records, partitioner, build, operator };
            travels.map(|()| Box::new(preserving) as Box<dyn Compute<(K, V)>>)
        } else {
            Err(Error::Argument {
                operator,
                problem: format!("the RDDs have different numbers of partitions, {here} and {there}"),
                remedy: "call it on what was made of the parent's partitions one by one".into(),
            })
        };
        Rdd::checked(self.context(), NAME, place, compute, 0)
    }
}

struct Preserving<K: Key, V: Data> {
    records: Rdd<(K, V)>,
    partitioner: Partitioner<K>,
    build: CodeAddress,
    operator: String,
}

impl<K: Key, V: Data> Compute<(K, V)> for Preserving<K, V> {
    fn partitions(&self) -> usize {
        self.records.num_partitions()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        vec![Dependency::Narrow(self.records.any())]
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<(K, V)>> {
        let mut records = self.records.stream(partition, task)?;
        let (partitioner, operator) = (self.partitioner.clone(), self.operator.clone());
        Ok(stream::from_fn(move || {
            let Some(chunk) = records.next_chunk()? else { return Ok(None) };
            let belongs = chunk.get(0).map(|(key, _)| partitioner.partition(key, pinned_hash(key)));
            match belongs {
                Some(belongs) if belongs != partition => Err(Error::Argument {
                    operator: operator.clone(),
                    problem: format!("a key of partition {belongs} lies in partition {partition}"),
                    remedy:
                        "leave the keys as they are before it, or leave it out: the keys are spread anew then"
                            .into(),
                }),
                _ => Ok(Some(chunk)),
            }
        }))
    }

    fn partitioned_by(&self) -> Option<PartitionedBy> {
        Some(self.partitioner.identity())
    }

    fn recipe(&self) -> Option<Recipe> {
        let env =
            self.partitioner.spec(&self.operator).and_then(|spec| function::encode("partitioner", &spec));
        Some(Recipe { build: self.build, env })
    }
}
