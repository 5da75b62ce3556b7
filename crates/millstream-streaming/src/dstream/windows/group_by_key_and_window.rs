//! `group_by_key_and_window`: all values of each key of the last batches.

use std::time::Duration;

use millstream_core::{Data, Key, Partitioner, operator};

use crate::dstream::DStream;

impl<K: Key, V: Data> DStream<(K, V)> {
    /// Gathers the values of each key over the last `window`, oldest first, anew each `slide`; `None` means this stream's own.
    ///
    /// Each batch is gathered once and kept. All values of a key must fit in memory; to merge them,
    /// [`reduce_by_key_and_window`](DStream::reduce_by_key_and_window) holds far less.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::testing::{batches, check};
    /// let second = Duration::from_secs(1); // the batch interval of `check`
    /// check(
    ///     batches![[(1, 'a')], [(1, 'b'), (1, 'c')], []],
    ///     |s| s.group_by_key_and_window(2 * second, second),
    ///     batches![[(1, vec!['a'])], [(1, vec!['a', 'b', 'c'])], [(1, vec!['b', 'c'])]],
    /// );
    /// ```
    #[track_caller]
    pub fn group_by_key_and_window(
        &self,
        window: Duration,
        slide: impl Into<Option<Duration>>,
    ) -> DStream<(K, Vec<V>)> {
        self.group_by_key_and_window_with(window, slide, self.context().default_parallelism())
    }

    /// Gathers the values of each key over the last `window`, with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::testing::{batches, check};
    /// check(
    ///     batches![[(1, 'a')], [(1, 'b')]],
    ///     |s| s.group_by_key_and_window_with(Duration::from_secs(2), None, 3),
    ///     batches![[(1, vec!['a'])], [(1, vec!['a', 'b'])]],
    /// );
    /// ```
    #[track_caller]
    pub fn group_by_key_and_window_with(
        &self,
        window: Duration,
        slide: impl Into<Option<Duration>>,
        partitioner: impl Into<Partitioner<K>>,
    ) -> DStream<(K, Vec<V>)> {
        let _composed = operator::composed("group_by_key_and_window");
        let partitioner = partitioner.into();
        // Batches that are spread alike are joined partition by partition: only the first gathering moves anything.
        self.group_by_key_with(partitioner.clone()).window(window, slide).reduce_by_key_with(
            |mut older, mut newer| {
                older.append(&mut newer);
                older
            },
            partitioner,
        )
    }
}
