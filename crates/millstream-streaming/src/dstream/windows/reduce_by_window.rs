//! `reduce_by_window`: all records of the last batches in one.

use std::sync::Arc;
use std::time::Duration;

use millstream_core::{Data, operator};

use super::WindowKeys;
use crate::dstream::DStream;

impl<T: Data> DStream<T> {
    /// Merges all records of the last `window`, anew each `slide`; `None` for the slide means this stream's own.
    ///
    /// Each batch is reduced once and kept; a window merges the reduced batches. A window without records gives none.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::testing::{batches, check};
    /// let second = Duration::from_secs(1); // the batch interval of `check`
    /// check(
    ///     batches![[1, 2], [3], [], []],
    ///     |s| s.reduce_by_window(|a, b| a + b, 2 * second, second),
    ///     batches![[3], [6], [3], []],
    /// );
    /// ```
    #[track_caller]
    pub fn reduce_by_window(
        &self,
        f: impl Fn(T, T) -> T + Send + Sync + 'static,
        window: Duration,
        slide: impl Into<Option<Duration>>,
    ) -> DStream<T> {
        let _composed = operator::composed("reduce_by_window");
        let f = Arc::new(f);
        let again = Arc::clone(&f);
        self.reduce(move |a, b| f(a, b)).window(window, slide).reduce(move |a, b| again(a, b))
    }

    /// Merges all records of the last `window`, by merging what enters the window and taking out what leaves.
    ///
    /// `inverse(f(a, b), b)` must be `a`. As in Spark, from the first record on there is one record for each window, also
    /// for an empty one (e.g. 0).
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::testing::{batches, check};
    /// let second = Duration::from_secs(1); // the batch interval of `check`
    /// check(
    ///     batches![[1, 2], [3], [], []],
    ///     |s| s.reduce_by_window_with_inverse(|a, b| a + b, |a, b| a - b, 2 * second, second),
    ///     batches![[3], [6], [3], [0]],
    /// );
    /// ```
    #[track_caller]
    pub fn reduce_by_window_with_inverse(
        &self,
        f: impl Fn(T, T) -> T + Send + Sync + 'static,
        inverse: impl Fn(T, T) -> T + Send + Sync + 'static,
        window: Duration,
        slide: impl Into<Option<Duration>>,
    ) -> DStream<T> {
        let _composed = operator::composed("reduce_by_window");
        let merged = self.map(|record| ((), record)).reduce_by_key_and_window_keeping(
            f,
            inverse,
            window,
            slide,
            1,
            WindowKeys::All,
        );
        merged.map(|((), merged)| merged).with_state_of(&merged)
    }
}
