//! The form of an operator whose partitions are made of the partitions of the same number of several RDDs.

use std::panic::Location;

use super::method::Method;
use super::{AnyRdd, Compute, Dependency, Rdd, Rebuild, Rebuilding, Recipe};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::function::{self, CodeAddress};
use crate::operator;
use crate::stream::{ChunkStream, Failure, Records};
use crate::task::TaskContext;

/// Some RDDs with the same number of partitions: a tuple of two to four.
pub(super) trait SideBySide: Clone + Send + Sync + Sized + 'static {
    type Streams;
    type Records;

    fn rdds(&self) -> Vec<AnyRdd>;
    fn streams(&self, partition: usize, task: &TaskContext) -> Result<Self::Streams>;
    fn again(from: &Rebuilding<'_>) -> Result<Self>;
    fn records(streams: Self::Streams) -> (Self::Records, Failure);

    /// Makes an operator that turns the streams of the partitions of a number into another; the first RDD gives the context.
    #[track_caller]
    fn per_partitions<V: Data, E: Data, K>(self, method: Method, env: E, kernel: K) -> Rdd<V>
    where
        K: Fn(&E, Self::Streams) -> Result<ChunkStream<V>> + Send + Sync + 'static,
    {
        fn rebuild<P: SideBySide, V: Data, E: Data, K>(from: &Rebuilding<'_>) -> Result<AnyRdd>
        where
            K: Fn(&E, P::Streams) -> Result<ChunkStream<V>> + Send + Sync + 'static,
        {
            let env = function::decode("closure values", from.env)?;
            Ok(P::again(from)?.per_partitions("rebuilt".into(), env, from.build.conjure::<K>()?).any())
        }
        let place = Location::caller();
        let rdds = self.rdds();
        let partitions: Vec<usize> = rdds.iter().map(|rdd| rdd.partitions()).collect();
        let context = rdds[0].info().context.clone();
        let rebuild: Rebuild = rebuild::<Self, V, E, K>;
        let written = env.clone();
        let together = Together {
            rdds: self,
            kernel: Box::new(move |streams| kernel(&env, streams)),
            build: CodeAddress::of::<K>(rebuild as usize),
            env: Box::new(move || function::encode("closure values", &written)),
        };
        let compute = if partitions.iter().all(|n| *n == partitions[0]) {
            Ok(Box::new(together) as Box<dyn Compute<V>>)
        } else {
            let numbers: Vec<String> = partitions.iter().map(usize::to_string).collect();
            Err(Error::Argument {
                operator: operator::blamed(method.name, place).to_string(),
                problem: format!("the RDDs have different numbers of partitions, {}", numbers.join(" and ")),
                remedy: "`repartition` them to the same, or join them by a key".into(),
            })
        };
        Rdd::checked(&context, method, place, compute, size_of::<K>())
    }
}

macro_rules! side_by_side {
    ($($record:ident $n:tt),+) => {
        impl<$($record: Data),+> SideBySide for ($(Rdd<$record>,)+) {
            type Streams = ($(ChunkStream<$record>,)+);
            type Records = ($(Records<$record>,)+);

            fn rdds(&self) -> Vec<AnyRdd> {
                vec![$(self.$n.any()),+]
            }

            fn streams(&self, partition: usize, task: &TaskContext) -> Result<Self::Streams> {
                Ok(($(self.$n.stream(partition, task)?,)+))
            }

            fn again(from: &Rebuilding<'_>) -> Result<Self> {
                Ok(($(Rdd::<$record>::from_any(from.parent($n)?)?,)+))
            }

            fn records(streams: Self::Streams) -> (Self::Records, Failure) {
                let both = ($(Records::new(streams.$n),)+);
                let failure = Failure::any_of([$(both.$n.1),+]);
                (($(both.$n.0,)+), failure)
            }
        }
    };
}

side_by_side!(A 0, B 1);
side_by_side!(A 0, B 1, C 2);
side_by_side!(A 0, B 1, C 2, D 3);

struct Together<P: SideBySide, V: Data> {
    rdds: P,
    kernel: Box<dyn Fn(P::Streams) -> Result<ChunkStream<V>> + Send + Sync>,
    build: CodeAddress,
    env: Box<dyn Fn() -> Result<Vec<u8>> + Send + Sync>,
}

impl<P: SideBySide, V: Data> Compute<V> for Together<P, V> {
    fn partitions(&self) -> usize {
        self.rdds.rdds()[0].partitions()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        self.rdds.rdds().into_iter().map(Dependency::Narrow).collect()
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<V>> {
        (self.kernel)(self.rdds.streams(partition, task)?)
    }

    fn recipe(&self) -> Option<Recipe> {
        Some(Recipe { build: self.build, env: (self.env)() })
    }
}
