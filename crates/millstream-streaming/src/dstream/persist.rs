//! `persist`: keep the batches once they have been computed.

use millstream_core::{Data, StorageLevel};

use super::DStream;

impl<T: Data> DStream<T> {
    /// Keeps the records of each batch once they have been computed, so that several consumers compute them once.
    ///
    /// They are freed when no batch to come needs them: after the batch, or when the longest window over this stream has
    /// passed. They lie in memory as they are, and what there is no room for is computed again:
    /// [`StorageLevel::MEMORY_ONLY`]. The streams that windows read are kept without asking, at
    /// [`StorageLevel::MEMORY_AND_DISK`].
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// let driver = Driver::new(Conf::empty(), std::time::Duration::from_secs(1))?;
    /// let calls = Arc::new(AtomicUsize::new(0));
    /// let counter = Arc::clone(&calls);
    /// let costly = driver.input(batches![[1, 2, 3]]).map(move |n| {
    ///     counter.fetch_add(1, Ordering::Relaxed);
    ///     n * n
    /// });
    /// let squares = costly.persist();
    /// let (all, sums) = (driver.collect(&squares), driver.collect(&squares.reduce(|a, b| a + b)));
    /// driver.run(1)?;
    /// assert_eq!((all.batches(), sums.batches()), (batches![[1, 4, 9]], batches![[14]]));
    /// assert_eq!(calls.load(Ordering::Relaxed), 3);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn persist(&self) -> DStream<T> {
        self.persist_with(StorageLevel::MEMORY_ONLY)
    }

    /// Keeps the records of each batch once they have been computed, in memory or on disk or both, as records or as bytes.
    ///
    /// The last call counts, also for what windows keep; once the stream runs it counts for the batches to come.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::StorageLevel;
    /// use millstream_streaming::testing::{batches, check};
    ///
    /// let kept = |level| check(batches![[1], [2]], |s| s.persist_with(level).map(|n| n + 1), batches![[2], [3]]);
    /// kept(StorageLevel::MEMORY_ONLY_SER);
    /// kept(StorageLevel::DISK_ONLY);
    /// ```
    pub fn persist_with(&self, level: StorageLevel) -> DStream<T> {
        self.0.persisted().asked = Some(level);
        self.clone()
    }

    /// Keeps the records of each batch once they have been computed; the same as [`persist`](DStream::persist).
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![[1], [2]], |s| s.cache().map(|n| n + 1), batches![[2], [3]]);
    /// ```
    pub fn cache(&self) -> DStream<T> {
        self.persist()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use millstream_core::{Conf, StorageLevel};

    use crate::testing::{Driver, batches};

    /// A driver with a memory of some bytes.
    fn driver(bytes: usize) -> Driver {
        let memory = format!("{bytes}b");
        let conf = Conf::empty().set("spark.driver.memory", &memory).set("spark.memory.fraction", "1");
        Driver::new(conf, Duration::from_secs(1)).unwrap()
    }

    #[test]
    fn streams_are_kept_at_any_level_whether_there_is_room_or_not() {
        for level in ["MEMORY_ONLY", "MEMORY_ONLY_SER", "MEMORY_AND_DISK", "DISK_ONLY_2", "OFF_HEAP", "NONE"]
        {
            for bytes in [1, 1 << 20] {
                let level: StorageLevel = level.parse().unwrap();
                let driver = driver(bytes);
                let calls = Arc::new(AtomicUsize::new(0));
                let counter = Arc::clone(&calls);
                let words = driver.input(batches![[1, 2], [3]]).map(move |n| {
                    counter.fetch_add(1, Ordering::Relaxed);
                    "x".repeat(n)
                });
                let kept = words.persist_with(level);
                let (first, second) = (driver.collect(&kept), driver.collect(&kept.count()));
                driver.run(2).unwrap();
                assert_eq!(first.batches(), [vec!["x".to_owned(), "xx".to_owned()], vec!["xxx".to_owned()]]);
                assert_eq!(second.batches(), batches![[2], [1]]);
                let once = level.use_disk() || (level.use_memory() && bytes > 1);
                assert_eq!(calls.load(Ordering::Relaxed), if once { 3 } else { 6 }, "{level} in {bytes}");
                assert!(kept.context().get_persistent_rdds().len() <= 1);
            }
        }
    }

    #[test]
    fn windows_read_from_disk_what_memory_has_no_room_for() {
        let driver = driver(1);
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let numbers = driver.input(batches![[1], [2], [3], [4]]).map(move |n| {
            counter.fetch_add(1, Ordering::Relaxed);
            n
        });
        let second = Duration::from_secs(1);
        let windowed = driver.collect(&numbers.window(3 * second, second));
        let pairs = numbers.map(|n| (0, n));
        let slid =
            pairs.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, 3 * second, second);
        let sums = driver.collect(&slid);
        driver.run(4).unwrap();
        assert_eq!(windowed.batches(), batches![[1], [1, 2], [1, 2, 3], [2, 3, 4]]);
        assert_eq!(sums.batches(), batches![[(0, 1)], [(0, 3)], [(0, 6)], [(0, 9)]]);
        assert_eq!(calls.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn the_program_says_where_windows_keep_what_they_read() {
        let driver = driver(1);
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let numbers = driver.input(batches![[1], [2], [3]]).map(move |n| {
            counter.fetch_add(1, Ordering::Relaxed);
            n
        });
        let second = Duration::from_secs(1);
        let windowed =
            driver.collect(&numbers.persist_with(StorageLevel::MEMORY_ONLY).window(2 * second, second));
        driver.run(3).unwrap();
        assert_eq!(windowed.batches(), batches![[1], [1, 2], [2, 3]]);
        assert_eq!(calls.load(Ordering::Relaxed), 5);
    }
}
