//! `retry`: try a failed output again.

use std::panic::Location;
use std::time::Duration;

use millstream_core::Data;

use super::OutputHandle;

impl<T: Data> OutputHandle<T> {
    /// Tries a batch that the output failed on again, up to `times` times, each time `delay` after the failure.
    ///
    /// Later batches wait meanwhile: the order of batches is kept. The whole output is run again, also the jobs of it that
    /// had succeeded. Each failure is told to listeners
    /// ([`on_output_operation_retried`](crate::listener::StreamingListener::on_output_operation_retried)). A stop at once
    /// ends the waiting, and the output has then failed; a graceful stop waits for the retries.
    ///
    /// # Panics
    /// If the context has been started.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let output = driver.input(batches![[1]]).foreach_rdd(|_| Err::<(), _>("the database is gone"));
    /// output.retry(2, Duration::ZERO);
    /// let error = driver.run(1).unwrap_err().to_string();
    /// assert!(error.ends_with("failed: the database is gone (tried 3 times)"), "{error}");
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn retry(self, times: u32, delay: Duration) -> Self {
        self.change("retry", Location::caller(), |policy| policy.retry = (times, delay))
    }
}
