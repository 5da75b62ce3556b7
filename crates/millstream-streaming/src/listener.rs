//! What a user interface, a metric or a test may observe of a running stream.

mod bus;
mod info;
mod stats_report;

pub use bus::{ListenerBus, ListenerId, StreamingListenerEvent};
pub use info::{BatchInfo, OutputOperationInfo, ReceiverInfo, StreamInputInfo};
pub use stats_report::StatsReportListener;

use crate::time::Time;

/// Observes a running stream: each method is called after the thing it is named for happened.
///
/// All calls come from one thread, the listener bus, in the order of the events; none of them holds up a batch. A method
/// that panics is logged, and the listener goes on to be called. The context can not be stopped from inside a call.
///
/// # Examples
/// ```
/// # use std::sync::atomic::{AtomicU64, Ordering};
/// # use millstream_streaming::listener::{BatchInfo, StreamingListener};
/// #[derive(Default)]
/// struct Records(AtomicU64);
///
/// impl StreamingListener for Records {
///     fn on_batch_completed(&self, batch: &BatchInfo) {
///         self.0.fetch_add(batch.num_records(), Ordering::Relaxed);
///     }
/// }
/// # Records::default().on_streaming_started(Default::default());
/// ```
pub trait StreamingListener: Send + Sync + 'static {
    /// Is called when the context was started.
    fn on_streaming_started(&self, _time: Time) {}

    /// Is called when a receiver was started, and again each time it was restarted.
    fn on_receiver_started(&self, _receiver: &ReceiverInfo) {}

    /// Is called when a receiver reported an error or panicked.
    fn on_receiver_error(&self, _receiver: &ReceiverInfo) {}

    /// Is called when a receiver was stopped, for good or to be restarted.
    fn on_receiver_stopped(&self, _receiver: &ReceiverInfo) {}

    /// Is called when the jobs of a batch were put in the queue.
    fn on_batch_submitted(&self, _batch: &BatchInfo) {}

    /// Is called when the first job of a batch starts.
    fn on_batch_started(&self, _batch: &BatchInfo) {}

    /// Is called when the last job of a batch ended, also if some failed.
    fn on_batch_completed(&self, _batch: &BatchInfo) {}

    /// Is called when an output operation of a batch starts.
    fn on_output_operation_started(&self, _operation: &OutputOperationInfo) {}

    /// Is called when an output operation of a batch failed and is to be tried again; the operation says why and how often.
    fn on_output_operation_retried(&self, _operation: &OutputOperationInfo) {}

    /// Is called when an output operation of a batch ended, before the batch is reported as completed.
    fn on_output_operation_completed(&self, _operation: &OutputOperationInfo) {}
}
