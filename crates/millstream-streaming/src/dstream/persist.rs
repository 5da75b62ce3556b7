//! `persist`: keep the batches once they have been computed.

use millstream_core::Data;

use super::DStream;

impl<T: Data> DStream<T> {
    /// Keeps the records of each batch once they have been computed, so that several consumers compute them once.
    ///
    /// They are freed when no batch to come needs them: after the batch, or when the longest window over this stream has
    /// passed. The streams that windows read are kept without asking.
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
        self.keep();
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
