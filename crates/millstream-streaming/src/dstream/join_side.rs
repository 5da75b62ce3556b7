//! `JoinSide`: what a stream can be joined with.

use millstream_core::{Data, Rdd};

use super::DStream;

/// What a stream can be joined with: another stream, batch by batch, or one RDD, which is the same for every batch.
///
/// An RDD is read by every batch: [`persist`](Rdd::persist) one that is costly to compute, and spread it with
/// [`partition_by`](Rdd::partition_by) so that only the batches cross partitions.
///
/// # Examples
/// ```
/// use millstream_core::Conf;
/// use millstream_streaming::testing::{Driver, batches};
///
/// let driver = Driver::new(Conf::empty(), std::time::Duration::from_secs(1))?;
/// let pairs = driver.input(batches![[(1, 'a')], [(1, 'b'), (2, 'c')]]);
/// let names = pairs.context().parallelize([(1, "one".to_owned())], 1).persist();
/// let joined = driver.collect(&pairs.join(&names));
/// driver.run(2)?;
/// assert_eq!(joined.batches(), batches![[(1, ('a', "one".into()))], [(1, ('b', "one".into()))]]);
/// # Ok::<(), millstream_streaming::Error>(())
/// ```
pub trait JoinSide<T: Data>: sealed::Sealed<T> {}

pub(crate) mod sealed {
    use super::{DStream, Data, Rdd, Side};

    /// Keeps the kinds of sides to those that are here.
    pub trait Sealed<T: Data> {
        /// Returns which kind of side it is.
        fn side(&self) -> Side<T>;
    }

    impl<T: Data> Sealed<T> for DStream<T> {
        fn side(&self) -> Side<T> {
            Side::Stream(self.clone())
        }
    }

    impl<T: Data> Sealed<T> for Rdd<T> {
        fn side(&self) -> Side<T> {
            Side::Rdd(self.clone())
        }
    }
}

impl<T: Data> JoinSide<T> for DStream<T> {}
impl<T: Data> JoinSide<T> for Rdd<T> {}

/// A side as what it is.
#[derive(Clone)]
pub enum Side<T: Data> {
    /// Another stream.
    Stream(DStream<T>),
    /// The same RDD for every batch.
    Rdd(Rdd<T>),
}
