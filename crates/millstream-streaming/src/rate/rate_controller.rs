//! `RateController`: hands the estimated rate of an input on, batch by batch.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::RateEstimator;
use crate::listener::{BatchInfo, StreamingListener};
use crate::receiver::StreamId;

/// Asks an estimator after each batch how fast an input may be, and hands that on.
///
/// # Examples
/// ```
/// use std::sync::{Arc, Mutex};
/// use std::time::Duration;
/// use millstream_streaming::listener::{BatchInfo, StreamInputInfo, StreamingListener};
/// use millstream_streaming::rate::{PidRateEstimator, RateController};
/// use millstream_streaming::{StreamId, Time};
///
/// let second = Duration::from_secs(1);
/// let rates = Arc::new(Mutex::new(Vec::new()));
/// let publish = { let rates = Arc::clone(&rates); move |rate| rates.lock().unwrap().push(rate) };
/// let pid = PidRateEstimator::new(second, 1.0, 0.2, 0.0, 100.0)?;
/// let controller = RateController::new(StreamId(0), pid, publish);
/// for time in [1, 2] {
///     // What a streaming context tells its listeners.
///     let mut batch = BatchInfo::default();
///     batch.processing_start_time = Some(Time::from_millis(time * 1000));
///     batch.processing_end_time = Some(Time::from_millis(time * 1000 + 500));
///     batch.submission_time = Time::from_millis(time * 1000);
///     batch.stream_id_to_input_info = [(StreamId(0), StreamInputInfo::new(StreamId(0), 1000))].into();
///     controller.on_batch_completed(&batch);
/// }
/// assert_eq!(*rates.lock().unwrap(), [2000]);
/// # Ok::<(), millstream_streaming::Error>(())
/// ```
pub struct RateController {
    stream: StreamId,
    estimator: Mutex<Box<dyn RateEstimator>>,
    publish: Box<dyn Fn(u64) + Send + Sync>,
}

impl RateController {
    /// Makes a controller of a stream, whose rates, in records a second, are handed to `publish`.
    pub fn new(
        stream: StreamId,
        estimator: impl RateEstimator,
        publish: impl Fn(u64) + Send + Sync + 'static,
    ) -> Self {
        RateController { stream, estimator: Mutex::new(Box::new(estimator)), publish: Box::new(publish) }
    }
}

impl StreamingListener for RateController {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        let Some(input) = batch.stream_id_to_input_info.get(&self.stream) else { return };
        // The time that was measured knows batches of less than a millisecond.
        let processing = batch.processing_time.or_else(|| batch.processing_delay());
        let (Some(end), Some(processing), Some(scheduling)) =
            (batch.processing_end_time, processing, batch.scheduling_delay())
        else {
            return;
        };
        let mut estimator = self.estimator.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = estimator.compute(end, input.num_records, processing, scheduling);
        drop(estimator);
        if let Some(rate) = rate {
            // A conversion ends at the largest number there is.
            (self.publish)(rate as u64);
        }
    }
}

impl fmt::Debug for RateController {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateController").field("stream", &self.stream).finish_non_exhaustive()
    }
}
