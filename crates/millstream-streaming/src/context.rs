//! `StreamingContext`: where streams are described.

use std::sync::Arc;
use std::time::Duration;

use millstream_core::{Conf, Context, Error as CoreError, settings};

use crate::clock::{Clock, SystemClock};
use crate::error::Result;
use crate::graph::Graph;
use crate::listener::{ListenerId, StreamingListener};
use crate::receiver::Server;
use crate::running::{RunningContext, StreamingContextState};

/// What a streaming context runs on: settings, from which a context is made, or a context that exists.
pub trait IntoContext {
    /// Returns the context.
    ///
    /// # Errors
    /// If a setting can not be used.
    fn into_context(self) -> millstream_core::Result<Context>;
}

impl IntoContext for Conf {
    fn into_context(self) -> millstream_core::Result<Context> {
        Context::new(self)
    }
}

impl IntoContext for Context {
    fn into_context(self) -> millstream_core::Result<Context> {
        Ok(self)
    }
}

impl IntoContext for &Context {
    fn into_context(self) -> millstream_core::Result<Context> {
        Ok(self.clone())
    }
}

/// Where streams are described: sources, operators, outputs.
///
/// [`start`](StreamingContext::start) consumes it and returns the [`RunningContext`], so that a context can not be started
/// twice. A program may have several.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use millstream_core::Conf;
/// use millstream_streaming::StreamingContext;
///
/// let streaming = StreamingContext::new(Conf::empty().set_master("local[2]"), Duration::from_millis(10))?;
/// let numbers = streaming.generator_stream(2, |_, _| 0..1000);
/// numbers.filter(|n| n % 3 == 0).count().print();
/// let running = streaming.start()?;
/// running.await_termination_or_timeout(Duration::from_millis(50))?;
/// running.stop(true, true)?;
/// # Ok::<(), millstream_streaming::Error>(())
/// ```
pub struct StreamingContext {
    graph: Arc<Graph>,
    /// Taken by `start`; without it the graph is taken apart when this is dropped.
    started: bool,
}

impl StreamingContext {
    /// Makes a context that cuts a batch each `batch_interval`, from settings or on an existing [`Context`].
    ///
    /// # Errors
    /// If the interval is no whole number of milliseconds, or a setting can not be used.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::{Conf, Context};
    /// use millstream_streaming::StreamingContext;
    ///
    /// let context = Context::new(Conf::empty().set_master("local[2]"))?;
    /// let seconds = StreamingContext::new(&context, Duration::from_secs(1))?;
    /// let millis = StreamingContext::new(Conf::empty(), Duration::from_millis(1))?; // a context of its own
    /// assert!(seconds.context().default_parallelism() == 2 && !millis.context().is_stopped());
    /// assert!(StreamingContext::new(&context, Duration::from_micros(1500)).is_err());
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn new(on: impl IntoContext, batch_interval: Duration) -> Result<Self> {
        Self::with_clock(on, batch_interval, Arc::new(SystemClock))
    }

