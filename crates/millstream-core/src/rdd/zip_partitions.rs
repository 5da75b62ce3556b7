//! `zip_partitions`: work on the partitions of two RDDs side by side.

use std::panic::Location;

use super::map_partitions::results;
use super::{AnyRdd, Compute, Dependency, Rdd, Rebuild, Rebuilding, Recipe};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::function::CodeAddress;
use crate::operator::Operator;
use crate::stream::{ChunkStream, Records};
use crate::task::TaskContext;

impl<T: Data> Rdd<T> {
    /// Makes records of each partition here and the partition of the same number in `other`.
    ///
    /// Both must have the same number of partitions; how many records are in them does not matter.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let (left, right) = (context.parallelize([1, 2, 3], 2), context.parallelize([10, 20], 2));
    /// let sums = left.zip_partitions(&right, |left, right| [left.sum::<i32>() + right.sum::<i32>()]);
    /// assert_eq!(sums.collect()?, [11, 25]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn zip_partitions<U: Data, V: Data, I>(
        &self,
        other: &Rdd<U>,
        f: impl Fn(Records<T>, Records<U>) -> I + Send + Sync + 'static,
    ) -> Rdd<V>
    where
        I: IntoIterator<Item = V>,
        I::IntoIter: 'static,
    {
        self.per_two_partitions("zip_partitions", other, move |left, right| {
            let ((left, broken), (right, other_broken)) = (Records::new(left), Records::new(right));
            Ok(results(f(left, right), broken.and(other_broken)))
        })
    }

    /// Makes an operator that turns the streams of two partitions of the same number into another.
    #[track_caller]
    pub(crate) fn per_two_partitions<U: Data, V: Data, K>(
        &self,
        name: &'static str,
        other: &Rdd<U>,
        kernel: K,
    ) -> Rdd<V>
    where
        K: Fn(ChunkStream<T>, ChunkStream<U>) -> Result<ChunkStream<V>> + Send + Sync + 'static,
    {
        fn rebuild<T: Data, U: Data, V: Data, K>(from: &Rebuilding<'_>) -> Result<AnyRdd>
        where
            K: Fn(ChunkStream<T>, ChunkStream<U>) -> Result<ChunkStream<V>> + Send + Sync + 'static,
        {
            let (left, right) = (Rdd::<T>::from_any(from.parent(0)?)?, Rdd::<U>::from_any(from.parent(1)?)?);
            Ok(left.per_two_partitions("rebuilt", &right, from.build.conjure::<K>()?).any())
        }
        let place = Location::caller();
        let (here, there) = (self.num_partitions(), other.num_partitions());
        let rebuild: Rebuild = rebuild::<T, U, V, K>;
        let zipped = Zipped {
            left: self.clone(),
            right: other.clone(),
            kernel: Box::new(kernel),
            build: CodeAddress::of::<K>(rebuild as usize),
        };
        let compute = if here == there {
            Ok(Box::new(zipped) as Box<dyn Compute<V>>)
        } else {
            Err(Error::Argument {
                operator: Operator::call(name, place).to_string(),
                problem: format!("the RDDs have different numbers of partitions, {here} and {there}"),
                remedy: "`repartition` one of them, or join them by a key".into(),
            })
        };
        Rdd::checked(self.context(), name, place, compute, size_of::<K>())
    }
}

/// What is done with two partitions.
type Kernel<T, U, V> = Box<dyn Fn(ChunkStream<T>, ChunkStream<U>) -> Result<ChunkStream<V>> + Send + Sync>;

struct Zipped<T: Data, U: Data, V: Data> {
    left: Rdd<T>,
    right: Rdd<U>,
    kernel: Kernel<T, U, V>,
    build: CodeAddress,
}

impl<T: Data, U: Data, V: Data> Compute<V> for Zipped<T, U, V> {
    fn partitions(&self) -> usize {
        self.left.num_partitions()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        vec![Dependency::Narrow(self.left.any()), Dependency::Narrow(self.right.any())]
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<V>> {
        (self.kernel)(self.left.stream(partition, task)?, self.right.stream(partition, task)?)
    }

    fn recipe(&self) -> Option<Recipe> {
        Some(Recipe { build: self.build, env: Ok(Vec::new()) })
    }
}
