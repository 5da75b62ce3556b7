//! `Streams`: what `transform` of a context takes.

use millstream_core::rdd::AnyRdd;
use millstream_core::{Data, Rdd};

use super::DStream;
use super::node::{AnyDStream, all, only};
use crate::error::Result;
use sealed::{Erased, Sealed};

/// Some streams: a vector or an array of streams of one record type, or a tuple of two to six of different ones.
///
/// # Examples
/// ```
/// use millstream_core::Conf;
/// use millstream_streaming::testing::{Driver, batches};
///
/// let driver = Driver::new(Conf::empty(), std::time::Duration::from_secs(1))?;
/// let (names, ages) = (driver.input(batches![[(1, 'a')]]), driver.input(batches![[(1, 30_u8), (2, 40)]]));
/// let wanted = driver.input(batches![[1_i32]]);
/// let people = driver.streaming().transform((names, ages, wanted), |(names, ages, wanted), _| {
///     names.join(&ages).join(&wanted.map(|id| (id, ())))
/// });
/// let collected = driver.collect(&people);
/// driver.run(1)?;
/// assert_eq!(collected.batches(), batches![[(1, (('a', 30), ()))]]);
/// # Ok::<(), millstream_streaming::Error>(())
/// ```
pub trait Streams: Sealed {}

pub(crate) mod sealed {
    use super::{AnyDStream, AnyRdd, Result};

    /// Streams whose record types have been forgotten.
    pub struct Erased(pub(crate) Vec<AnyDStream>);

    /// Keeps the kinds of streams to those that are here.
    pub trait Sealed {
        /// The RDDs of a batch: vector for vector, tuple for tuple.
        type Rdds;

        /// Returns the streams with their record types forgotten.
        fn erased(&self) -> Erased;

        /// Remembers the record types of their RDDs.
        fn typed(rdds: Vec<AnyRdd>) -> Result<Self::Rdds>;
    }
}

impl<T: Data> Streams for Vec<DStream<T>> {}
impl<T: Data, const N: usize> Streams for [DStream<T>; N] {}

impl<T: Data> Sealed for Vec<DStream<T>> {
    type Rdds = Vec<Rdd<T>>;

    fn erased(&self) -> Erased {
        Erased(self.iter().map(DStream::any).collect())
    }

    fn typed(inputs: Vec<AnyRdd>) -> Result<Vec<Rdd<T>>> {
        all(inputs)
    }
}

impl<T: Data, const N: usize> Sealed for [DStream<T>; N] {
    type Rdds = Vec<Rdd<T>>;

    fn erased(&self) -> Erased {
        Erased(self.iter().map(DStream::any).collect())
    }

    fn typed(inputs: Vec<AnyRdd>) -> Result<Vec<Rdd<T>>> {
        all(inputs)
    }
}

macro_rules! tuples {
    ($($record:ident $n:tt),+) => {
        impl<$($record: Data),+> Streams for ($(DStream<$record>,)+) {}

        impl<$($record: Data),+> Sealed for ($(DStream<$record>,)+) {
            type Rdds = ($(Rdd<$record>,)+);

            fn erased(&self) -> Erased {
                Erased(vec![$(self.$n.any()),+])
            }

            fn typed(inputs: Vec<AnyRdd>) -> Result<Self::Rdds> {
                let mut inputs = inputs.into_iter();
                Ok(($(only::<$record>(inputs.next().into_iter().collect())?,)+))
            }
        }
    };
}

tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);
