//! `count_by_value_and_window`: how often each record of the last batches occurs.

use std::time::Duration;

use millstream_core::{Key, Partitioner, operator};

use super::WindowKeys;
use crate::dstream::DStream;

impl<T: Key> DStream<T> {
    /// Counts how often each record occurs in the last `window`, anew each `slide`; `None` means this stream's own slide.
    ///
    /// Records that have left the window are left out.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::testing::{batches, check_unordered};
    /// let second = Duration::from_secs(1); // the batch interval of `check`
    /// check_unordered(
    ///     batches![['a'], ['b', 'b'], []],
    ///     |s| s.count_by_value_and_window(2 * second, second),
    ///     batches![[('a', 1)], [('a', 1), ('b', 2)], [('b', 2)]],
    /// );
    /// ```
    #[track_caller]
    pub fn count_by_value_and_window(
        &self,
        window: Duration,
        slide: impl Into<Option<Duration>>,
    ) -> DStream<(T, u64)> {
        self.count_by_value_and_window_with(window, slide, self.context().default_parallelism())
    }

    /// Counts how often each record occurs in the last `window`, with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::testing::{batches, check};
    /// check(
    ///     batches![['a'], ['a'], []],
    ///     |s| s.count_by_value_and_window_with(Duration::from_secs(2), None, 1),
    ///     batches![[('a', 1)], [('a', 2)], [('a', 1)]],
    /// );
    /// ```
    #[track_caller]
    pub fn count_by_value_and_window_with(
        &self,
        window: Duration,
        slide: impl Into<Option<Duration>>,
        partitioner: impl Into<Partitioner<T>>,
    ) -> DStream<(T, u64)> {
        let _composed = operator::composed("count_by_value_and_window");
        self.map(|record| (record, 1)).reduce_by_key_and_window_keeping(
            |a, b| a + b,
            |a, b| a - b,
            window,
            slide,
            partitioner,
            WindowKeys::only(|_, count| *count != 0),
        )
    }
}
