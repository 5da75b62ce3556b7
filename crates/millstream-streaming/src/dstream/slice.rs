//! `slice`: the batches of a span of time.

use millstream_core::{Data, Rdd};

use super::DStream;
use crate::error::Result;
use crate::time::Time;

impl<T: Data> DStream<T> {
    /// Returns the RDDs of the batches from `from` to `to`, both included, oldest first.
    ///
    /// For use on a running context, e.g. inside `foreach_rdd`. Times between two batches count as the batch before them; times
    /// before the first batch and after the latest one that was begun give nothing, nor does a `to` that lies before `from`.
    /// How long batches are remembered is what the operators on this stream need, unless
    /// [`remember`](crate::StreamingContext::remember) asks for more: a batch that was forgotten is described anew, and a source
    /// that can not read it a second time gives it without its records.
    ///
    /// # Errors
    /// If the context has not been started, or a batch can not be described.
    ///
    /// # Examples
    /// ```
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let numbers = driver.input(batches![[1], [2], [3]]);
    /// let slices = numbers.window(Duration::from_secs(3), None); // remembers three batches
    /// let (send, received) = mpsc::channel();
    /// slices.foreach_rdd_with(move |_, time| {
    ///     let both = numbers.slice(time - Duration::from_secs(1), time)?;
    ///     let records: Result<Vec<_>, _> = both.iter().map(|rdd| rdd.collect()).collect();
    ///     send.send(records?.concat()).map_err(millstream_core::Error::user)?;
    ///     Ok::<(), millstream_streaming::Error>(())
    /// });
    /// driver.run(3)?;
    /// assert_eq!(received.try_iter().collect::<Vec<_>>(), [vec![1], vec![1, 2], vec![2, 3]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn slice(&self, from: Time, to: Time) -> Result<Vec<Rdd<T>>> {
        let Some(zero) = self.graph().zero() else {
            return Err(millstream_core::Error::Argument {
                operator: "slice".into(),
                problem: format!(
                    "{} has no batches yet: its context has not been started",
                    self.any().operator()
                ),
                remedy: "call it on a running context, e.g. inside `foreach_rdd`".into(),
            }
            .into());
        };
        // What comes later is made of what there is then.
        let (slide, to) = (self.slide_duration(), to.min(self.graph().latest_begun()));
        self.rdds_after(from.floor_from(slide, zero) - slide, to.floor_from(slide, zero))
    }
}
