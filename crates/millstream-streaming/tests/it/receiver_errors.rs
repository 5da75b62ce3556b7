//! A listener that keeps the errors with which receivers ended, to be restarted.

use std::sync::{Mutex, PoisonError};

use millstream_streaming::listener::{ReceiverInfo, StreamingListener};

/// Keeps the errors of receivers, in the order in which they ended.
#[derive(Default)]
pub(crate) struct ReceiverErrors(Mutex<Vec<String>>);

impl ReceiverErrors {
    /// Returns the errors so far.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl StreamingListener for ReceiverErrors {
    fn on_receiver_stopped(&self, receiver: &ReceiverInfo) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(receiver.last_error.clone());
    }
}
