//! `RunningContext`: streams that were started.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use millstream_core::fs::FsPath;
use millstream_core::{Context, settings};

use crate::error::{Error, Result};
use crate::executor;
use crate::graph::Graph;
use crate::listener::{ListenerId, StreamingListener, StreamingListenerEvent};
use crate::recovery::{Checkpointer, Restart};
use crate::recurring_timer::RecurringTimer;
use crate::scheduler::{JobGenerator, JobScheduler, Termination, is_engine_thread};
use crate::shutdown::{self, Registration};
use crate::time::Time;

/// How long a stop at once waits for the job that runs, as in Spark.
const STOP_AT_ONCE: Duration = Duration::from_secs(2);

/// How long a graceful stop waits for the jobs that are queued, as in Spark.
const STOP_GRACEFULLY: Duration = Duration::from_secs(3600);

/// How often a graceful stop looks whether all that was received has been given to a batch.
const LOOK: Duration = Duration::from_millis(5);

/// Whether streams were started and stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamingContextState {
    /// Not started: operators can be put on the streams.
    Initialized,
    /// Started.
    Active,
    /// Stopped; it can not be started again.
    Stopped,
}

/// Streams that were started; dropping it stops them at once.
pub struct RunningContext {
    handle: StopHandle,
}

/// Stops running streams; cloning is shallow.
#[derive(Clone)]
pub struct StopHandle {
    runtime: Arc<Runtime>,
}

struct Runtime {
    graph: Arc<Graph>,
    generator: JobGenerator,
    scheduler: Arc<JobScheduler>,
    termination: Arc<Termination>,
    /// Held while a stop is under way, so that a second one waits for the first.
    stopped: Mutex<bool>,
    state: Mutex<StreamingContextState>,
    /// So that a signal stops the streams gracefully, if that is set.
    signal: OnceLock<Registration>,
}

impl RunningContext {
    pub(crate) fn start(graph: Arc<Graph>) -> Result<Self> {
        executor::serve_if_executor(&graph)?;
        let conf = graph.context.conf();
        let termination = Arc::new(Termination::default());
        let concurrent_jobs = conf.get(settings::CONCURRENT_JOBS)?;
        let mut checkpointer = Checkpointer::open(&graph)?;
        let restart = graph
            .recovery
            .recovered()
            .map(|recovered| Restart::new(&recovered.manifest, graph.batch_interval, graph.clock.now()));
        let first = match &restart {
            Some(restart) => restart.first,
            None => RecurringTimer::start_time(&*graph.clock, graph.batch_interval),
        };
        graph.set_zero(restart.as_ref().map_or(first - graph.batch_interval, |restart| restart.zero));
        if let Some(checkpointer) = &mut checkpointer {
            checkpointer.started(&graph)?;
        }
        let (generator, scheduler) =
            JobGenerator::start(&graph, &termination, concurrent_jobs, checkpointer)?;
        graph.listeners.post(|| StreamingListenerEvent::StreamingStarted(graph.clock.now()));
        let runtime = Runtime {
            graph,
            generator,
            scheduler,
            termination,
            stopped: Mutex::new(false),
            state: Mutex::new(StreamingContextState::Active),
            signal: OnceLock::new(),
        };
        // From here on a failure stops what was started, by dropping it.
        let running = RunningContext { handle: StopHandle { runtime: Arc::new(runtime) } };
        let runtime = &running.handle.runtime;
        if runtime.graph.context.conf().get(settings::STOP_GRACEFULLY_ON_SHUTDOWN)? {
            let streams = Arc::downgrade(runtime);
            // The context is the program's affair: it may carry other streams.
            let stop = move || streams.upgrade().into_iter().for_each(|runtime| runtime.stop(false, true));
            let _ = runtime.signal.set(shutdown::at_signal(stop)?);
        }
        runtime.graph.receivers.start()?;
        if let Some(restart) = &restart {
            runtime.generator.restart(restart);
        }
        runtime.generator.start_timer(&runtime.graph, first)?;
        Ok(running)
    }

