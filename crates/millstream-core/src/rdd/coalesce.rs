//! `coalesce`: fewer partitions, each made of some of the old ones.

use std::panic::Location;

use super::exchange::at_least_one;
use super::{AnyRdd, Compute, Dependency, Rdd, Rebuild, Rebuilding, Recipe};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::function::{self, CodeAddress};
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

impl<T: Data> Rdd<T> {
    /// Joins neighbouring partitions until there are only so many; nothing is moved.
    ///
    /// With more partitions than there are, all stay. Fewer partitions also means fewer tasks for what is computed
    /// before: where that is much work, use [`repartition`](Rdd::repartition).
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(1..=5, 5);
    /// assert_eq!(numbers.coalesce(2).glom().collect()?, [vec![1, 2], vec![3, 4, 5]]);
    /// assert_eq!(numbers.coalesce(9).num_partitions(), 5);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn coalesce(&self, partitions: usize) -> Rdd<T> {
        let place = Location::caller();
        if let Err(error) = at_least_one(partitions, "coalesce", place) {
            return Rdd::checked(self.context(), "coalesce", place, Err(error), 0);
        }
        let all = self.num_partitions();
        let partitions = partitions.min(all);
        let group = |at: usize| (at * all / partitions..(at + 1) * all / partitions).collect();
        self.picked("coalesce", (0..partitions).map(group).collect())
    }

    /// Changes the number of partitions: by a shuffle, which can also make more of them, or without one.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(1..=6, 2);
    /// assert_eq!(numbers.coalesce_with(3, true).num_partitions(), 3);
    /// assert_eq!(numbers.coalesce_with(3, false).num_partitions(), 2);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn coalesce_with(&self, partitions: usize, shuffle: bool) -> Rdd<T> {
        if shuffle { self.dealt_out("coalesce", partitions) } else { self.coalesce(partitions) }
    }

    /// Makes a partition of each group of partitions, under the name of the operator it is done for.
    #[track_caller]
    pub(super) fn picked(&self, name: &'static str, groups: Vec<Vec<usize>>) -> Rdd<T> {
        Rdd::from_compute(self.context(), name, Picked { parent: self.clone(), groups })
    }
}

struct Picked<T: Data> {
    parent: Rdd<T>,
    /// The parent's partitions of each partition.
    groups: Vec<Vec<usize>>,
}

impl<T: Data> Compute<T> for Picked<T> {
    fn partitions(&self) -> usize {
        self.groups.len()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        vec![Dependency::Narrow(self.parent.any())]
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<T>> {
        let group = self.groups.get(partition).cloned();
        let group = group.ok_or_else(|| Error::poisoned(format!("there is no partition {partition}")))?;
        let (parent, task) = (self.parent.clone(), task.clone());
        let mut rest = group.into_iter();
        let mut current: Option<ChunkStream<T>> = None;
        Ok(stream::from_fn(move || {
            loop {
                if let Some(stream) = &mut current
                    && let Some(chunk) = stream.next_chunk()?
                {
                    return Ok(Some(chunk));
                }
                match rest.next() {
                    Some(partition) => current = Some(parent.stream(partition, &task)?),
                    None => return Ok(None),
                }
            }
        }))
    }

    fn reads(&self, partition: usize) -> Vec<(usize, Vec<usize>)> {
        vec![(0, self.groups.get(partition).cloned().unwrap_or_default())]
    }

    fn recipe(&self) -> Option<Recipe> {
        fn rebuild<T: Data>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            let parent: Rdd<T> = Rdd::from_any(from.parent(0)?)?;
            Ok(parent.picked("rebuilt", function::decode("groups of partitions", from.env)?).any())
        }
        let rebuild: Rebuild = rebuild::<T>;
        let env = function::encode("groups of partitions", &self.groups);
        Some(Recipe { build: CodeAddress::of::<T>(rebuild as usize), env })
    }
}
