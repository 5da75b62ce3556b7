//! `StopHandle`: how streams are stopped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use millstream_core::settings;

use super::{Runtime, StreamingContextState};
use crate::error::{Error, Result};
use crate::scheduler::is_engine_thread;

/// How long a stop at once waits for the job that runs, as in Spark.
const STOP_AT_ONCE: Duration = Duration::from_secs(2);

/// How much longer it waits for a checkpoint that is being written.
const CHECKPOINT_WRITTEN: Duration = Duration::from_secs(60);

/// How long a graceful stop waits for the jobs that are queued, as in Spark.
const STOP_GRACEFULLY: Duration = Duration::from_secs(3600);

/// How often a graceful stop looks whether all that was received has been given to a batch.
const LOOK: Duration = Duration::from_millis(5);

/// Stops running streams; cloning is shallow.
#[derive(Clone)]
pub struct StopHandle {
    pub(super) runtime: Arc<Runtime>,
}

impl StopHandle {
    /// Returns whether the streams are active or stopped.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use millstream_streaming::StreamingContextState;
    ///
    /// driver.collect(&driver.input(batches![[1]]));
    /// let running = driver.start()?.running;
    /// let handle = running.stop_handle();
    /// running.stop(true, false)?;
    /// assert_eq!(handle.state(), StreamingContextState::Stopped);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn state(&self) -> StreamingContextState {
        *self.runtime.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the streams, as [`RunningContext::stop`](crate::RunningContext::stop) does.
    ///
    /// Called by an output, a transformation or a task of the streams, which the stop would wait for, it begins the stop and
    /// returns at once.
    ///
    /// # Errors
    /// If it is called by a listener, whose thread the stop would wait for.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// driver.collect(&driver.input(batches![[1]]));
    /// let running = driver.start()?.running;
    /// running.stop_handle().stop(true, false)?;
    /// running.await_termination()?;
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn stop(&self, stop_context: bool, graceful: bool) -> Result<()> {
        if self.runtime.graph.listeners.is_bus_thread() {
            return Err(Error::StopFromWithin { place: "a streaming listener" });
        }
        if is_engine_thread() {
            let runtime = Arc::clone(&self.runtime);
            let name = "streaming-stop";
            let stop = move || runtime.stop(stop_context, graceful);
            let stopping = std::thread::Builder::new().name(name.into()).spawn(stop);
            return stopping.map(drop).map_err(|error| Error::thread(name, error));
        }
        self.runtime.stop(stop_context, graceful);
        Ok(())
    }

    pub(super) fn stop_now(&self) -> Result<()> {
        let conf = self.runtime.graph.context.conf();
        self.stop(conf.get(settings::STOP_CONTEXT_BY_DEFAULT)?, false)
    }
}

impl Runtime {
    pub(super) fn stop(&self, stop_context: bool, graceful: bool) {
        if !graceful {
            // Before the lock: a graceful stop that is under way is cut short.
            self.termination.stop_at_once();
            self.scheduler.halt();
        }
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*stopped {
            *stopped = true;
            if graceful {
                self.finish();
            }
            self.end();
            *self.state.lock().unwrap_or_else(PoisonError::into_inner) = StreamingContextState::Stopped;
        }
        if stop_context {
            self.graph.context.stop();
        }
        self.termination.stopped();
    }

    /// Completes the batches of all that was received.
    fn finish(&self) {
        // Checked when the context was made.
        let timeout = self.graph.graceful_timeout().unwrap_or_default();
        self.graph.receivers.stop(|| if self.termination.stops_at_once() { STOP_AT_ONCE } else { timeout });
        let start = Instant::now();
        while self.graph.receivers.has_unallocated_received_blocks()
            && !self.termination.has_failed()
            && !self.termination.stops_at_once()
            && start.elapsed() < timeout
        {
            std::thread::sleep(LOOK);
        }
        // All that was received has been given to a batch whose time has come: no further one is needed.
        if let Some(last) = self.generator.stop_timer(true) {
            // An error was noted and is reported to whoever waits for the end.
            let _ = self.termination.wait_completed(last, STOP_GRACEFULLY);
        }
    }

    /// Ends all threads, in the order in which what they need ends.
    fn end(&self) {
        // Asked again while something is waited for.
        let timeout = || if self.termination.stops_at_once() { STOP_AT_ONCE } else { STOP_GRACEFULLY };
        self.generator.stop_timer(true);
        if self.termination.stops_at_once() {
            self.graph.receivers.stop(timeout);
        }
        if !self.generator.stop(timeout, CHECKPOINT_WRITTEN) {
            tracing::warn!(
                "a batch is still being described {:?} after the stop; it is left alone",
                timeout()
            );
        }
        if !self.scheduler.stop(timeout) {
            tracing::warn!("a job still runs {:?} after the stop; it is left alone", timeout());
        }
        self.graph.listeners.stop();
        // What the closures of streams hold is dropped by code of its own: whoever waits for the end must not wait for ever.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.graph.clear())) {
            tracing::error!("what streams held is gone, and panicked: {}", Error::panicked(&*panic));
        }
    }
}
