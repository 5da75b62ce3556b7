//! A receiver that stores what the test says.

use std::error::Error;
use std::sync::mpsc::{self, Receiver as Channel, Sender};

use millstream_core::{Data, StorageLevel};
use millstream_streaming::{DStream, Receiver, ReceiverHandle, StreamingContext};

use crate::tables::LONG;

/// Hands its handle to the test and does nothing itself.
struct Fed<T: Data>(Sender<ReceiverHandle<T>>, StorageLevel);

impl<T: Data> Receiver<T> for Fed<T> {
    fn on_start(&self, handle: &ReceiverHandle<T>) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.0.send(handle.clone())?)
    }

    fn storage_level(&self) -> StorageLevel {
        self.1
    }
}

/// Where the handle of the receiver comes from once the streams are started.
pub(crate) struct Feed<T: Data>(Channel<ReceiverHandle<T>>);

impl<T: Data> Feed<T> {
    pub(crate) fn handle(&self) -> ReceiverHandle<T> {
        self.0.recv_timeout(LONG).expect("the receiver was not started")
    }
}

/// Makes a stream of what is stored through the handle of the feed.
pub(crate) fn fed_stream<T: Data>(streaming: &StreamingContext) -> (DStream<T>, Feed<T>) {
    fed_stream_at(streaming, StorageLevel::MEMORY_AND_DISK_SER_2)
}

/// Makes such a stream whose blocks lie where a level says.
pub(crate) fn fed_stream_at<T: Data>(
    streaming: &StreamingContext,
    level: StorageLevel,
) -> (DStream<T>, Feed<T>) {
    let (sender, handles) = mpsc::channel();
    (streaming.receiver_stream(Fed(sender, level)), Feed(handles))
}
