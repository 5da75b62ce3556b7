//! What a receiver stores through, and how it tells how it is.

use std::error::Error as StdError;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::thread::{self, ThreadId};
use std::time::Duration;

use millstream_core::Data;
use millstream_core::fs::ObjectBytes;
use millstream_core::storage::size_estimate::{estimate, estimate_all};

use super::StreamId;
use super::block_generator::BlockGenerator;
use super::block_store::Content;
use super::supervisor::{Command, ReceiverEvents};
use crate::clock::StopSignal;
use crate::error::{Error, Result};

/// What a receiver stores through, and how it tells how it is.
///
/// Cloning is shallow, and clones may be used by several threads at once. A handle belongs to one start of its receiver:
/// after a restart the receiver is given a new one, and the old one stays stopped. If a thread that owns a clone panics,
/// the receiver is restarted.
pub struct ReceiverHandle<T: Data> {
    pub(super) generator: Arc<BlockGenerator<T>>,
    pub(super) run: Arc<Run>,
}

/// One start of a receiver, until it is stopped or restarted.
pub(super) struct Run {
    pub(super) stream: StreamId,
    /// Counts the starts, so that what an earlier start asks for can be told apart.
    pub(super) number: u64,
    /// The receiving is to end: nothing waits any more.
    pub(super) stop: StopSignal,
    /// The receiving has ended: nothing is accepted any more.
    pub(super) refuses: AtomicBool,
    /// How many stores began after the stop.
    pub(super) late: AtomicUsize,
    /// The receiver is to end for good.
    pub(super) stop_for_good: StopSignal,
    pub(super) commands: Sender<Command>,
    pub(super) events: Arc<dyn ReceiverEvents>,
    /// The thread of `on_start`, whose panics are caught and known better than by a handle that is dropped.
    pub(super) on_start_thread: OnceLock<ThreadId>,
}

/// How many stores that begin after the stop are accepted: what each thread has at hand is kept, but a loop that does
/// not ask [`ReceiverHandle::is_stopped`] comes to its end.
const LATE_STORES: usize = 64;

impl Run {
    /// Returns whether a store that begins now is accepted.
    fn accepts(&self) -> bool {
        let accepts_late = || self.late.fetch_add(1, Ordering::Relaxed) < LATE_STORES;
        !self.refuses.load(Ordering::Acquire) && (!self.stop.is_stopped() || accepts_late())
    }

    /// Reports an error and asks for a restart.
    pub(super) fn fail(&self, message: &str, error: &str) {
        if !self.stop.is_stopped() {
            self.events.receiver_error(self.stream, message, error);
            self.restart(message, error.to_owned(), None);
        }
    }

    fn restart(&self, message: &str, error: String, delay: Option<Duration>) {
        // If no one listens any more, the receiver is stopped already.
        let _ = self.commands.send(Command::Restart {
            run: self.number,
            message: message.to_owned(),
            error,
            delay,
        });
        self.stop.stop();
    }

    fn stop_for_good(&self, message: &str, error: String) {
        let _ = self.commands.send(Command::Stop { message: message.to_owned(), error });
        self.stop_for_good.stop();
        self.stop.stop();
    }
}

