//! `transform_with`: any RDD operators on the batches of two streams.

use millstream_core::operator::user_code;
use millstream_core::{Data, Rdd};

use super::DStream;
use super::transform::IntoRdd;
use crate::time::Time;

impl<T: Data> DStream<T> {
    /// Makes an RDD of the RDDs of this stream and of `other`, batch by batch.
    ///
    /// The closure runs on the driver once per batch, also for an empty one; it may run actions, and may return a result. Both
    /// streams must have the same slide.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(
    ///     batches![[1], [2, 3]],
    ///     |s| s.transform_with(&s.map(|n| n * 10), |plain, tens| plain.union(&tens)),
    ///     batches![[1, 10], [2, 3, 20, 30]],
    /// );
    /// ```
    #[track_caller]
    pub fn transform_with<U: Data, V: Data, R: IntoRdd<V>>(
        &self,
        other: &DStream<U>,
        f: impl Fn(Rdd<T>, Rdd<U>) -> R + Send + Sync + 'static,
    ) -> DStream<V> {
        self.per_batch_with(other, "transform_with", move |left, right, _| {
            user_code(|| f(left, right)).into_rdd()
        })
    }

    /// Makes an RDD of the RDDs of this stream and of `other` and of the time, batch by batch.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::Time;
    /// use millstream_streaming::testing::{batches, check};
    /// let first = Time::from_millis(1000);
    /// check(
    ///     batches![[1], [2]],
    ///     move |s| {
    ///         let tens = s.map(|n| n * 10);
    ///         s.transform_with_timed(&tens, move |plain, tens, time| if time == first { plain } else { tens })
    ///     },
    ///     batches![[1], [20]],
    /// );
    /// ```
    #[track_caller]
    pub fn transform_with_timed<U: Data, V: Data, R: IntoRdd<V>>(
        &self,
        other: &DStream<U>,
        f: impl Fn(Rdd<T>, Rdd<U>, Time) -> R + Send + Sync + 'static,
    ) -> DStream<V> {
        self.per_batch_with(other, "transform_with", move |left, right, time| {
            user_code(|| f(left, right, time)).into_rdd()
        })
    }
}
