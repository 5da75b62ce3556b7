//! `transform`: any RDD operators on each batch.

use millstream_core::operator::user_code;
use millstream_core::{Data, Rdd};

use super::DStream;
use super::per_batch_of_all::per_batch_of_all;
use super::streams::Streams;
use super::streams::sealed::Sealed;
use crate::context::StreamingContext;
use crate::error::Result;
use crate::time::Time;

/// What a closure of `transform` may return: an RDD, or a result with one.
pub trait IntoRdd<U: Data> {
    /// Returns the RDD, or the closure's error.
    ///
    /// # Errors
    /// The closure's own.
    fn into_rdd(self) -> Result<Rdd<U>>;
}

impl<U: Data> IntoRdd<U> for Rdd<U> {
    fn into_rdd(self) -> Result<Rdd<U>> {
        Ok(self)
    }
}

impl<U: Data, E: Into<Box<dyn std::error::Error + Send + Sync>>> IntoRdd<U> for Result<Rdd<U>, E> {
    fn into_rdd(self) -> Result<Rdd<U>> {
        self.map_err(|error| millstream_core::Error::user(error).into())
    }
}

impl<T: Data> DStream<T> {
    /// Makes an RDD of the RDD of each batch.
    ///
    /// The closure runs on the driver once per batch, also for an empty one; it may run actions, and may return a result.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![[1, 2], [3]], |s| s.transform(|rdd| rdd.map(|n| n + 1)), batches![[2, 3], [4]]);
    /// ```
    #[track_caller]
    pub fn transform<U: Data, R: IntoRdd<U>>(
        &self,
        f: impl Fn(Rdd<T>) -> R + Send + Sync + 'static,
    ) -> DStream<U> {
        self.per_batch_at("transform", move |rdd, _| user_code(|| f(rdd)).into_rdd())
    }

    /// Makes an RDD of the RDD and the time of each batch.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::Time;
    /// use millstream_streaming::testing::{batches, check};
    /// let first = Time::from_millis(1000);
    /// check(
    ///     batches![[1], [2]],
    ///     move |s| s.transform_timed(move |rdd, time| if time == first { rdd } else { rdd.filter(|_| false) }),
    ///     batches![[1], []],
    /// );
    /// ```
    #[doc(alias = "transform")]
    #[track_caller]
    pub fn transform_timed<U: Data, R: IntoRdd<U>>(
        &self,
        f: impl Fn(Rdd<T>, Time) -> R + Send + Sync + 'static,
    ) -> DStream<U> {
        self.per_batch_at("transform", move |rdd, time| user_code(|| f(rdd, time)).into_rdd())
    }
}

impl StreamingContext {
    /// Makes an RDD of the RDDs of several streams and the time, batch by batch.
    ///
    /// The closure runs on the driver once per batch, also for an empty one, with the RDDs in the order of the streams: those of
    /// a vector or an array as a vector, those of a tuple as a tuple. It may run actions, and may return a result. All streams
    /// must have the same slide.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let streams = [driver.input(batches![[1], [2]]), driver.input(batches![[10], [20]])];
    /// let both = driver.streaming().transform(streams, |rdds, _| rdds[1].union(&rdds[0]));
    /// let collected = driver.collect(&both);
    /// driver.run(2)?;
    /// assert_eq!(collected.batches(), batches![[10, 1], [20, 2]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn transform<S: Streams, U: Data, R: IntoRdd<U>>(
        &self,
        streams: S,
        f: impl Fn(<S as Sealed>::Rdds, Time) -> R + Send + Sync + 'static,
    ) -> DStream<U> {
        per_batch_of_all(self.graph(), "transform", &streams, move |rdds, time| {
            user_code(|| f(rdds, time)).into_rdd()
        })
    }
}
