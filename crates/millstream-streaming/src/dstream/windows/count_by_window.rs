//! `count_by_window`: how many records the last batches have.

use std::time::Duration;

use millstream_core::{Data, operator};

use crate::dstream::DStream;

impl<T: Data> DStream<T> {
    /// Counts the records of the last `window`, anew each `slide`; `None` for the slide means this stream's own.
    ///
    /// Costs what enters and leaves the window. As in Spark, there is no record before the first record of the stream, and one
    /// for each window from then on.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::testing::{batches, check};
    /// let second = Duration::from_secs(1); // the batch interval of `check`
    /// check(batches![['a'], ['b', 'c'], [], []], |s| s.count_by_window(2 * second, second), batches![[1], [3], [2], [0]]);
    /// ```
    #[track_caller]
    pub fn count_by_window(&self, window: Duration, slide: impl Into<Option<Duration>>) -> DStream<u64> {
        let _composed = operator::composed("count_by_window");
        self.map_ref(|_| 1).reduce_by_window_with_inverse(|a, b| a + b, |a, b| a - b, window, slide)
    }
}
