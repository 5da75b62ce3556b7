//! `cartesian`: every record of one RDD with every record of another.

use super::{AnyRdd, Compute, Dependency, Rdd, Rebuild, Rebuilding, Recipe};
use crate::chunk::{CHUNK, Chunk};
use crate::data::Data;
use crate::error::Result;
use crate::function::CodeAddress;
use crate::stream::{self, ChunkStream, Records};
use crate::task::TaskContext;

impl<T: Data> Rdd<T> {
    /// Pairs each record here with each record of `other`, in as many partitions as both numbers of partitions multiplied.
    ///
    /// Each task holds a partition of `other` in memory. The result has as many records as both numbers multiplied: most
    /// programs want a join.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([1, 2], 1).cartesian(&context.parallelize(['a', 'b'], 1));
    /// assert_eq!(pairs.collect()?, [(1, 'a'), (1, 'b'), (2, 'a'), (2, 'b')]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn cartesian<U: Data>(&self, other: &Rdd<U>) -> Rdd<(T, U)> {
        let product = Cartesian { left: self.clone(), right: other.clone() };
        Rdd::from_compute(self.context(), "cartesian", product)
    }
}

struct Cartesian<T: Data, U: Data> {
    left: Rdd<T>,
    right: Rdd<U>,
}

impl<T: Data, U: Data> Cartesian<T, U> {
    /// Which partitions of both sides a partition is made of.
    fn sides(&self, partition: usize) -> (usize, usize) {
        let of_right = self.right.num_partitions().max(1);
        (partition / of_right, partition % of_right)
    }
}

impl<T: Data, U: Data> Compute<(T, U)> for Cartesian<T, U> {
    fn partitions(&self) -> usize {
        self.left.num_partitions().saturating_mul(self.right.num_partitions())
    }

    fn dependencies(&self) -> Vec<Dependency> {
        vec![Dependency::Narrow(self.left.any()), Dependency::Narrow(self.right.any())]
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<(T, U)>> {
        let (left, right) = self.sides(partition);
        let mut held: Vec<U> = Vec::new();
        stream::drain(self.right.stream(right, task)?, |chunk: Chunk<U>| {
            held.append(&mut chunk.into_vec());
            Ok(())
        })?;
        let (mut records, broken) = Records::new(self.left.stream(left, task)?);
        // A record of the left side, and how many of the right side it has met.
        let mut current: Option<(T, usize)> = None;
        Ok(stream::from_fn(move || {
            let mut pairs = Vec::new();
            while pairs.len() < CHUNK && !held.is_empty() {
                let Some((record, met)) = current.take().or_else(|| Some((records.next()?, 0))) else {
                    break;
                };
                let until = held.len().min(met + CHUNK - pairs.len());
                pairs.extend(held[met..until].iter().map(|other| (record.clone(), other.clone())));
                if until < held.len() {
                    current = Some((record, until));
                }
            }
            broken.check()?;
            Ok((!pairs.is_empty()).then(|| pairs.into()))
        }))
    }

    fn reads(&self, partition: usize) -> Vec<(usize, Vec<usize>)> {
        let (left, right) = self.sides(partition);
        vec![(0, vec![left]), (1, vec![right])]
    }

    fn recipe(&self) -> Option<Recipe> {
        fn rebuild<T: Data, U: Data>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            let (left, right) = (Rdd::<T>::from_any(from.parent(0)?)?, Rdd::<U>::from_any(from.parent(1)?)?);
            Ok(left.cartesian(&right).any())
        }
        let rebuild: Rebuild = rebuild::<T, U>;
        Some(Recipe { build: CodeAddress::of::<Self>(rebuild as usize), env: Ok(Vec::new()) })
    }
}