/// Writes an error and what is behind it in one line.
pub(super) fn with_causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl<T: Data> ReceiverHandle<T> {
    /// Stores one record in the current block.
    ///
    /// Waits while the receiver is held back: by `spark.streaming.receiver.maxRate`, by `millstream.receiver.maxBacklog`
    /// or by a full queue of blocks. A stop ends the wait, and the record is kept.
    ///
    /// # Errors
    /// [`Error::ReceiverStopped`] if the receiver is stopped; the record is not stored.
    pub fn store(&self, record: T) -> Result<()> {
        self.check_accepts()?;
        let bytes = estimate(&record);
        self.generator.add(record, bytes, &self.run.stop)
    }

    /// Stores records in the current block, as [`store`](Self::store) does with each; the vector is moved, and no record is
    /// copied.
    ///
    /// The larger the vectors, the less a record costs: some thousand records at once are as good as free.
    ///
    /// # Errors
    /// [`Error::ReceiverStopped`] if the receiver is stopped; the records are not stored.
    pub fn store_each(&self, records: Vec<T>) -> Result<()> {
        let bytes = estimate_all(&records);
        self.store_each_with(records, bytes)
    }

    /// Stores records as [`store_each`](Self::store_each) does; they take about `bytes` bytes of memory together.
    ///
    /// # Errors
    /// [`Error::ReceiverStopped`] if the receiver is stopped; the records are not stored.
    pub fn store_each_with(&self, records: Vec<T>, bytes: usize) -> Result<()> {
        self.check_accepts()?;
        self.generator.add_many(records, bytes, &self.run.stop)
    }

    /// Stores records as a block of their own, and returns when it is stored: a reliable receiver can then acknowledge them.
    ///
    /// A block is a partition of its batch, so that few records at a time make many small tasks. Waits as
    /// [`store`](Self::store) does.
    ///
    /// # Errors
    /// [`Error::ReceiverStopped`] if the receiver is stopped, or why the block was not stored:
    /// [`Error::BlockNotStored`] after `spark.streaming.receiver.blockStoreTimeout` (30 s).
    pub fn store_many(&self, records: impl IntoIterator<Item = T>) -> Result<()> {
        self.store_records(records.into_iter().collect(), None)
    }

    /// Stores a block as [`store_many`](Self::store_many) does, with what listeners and the web page are to be told of it.
    ///
    /// # Errors
    /// Those of [`store_many`](Self::store_many).
    pub fn store_many_with(
        &self,
        records: impl IntoIterator<Item = T>,
        metadata: impl Into<String>,
    ) -> Result<()> {
        self.store_records(records.into_iter().collect(), Some(metadata.into()))
    }

    /// Stores bytes that a [`RawBlockWriter`](super::RawBlockWriter) wrote as a block of their own, and returns when it is
    /// stored. They are looked at and not decoded before a task reads them.
    ///
    /// # Errors
    /// If they are no block of such records, and those of [`store_many`](Self::store_many).
    pub fn store_bytes(&self, bytes: Vec<u8>) -> Result<()> {
        self.store_encoded(bytes, None)
    }

    /// Stores bytes as [`store_bytes`](Self::store_bytes) does, with what listeners and the web page are to be told of them.
    ///
    /// # Errors
    /// Those of [`store_bytes`](Self::store_bytes).
    pub fn store_bytes_with(&self, bytes: Vec<u8>, metadata: impl Into<String>) -> Result<()> {
        self.store_encoded(bytes, Some(metadata.into()))
    }

    fn store_records(&self, records: Vec<T>, metadata: Option<String>) -> Result<()> {
        self.check_accepts()?;
        let bytes = estimate_all(&records);
        self.generator.store_block(Content::Records(vec![records]), bytes, metadata, &self.run.stop)
    }

    fn store_encoded(&self, bytes: Vec<u8>, metadata: Option<String>) -> Result<()> {
        self.check_accepts()?;
        let bytes = ObjectBytes::check(bytes)?;
        let len = bytes.bytes().len();
        self.generator.store_block(Content::Bytes(bytes), len, metadata, &self.run.stop)
    }

    /// Reports an error to the log and the listeners; the receiving goes on.
    pub fn report_error(&self, message: &str, error: &dyn StdError) {
        self.run.events.receiver_error(self.run.stream, message, &with_causes(error));
    }

    /// Restarts the receiver after `spark.streaming.receiverRestartDelay` (default 2 s).
    ///
    /// Returns at once: the receiver is stopped and started from another thread.
    pub fn restart(&self, message: &str) {
        self.run.restart(message, String::new(), None);
    }

    /// Restarts the receiver after `delay`, because of `error` if there is one; `None` is the delay of the setting.
    pub fn restart_with(&self, message: &str, error: Option<&dyn StdError>, delay: Option<Duration>) {
        self.run.restart(message, error.map(with_causes).unwrap_or_default(), delay);
    }

    /// Stops the receiver for good; the stream goes on without records.
    pub fn stop(&self, message: &str) {
        self.run.stop_for_good(message, String::new());
    }

    /// Stops the receiver for good because of `error`.
    pub fn stop_with(&self, message: &str, error: &dyn StdError) {
        self.run.stop_for_good(message, with_causes(error));
    }

    /// Returns whether the receiver receives: it was started and is not to end.
    #[must_use]
    pub fn is_started(&self) -> bool {
        !self.is_stopped()
    }

    /// Returns whether the receiver is to end, for good or to be restarted.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.run.stop.is_stopped()
    }

    /// Returns the stream that the receiver receives for.
    #[must_use]
    pub fn stream_id(&self) -> StreamId {
        self.run.stream
    }

    fn check_accepts(&self) -> Result<()> {
        if self.run.accepts() { Ok(()) } else { Err(Error::ReceiverStopped { stream: self.run.stream }) }
    }
}

impl<T: Data> Clone for ReceiverHandle<T> {
    fn clone(&self) -> Self {
        ReceiverHandle { generator: Arc::clone(&self.generator), run: Arc::clone(&self.run) }
    }
}

impl<T: Data> Drop for ReceiverHandle<T> {
    fn drop(&mut self) {
        if thread::panicking() && self.run.on_start_thread.get() != Some(&thread::current().id()) {
            let thread = thread::current();
            let name = thread.name().unwrap_or("without name");
            self.run.fail("A thread of the receiver panicked", &format!("the thread `{name}` panicked"));
        }
    }
}

impl<T: Data> fmt::Debug for ReceiverHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiverHandle")
            .field("stream", &self.run.stream)
            .field("is_stopped", &self.is_stopped())
            .finish_non_exhaustive()
    }
}