    /// Makes a context whose batches are cut by a clock of one's own.
    ///
    /// # Errors
    /// If the interval is no whole number of milliseconds, or a setting can not be used.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::clock::ManualClock;
    /// use millstream_streaming::{StreamingContext, Time};
    ///
    /// let clock = ManualClock::new(0);
    /// let streaming = StreamingContext::with_clock(Conf::empty(), Duration::from_secs(1), Arc::new(clock.clone()))?;
    /// let numbers = streaming.context().parallelize([1, 2], 2);
    /// streaming.constant_stream(&numbers).foreach_rdd(|rdd| rdd.count().map(drop));
    /// let running = streaming.start()?;
    /// clock.advance(Duration::from_secs(1));
    /// assert!(running.await_batch(Time::from_millis(1000), Duration::from_secs(60))?);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn with_clock(on: impl IntoContext, batch_interval: Duration, clock: Arc<dyn Clock>) -> Result<Self> {
        let whole = Duration::from_millis(u64::try_from(batch_interval.as_millis()).unwrap_or(u64::MAX));
        if whole.is_zero() || whole != batch_interval {
            return Err(CoreError::Argument {
                operator: "StreamingContext::new".into(),
                problem: format!(
                    "the batch interval {batch_interval:?} is no positive number of whole milliseconds"
                ),
                remedy: "use at least Duration::from_millis(1)".into(),
            }
            .into());
        }
        let graph = Graph::new(on.into_context()?, clock, batch_interval);
        Ok(StreamingContext { graph, started: false })
    }

    /// Returns the context that batches run on; RDDs can be made from it before and after the start.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let numbers = driver.streaming().context().parallelize([1, 2, 3], 2);
    /// assert_eq!(numbers.count()?, 3);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[doc(alias = "sparkContext")]
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.graph.context
    }

    /// Returns the state: a context that was not started is initialized.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use millstream_streaming::StreamingContextState;
    ///
    /// assert_eq!(driver.streaming().state(), StreamingContextState::Initialized);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[doc(alias = "getState")]
    #[must_use]
    pub fn state(&self) -> StreamingContextState {
        StreamingContextState::Initialized
    }

    /// Keeps the RDDs of all streams at least this long, so that they can be looked at later than their batch.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use millstream_streaming::Time;
    ///
    /// driver.streaming().remember(Duration::from_secs(60));
    /// let numbers = driver.input(batches![[1], [2], [3]]);
    /// driver.collect(&numbers);
    /// let steps = driver.start()?;
    /// for _ in 0..3 {
    ///     steps.step()?;
    /// }
    /// let first = numbers.slice(Time::from_millis(1000), Time::from_millis(1000))?;
    /// assert_eq!(first[0].collect()?, [1]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn remember(&self, duration: Duration) {
        self.graph.remember(duration);
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
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use millstream_streaming::listener::{BatchInfo, StreamingListener};
    ///
    /// #[derive(Default)]
    /// struct Records(AtomicU64);
    ///
    /// impl StreamingListener for Records {
    ///     fn on_batch_completed(&self, batch: &BatchInfo) {
    ///         self.0.fetch_add(batch.num_records(), Ordering::Relaxed);
    ///     }
    /// }
    ///
    /// let records = Arc::new(Records::default());
    /// driver.streaming().add_streaming_listener(records.clone())?;
    /// driver.collect(&driver.input(batches![[1, 2], [3]]));
    /// driver.run(2)?; // its stop waits until listeners have seen all
    /// assert_eq!(records.0.load(Ordering::Relaxed), 3);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn add_streaming_listener(&self, listener: Arc<dyn StreamingListener>) -> Result<ListenerId> {
        self.graph.listeners.add(listener)
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
    /// let listener = driver.streaming().add_streaming_listener(Arc::new(StatsReportListener::default()))?;
    /// assert!(driver.streaming().remove_streaming_listener(listener));
    /// assert!(!driver.streaming().remove_streaming_listener(listener), "it is gone already");
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn remove_streaming_listener(&self, listener: ListenerId) -> bool {
        self.graph.listeners.remove(listener)
    }

    /// Starts the receivers and the batches; the first is cut at the next multiple of the batch interval.
    ///
    /// In a process that was started as an executor this runs the tasks of the driver and does not return.
    ///
    /// # Errors
    /// If there is no output operation, an operator was described wrongly, or threads can not be started.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::{Conf, Context};
    /// use millstream_streaming::StreamingContext;
    ///
    /// let context = Context::new(Conf::empty().set_master("local[2]"))?;
    /// let streaming = StreamingContext::new(&context, Duration::from_millis(10))?;
    /// let (sender, counts) = std::sync::mpsc::channel();
    /// streaming.constant_stream(&context.parallelize([1, 2, 3], 2)).foreach_rdd(move |rdd| {
    ///     sender.send(rdd.count()?).map_err(millstream_core::Error::user)
    /// });
    /// let running = streaming.start()?;
    /// assert_eq!(counts.iter().take(2).collect::<Vec<_>>(), [3, 3]);
    /// running.stop(true, true)?;
    ///
    /// let without_output = StreamingContext::new(Conf::empty(), Duration::from_millis(10))?;
    /// assert!(without_output.start().is_err());
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn start(mut self) -> Result<RunningContext> {
        self.graph.freeze()?;
        let running = RunningContext::start(Arc::clone(&self.graph))?;
        self.started = true;
        Ok(running)
    }

    pub(crate) fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// Returns the setting; it was checked when the context was made.
    pub(crate) fn max_block_bytes(&self) -> usize {
        self.context().conf().get(settings::SOCKET_MAX_BLOCK_BYTES).unwrap_or(usize::MAX)
    }

    /// Names a server from which is received; the setting was checked when the context was made.
    pub(crate) fn server(&self, host: &str, port: u16) -> Server {
        let keep_alive = self.context().conf().get(settings::SOCKET_KEEP_ALIVE);
        Server::new(host, port, keep_alive.unwrap_or(Duration::from_secs(60)))
    }

    /// Returns the setting; it was checked when the context was made.
    pub(crate) fn max_line_bytes(&self) -> usize {
        self.context().conf().get(settings::SOCKET_MAX_LINE_BYTES).unwrap_or(usize::MAX)
    }
}

impl Drop for StreamingContext {
    fn drop(&mut self) {
        if !self.started {
            self.graph.recovery.release();
            self.graph.clear();
        }
    }
}
