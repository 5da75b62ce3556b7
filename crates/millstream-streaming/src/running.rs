//! `RunningContext`: streams that were started.

mod stop_handle;

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use millstream_core::fs::FsPath;
use millstream_core::{Context, settings};

pub use self::stop_handle::StopHandle;
use crate::error::Result;
use crate::executor;
use crate::graph::Graph;
use crate::listener::{ListenerId, StreamingListener, StreamingListenerEvent};
use crate::recovery::{Checkpointer, Restart};
use crate::recurring_timer::RecurringTimer;
use crate::scheduler::{JobGenerator, JobScheduler, Termination};
use crate::shutdown::{self, Registration};
use crate::time::Time;

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
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// driver.collect(&driver.input(batches![[1]]));
    /// let running = driver.start()?.running;
    /// assert_eq!(running.context().parallelize([1, 2], 2).count()?, 2);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[doc(alias = "sparkContext")]
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.handle.runtime.graph.context
    }

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
    /// assert_eq!(running.state(), StreamingContextState::Active);
    /// running.stop(true, true)?;
    /// assert_eq!(running.state(), StreamingContextState::Stopped);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[doc(alias = "getState")]
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
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// driver.collect(&driver.input(batches![[1]]));
    /// assert_eq!(driver.start()?.running.lost_records(), 0); // nothing was recovered
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn lost_records(&self) -> u64 {
        self.handle.runtime.graph.recovery.lost()
    }

    /// Waits until the streams are stopped.
    ///
    /// # Errors
    /// The error of the first output or batch that failed; no batch after it is run.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// driver.input(batches![[1]]).foreach_rdd(|_| Err::<(), _>("the disk is full"));
    /// let steps = driver.start()?;
    /// assert!(steps.step().is_err());
    /// assert!(steps.running.await_termination().is_err_and(|error| error.to_string().contains("the disk is full")));
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn await_termination(&self) -> Result<()> {
        self.handle.runtime.termination.wait_end(None).map(drop)
    }

    /// Waits until the streams are stopped, at most as long as given; returns whether they were.
    ///
    /// # Errors
    /// The error of the first output or batch that failed; no batch after it is run.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// driver.collect(&driver.input(batches![[1]]));
    /// let running = driver.start()?.running;
    /// assert!(!running.await_termination_or_timeout(Duration::from_millis(1))?);
    /// running.stop(true, false)?;
    /// assert!(running.await_termination_or_timeout(Duration::from_secs(60))?);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn await_termination_or_timeout(&self, timeout: Duration) -> Result<bool> {
        self.handle.runtime.termination.wait_end(Some(timeout))
    }

    /// Waits until all batches up to the one of `batch` were completed, at most as long as given; returns whether they were.
    ///
    /// # Errors
    /// The error of the first output or batch that failed.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use millstream_streaming::Time;
    ///
    /// let numbers = driver.collect(&driver.input(batches![[1], [2]]));
    /// let steps = driver.start()?;
    /// steps.clock.set_time(Time::from_millis(2000));
    /// assert!(steps.running.await_batch(Time::from_millis(2000), Duration::from_secs(60))?);
    /// assert_eq!(numbers.batches(), [[1], [2]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn await_batch(&self, batch: Time, timeout: Duration) -> Result<bool> {
        self.handle.runtime.termination.wait_completed(batch, timeout)
    }

    /// Adds a listener to what happens to batches and receivers.
    ///
    /// # Errors
    /// If the thread for the listeners can not be started.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use std::sync::{Arc, mpsc};
    /// use millstream_streaming::listener::{BatchInfo, StreamingListener};
    ///
    /// struct Completed(mpsc::Sender<u64>);
    ///
    /// impl StreamingListener for Completed {
    ///     fn on_batch_completed(&self, batch: &BatchInfo) {
    ///         let _ = self.0.send(batch.num_records());
    ///     }
    /// }
    ///
    /// driver.collect(&driver.input(batches![[1, 2]]));
    /// let steps = driver.start()?;
    /// let (tell, records) = mpsc::channel();
    /// steps.running.add_streaming_listener(Arc::new(Completed(tell)))?;
    /// steps.step()?;
    /// assert_eq!(records.recv(), Ok(2));
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn add_streaming_listener(&self, listener: Arc<dyn StreamingListener>) -> Result<ListenerId> {
        self.handle.runtime.graph.listeners.add(listener)
    }

    /// Removes a listener; returns whether it was there.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use std::sync::Arc;
    /// use millstream_streaming::listener::StatsReportListener;
    ///
    /// driver.collect(&driver.input(batches![[1]]));
    /// let running = driver.start()?.running;
    /// let listener = running.add_streaming_listener(Arc::new(StatsReportListener::default()))?;
    /// assert!(running.remove_streaming_listener(listener));
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn remove_streaming_listener(&self, listener: ListenerId) -> bool {
        self.handle.runtime.graph.listeners.remove(listener)
    }

    /// Returns a handle with which other threads can stop the streams.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// driver.collect(&driver.input(batches![[1]]));
    /// let running = driver.start()?.running;
    /// let handle = running.stop_handle();
    /// std::thread::spawn(move || handle.stop(true, false));
    /// running.await_termination()?;
    /// assert!(running.context().is_stopped());
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
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
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// driver.collect(&driver.input(batches![[1]]));
    /// let running = driver.start()?.running;
    /// let context = running.context().clone();
    /// running.stop(false, true)?; // gracefully; the context goes on
    /// assert_eq!(context.parallelize([1, 2], 2).count()?, 2);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn stop(&self, stop_context: bool, graceful: bool) -> Result<()> {
        self.handle.stop(stop_context, graceful)
    }

    /// Stops the streams at once; the [`Context`] too unless `spark.streaming.stopSparkContextByDefault` is false.
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
    /// running.stop_now()?;
    /// assert!(running.context().is_stopped());
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
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