    /// Returns the context that batches run on.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.handle.runtime.graph.context
    }

    /// Returns whether the streams are active or stopped.
    #[must_use]
    pub fn state(&self) -> StreamingContextState {
        self.handle.state()
    }

    /// Has a savepoint written; see [`savepoint`](RunningContext::savepoint).
    pub(crate) fn ask_for_savepoint(&self, directory: FsPath) -> Result<Time> {
        if self.state() != StreamingContextState::Active {
            return Err(millstream_core::Error::Stopped.into());
        }
        self.handle.runtime.generator.savepoint(directory)
    }

    /// Returns how many records were lost by a restart, because they were received without a log; each is also told in the log of
    /// messages.
    #[must_use]
    pub fn lost_records(&self) -> u64 {
        self.handle.runtime.graph.recovery.lost()
    }

    /// Waits until the streams are stopped.
    ///
    /// # Errors
    /// The error of the first output or batch that failed; no batch after it is run.
    pub fn await_termination(&self) -> Result<()> {
        self.handle.runtime.termination.wait_end(None).map(drop)
    }

    /// Waits until the streams are stopped, at most as long as given; returns whether they were.
    ///
    /// # Errors
    /// The error of the first output or batch that failed; no batch after it is run.
    pub fn await_termination_or_timeout(&self, timeout: Duration) -> Result<bool> {
        self.handle.runtime.termination.wait_end(Some(timeout))
    }

    /// Waits until all batches up to the one of `batch` were completed, at most as long as given; returns whether they were.
    ///
    /// # Errors
    /// The error of the first output or batch that failed.
    pub fn await_batch(&self, batch: Time, timeout: Duration) -> Result<bool> {
        self.handle.runtime.termination.wait_completed(batch, timeout)
    }

    /// Adds a listener to what happens to batches and receivers.
    ///
    /// # Errors
    /// If the thread for the listeners can not be started.
    pub fn add_streaming_listener(&self, listener: Arc<dyn StreamingListener>) -> Result<ListenerId> {
        self.handle.runtime.graph.listeners.add(listener)
    }

    /// Removes a listener; returns whether it was there.
    pub fn remove_streaming_listener(&self, listener: ListenerId) -> bool {
        self.handle.runtime.graph.listeners.remove(listener)
    }

    /// Returns a handle with which other threads can stop the streams.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.handle.clone()
    }

    /// Stops the streams: at once, or gracefully, which completes the batches of all that was received.
    ///
    /// A stop at once cuts short a graceful one that is under way.
    ///
    /// With `stop_context` the [`Context`] is stopped too; one that is left running can carry other streams.
    ///
    /// # Errors
    /// If it is called by a listener, whose thread the stop would wait for.
    pub fn stop(&self, stop_context: bool, graceful: bool) -> Result<()> {
        self.handle.stop(stop_context, graceful)
    }

    /// Stops the streams at once; the [`Context`] too unless `spark.streaming.stopSparkContextByDefault` is false.
    ///
    /// # Errors
    /// If it is called by a listener, whose thread the stop would wait for.
    pub fn stop_now(&self) -> Result<()> {
        self.handle.stop_now()
    }
}

impl Drop for RunningContext {
    fn drop(&mut self) {
        // Whoever has stopped the streams has said what is to become of the context.
        if self.state() == StreamingContextState::Stopped {
            return;
        }
        if let Err(error) = self.handle.stop_now() {
            tracing::error!("{error}");
        }
    }
}

impl StopHandle {
    /// Returns whether the streams are active or stopped.
    #[must_use]
    pub fn state(&self) -> StreamingContextState {
        *self.runtime.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the streams, as [`RunningContext::stop`] does.
    ///
    /// Called by an output, a transformation or a task of the streams, which the stop would wait for, it begins the stop and
    /// returns at once.
    ///
    /// # Errors
    /// If it is called by a listener, whose thread the stop would wait for.
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

    fn stop_now(&self) -> Result<()> {
        let conf = self.runtime.graph.context.conf();
        self.stop(conf.get(settings::STOP_CONTEXT_BY_DEFAULT)?, false)
    }
}

impl Runtime {
    fn stop(&self, stop_context: bool, graceful: bool) {
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
        self.graph.receivers.stop(timeout);
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
        let at_once = self.termination.stops_at_once();
        let timeout = if at_once { STOP_AT_ONCE } else { STOP_GRACEFULLY };
        self.generator.stop_timer(true);
        if at_once {
            self.graph.receivers.stop(timeout);
        }
        if !self.generator.stop(timeout) {
            tracing::warn!("a batch is still being described {timeout:?} after the stop; it is left alone");
        }
        if !self.scheduler.stop(timeout) {
            tracing::warn!("a job still runs {timeout:?} after the stop; it is left alone");
        }
        self.graph.listeners.stop();
        self.graph.clear();
    }
}
