//! What a receiver stores through, and how it tells how it is.

mod store;

use std::error::Error as StdError;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::thread::{self, ThreadId};
use std::time::Duration;

use millstream_core::Data;

use super::StreamId;
use super::block_generator::BlockGenerator;
use super::supervisor::{Command, ReceiverEvents};
use crate::clock::StopSignal;

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
    /// Reports an error to the log and the listeners; the receiving goes on.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// # use std::sync::{Arc, mpsc};
    /// # use millstream_streaming::{Receiver, ReceiverHandle};
    /// use millstream_streaming::listener::{ReceiverInfo, StreamingListener};
    /// # struct Source;
    /// impl Receiver<u64> for Source {
    ///     fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///         let unreadable = "x".parse::<u64>().map(|n| handle.store(n));
    ///         if let Err(error) = unreadable {
    ///             handle.report_error("a line is no number", &error);
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// struct Told(mpsc::Sender<String>);
    ///
    /// impl StreamingListener for Told {
    ///     fn on_receiver_error(&self, receiver: &ReceiverInfo) {
    ///         let _ = self.0.send(format!("{}: {}", receiver.last_error_message, receiver.last_error));
    ///     }
    /// }
    ///
    /// let (tell, told) = mpsc::channel();
    /// driver.streaming().add_streaming_listener(Arc::new(Told(tell)))?;
    /// driver.collect(&driver.streaming().receiver_stream(Source));
    /// let _steps = driver.start()?;
    /// assert_eq!(told.recv().as_deref(), Ok("a line is no number: invalid digit found in string"));
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn report_error(&self, message: &str, error: &dyn StdError) {
        self.run.events.receiver_error(self.run.stream, message, &with_causes(error));
    }

    /// Restarts the receiver after `spark.streaming.receiverRestartDelay` (default 2 s).
    ///
    /// Returns at once: the receiver is stopped and started from another thread.
    ///
    /// # Examples
    /// ```
    /// # use millstream_streaming::testing::received;
    /// # use millstream_streaming::{Receiver, ReceiverHandle};
    /// # use std::sync::atomic::{AtomicU64, Ordering};
    /// # #[derive(Default)] struct Source(AtomicU64);
    /// impl Receiver<u64> for Source {
    ///     fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///         let start = self.0.fetch_add(1, Ordering::Relaxed);
    ///         if start == 0 {
    ///             handle.restart("the server asked for it");
    ///             return Ok(());
    ///         }
    ///         Ok(handle.store(start)?)
    ///     }
    /// }
    ///
    /// assert_eq!(received(Source::default(), 1)?, [1]); // of the second start
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn restart(&self, message: &str) {
        self.run.restart(message, String::new(), None);
    }

    /// Restarts the receiver after `delay`, because of `error` if there is one; `None` is the delay of the setting.
    ///
    /// # Examples
    /// ```
    /// # use millstream_streaming::testing::received;
    /// # use millstream_streaming::{Receiver, ReceiverHandle};
    /// # use std::sync::atomic::{AtomicU64, Ordering};
    /// use std::time::Duration;
    /// # #[derive(Default)] struct Source(AtomicU64);
    /// impl Receiver<u64> for Source {
    ///     fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///         let start = self.0.fetch_add(1, Ordering::Relaxed);
    ///         match "x".parse::<u64>() {
    ///             Err(error) if start == 0 => handle.restart_with("no number came", Some(&error), Some(Duration::ZERO)),
    ///             _ => handle.store(start)?,
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// assert_eq!(received(Source::default(), 1)?, [1]); // of the second start
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn restart_with(&self, message: &str, error: Option<&dyn StdError>, delay: Option<Duration>) {
        self.run.restart(message, error.map(with_causes).unwrap_or_default(), delay);
    }

    /// Stops the receiver for good; the stream goes on without records.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// # use std::sync::{Arc, mpsc};
    /// # use millstream_streaming::{Receiver, ReceiverHandle};
    /// use millstream_streaming::listener::{ReceiverInfo, StreamingListener};
    /// # struct Source;
    /// impl Receiver<u64> for Source {
    ///     fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///         handle.store(1)?;
    ///         handle.stop("all was sent");
    ///         Ok(())
    ///     }
    /// }
    ///
    /// struct Told(mpsc::Sender<String>);
    ///
    /// impl StreamingListener for Told {
    ///     fn on_receiver_stopped(&self, receiver: &ReceiverInfo) {
    ///         let _ = self.0.send(receiver.last_error_message.clone());
    ///     }
    /// }
    ///
    /// let (tell, told) = mpsc::channel();
    /// driver.streaming().add_streaming_listener(Arc::new(Told(tell)))?;
    /// driver.collect(&driver.streaming().receiver_stream(Source));
    /// let _steps = driver.start()?;
    /// assert_eq!(told.recv().as_deref(), Ok("all was sent"));
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn stop(&self, message: &str) {
        self.run.stop_for_good(message, String::new());
    }

    /// Stops the receiver for good because of `error`.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// # use std::sync::{Arc, mpsc};
    /// # use millstream_streaming::{Receiver, ReceiverHandle};
    /// use millstream_streaming::listener::{ReceiverInfo, StreamingListener};
    /// # struct Source;
    /// impl Receiver<u64> for Source {
    ///     fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///         let port = "x".parse::<u16>();
    ///         if let Err(error) = port {
    ///             handle.stop_with("the port is no number", &error);
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// struct Told(mpsc::Sender<String>);
    ///
    /// impl StreamingListener for Told {
    ///     fn on_receiver_stopped(&self, receiver: &ReceiverInfo) {
    ///         let _ = self.0.send(format!("{}: {}", receiver.last_error_message, receiver.last_error));
    ///     }
    /// }
    ///
    /// let (tell, told) = mpsc::channel();
    /// driver.streaming().add_streaming_listener(Arc::new(Told(tell)))?;
    /// driver.collect(&driver.streaming().receiver_stream(Source));
    /// let _steps = driver.start()?;
    /// assert_eq!(told.recv().as_deref(), Ok("the port is no number: invalid digit found in string"));
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn stop_with(&self, message: &str, error: &dyn StdError) {
        self.run.stop_for_good(message, with_causes(error));
    }

    /// Returns whether the receiver receives: it was started and is not to end.
    ///
    /// # Examples
    /// ```
    /// # use millstream_streaming::testing::received;
    /// # use millstream_streaming::{Receiver, ReceiverHandle};
    /// # struct Source;
    /// impl Receiver<bool> for Source {
    ///     fn on_start(&self, handle: &ReceiverHandle<bool>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///         handle.store(handle.is_started())?;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// assert_eq!(received(Source, 1)?, [true]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn is_started(&self) -> bool {
        !self.is_stopped()
    }

    /// Returns whether the receiver is to end, for good or to be restarted.
    ///
    /// # Examples
    /// ```
    /// # use millstream_streaming::testing::received;
    /// # use millstream_streaming::{Receiver, ReceiverHandle};
    /// # use std::sync::mpsc;
    /// # use std::time::Duration;
    /// # struct Source(mpsc::Sender<&'static str>);
    /// impl Receiver<u64> for Source {
    ///     fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///         handle.store(1)?;
    ///         while !handle.is_stopped() {
    ///             std::thread::sleep(Duration::from_millis(1)); // or wait for more to receive
    ///         }
    ///         self.0.send("ended").map_err(Into::into)
    ///     }
    /// }
    ///
    /// let (tell, told) = mpsc::channel();
    /// assert_eq!(received(Source(tell), 1)?, [1]);
    /// assert_eq!(told.recv(), Ok("ended"));
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.run.stop.is_stopped()
    }

    /// Returns the stream that the receiver receives for.
    ///
    /// # Examples
    /// ```
    /// # use millstream_streaming::testing::received;
    /// # use millstream_streaming::{Receiver, ReceiverHandle};
    /// use millstream_streaming::StreamId;
    /// # struct Source;
    /// impl Receiver<StreamId> for Source {
    ///     fn on_start(&self, handle: &ReceiverHandle<StreamId>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///         handle.store(handle.stream_id())?;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// assert_eq!(received(Source, 1)?, [StreamId(0)]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn stream_id(&self) -> StreamId {
        self.run.stream
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
