//! `union`: the records of several streams.

use std::sync::Arc;

use millstream_core::Data;

use super::DStream;
use super::per_batch_of_all::per_batch_of_all;
use crate::context::StreamingContext;
use crate::graph::Graph;

impl<T: Data> DStream<T> {
    /// Returns the records of both streams, this one's first; the other must have the same slide.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![[1], [2]], |s| s.union(&s.map(|n| n * 10)), batches![[1, 10], [2, 20]]);
    /// ```
    #[track_caller]
    pub fn union(&self, other: &DStream<T>) -> DStream<T> {
        union(self.graph(), vec![self.clone(), other.clone()])
    }
}

impl StreamingContext {
    /// Returns the records of several streams, batch by batch, in the order of the streams; all must have the same slide.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let streams = [1, 2, 3].map(|n| driver.input(batches![[n]]));
    /// let collected = driver.collect(&driver.streaming().union(streams));
    /// driver.run(1)?;
    /// assert_eq!(collected.batches(), batches![[1, 2, 3]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn union<T: Data>(&self, streams: impl IntoIterator<Item = DStream<T>>) -> DStream<T> {
        union(self.graph(), streams.into_iter().collect())
    }
}

#[track_caller]
fn union<T: Data>(graph: &Arc<Graph>, streams: Vec<DStream<T>>) -> DStream<T> {
    let context = graph.context.clone();
    per_batch_of_all(graph, "union", &streams, move |rdds, _| Ok(context.union(rdds)))
}
