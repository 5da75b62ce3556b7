//! `generate`: records made where they are needed.

use std::panic::Location;

use crate::context::Context;
use crate::data::Data;
use crate::error::Result;
use crate::function::{self, CodeAddress};
use crate::rdd::exchange::few_enough;
use crate::rdd::method::Method;
use crate::rdd::{AnyRdd, Compute, Dependency, Rdd, Rebuild, Rebuilding, Recipe};
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

impl Context {
    /// Makes an RDD whose partitions are made by a function of their number, in the task that reads them.
    ///
    /// The function must give the same records each time it is called with the same number.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.generate(2, |partition| (0..3).map(move |n| partition * 10 + n));
    /// assert_eq!(numbers.collect()?, [0, 1, 2, 10, 11, 12]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn generate<T: Data, I, F>(&self, partitions: usize, f: F) -> Rdd<T>
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: 'static,
        F: Fn(usize) -> I + Send + Sync + 'static,
    {
        fn rebuild<T: Data, I, F>(from: &Rebuilding<'_>) -> Result<AnyRdd>
        where
            I: IntoIterator<Item = T>,
            I::IntoIter: 'static,
            F: Fn(usize) -> I + Send + Sync + 'static,
        {
            let partitions = function::decode("number of partitions", from.env)?;
            Ok(from.context.generate(partitions, from.build.conjure::<F>()?).any())
        }
        let place = Location::caller();
        let rebuild: Rebuild = rebuild::<T, I, F>;
        let generate = Generate {
            partitions,
            records: Box::new(move |partition| stream::from_iter(f(partition).into_iter())),
            build: CodeAddress::of::<F>(rebuild as usize),
        };
        let method =
            Method::or("generate", "parallelize(0..n, n).flat_map_env(values, |values, partition| ..)");
        Rdd::checked(
            self,
            method,
            place,
            few_enough(partitions, "generate", place).map(|()| Box::new(generate) as Box<dyn Compute<T>>),
            size_of::<F>(),
        )
    }
}

struct Generate<T> {
    partitions: usize,
    records: Box<dyn Fn(usize) -> ChunkStream<T> + Send + Sync>,
    build: CodeAddress,
}

impl<T: Data> Compute<T> for Generate<T> {
    fn partitions(&self) -> usize {
        self.partitions
    }

    fn dependencies(&self) -> Vec<Dependency> {
        Vec::new()
    }

    fn compute(&self, partition: usize, _: &TaskContext) -> Result<ChunkStream<T>> {
        Ok((self.records)(partition))
    }

    fn recipe(&self) -> Option<Recipe> {
        Some(Recipe { build: self.build, env: function::encode("number of partitions", &self.partitions) })
    }
}
