//! `Driver`: streams whose clock is moved by hand.

use std::panic::Location;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millstream_core::{Conf, Context, Data, Rdd};

use super::PATIENCE;
use crate::clock::ManualClock;
use crate::context::StreamingContext;
use crate::dstream::DStream;
use crate::error::Result;
use crate::graph::Graph;
use crate::running::RunningContext;
use crate::source::{self, Source};
use crate::time::Time;

/// How many partitions a batch of an input table has.
const PARTITIONS: usize = 2;

/// Drives streams by hand: a streaming context on a [`ManualClock`] that begins at 0.
///
/// Operators that hold state need no checkpoint directory here: what a test loses it does not miss.
pub struct Driver {
    streaming: StreamingContext,
    clock: ManualClock,
    interval: Duration,
}

impl Driver {
    /// Makes a streaming context on a clock that stands at 0.
    ///
    /// # Errors
    /// As [`StreamingContext::new`].
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// let driver = Driver::new(Conf::empty().set_master("local[2]"), Duration::from_secs(1))?;
    /// let doubled = driver.collect(&driver.input(batches![[1, 2], [3]]).map(|n| n * 2));
    /// driver.run(2)?;
    /// assert_eq!(doubled.batches(), [vec![2, 4], vec![6]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn new(conf: Conf, interval: Duration) -> Result<Self> {
        Self::on(&Context::new(conf)?, interval)
    }

    /// Makes a streaming context on an existing context, on a clock that stands at 0.
    ///
    /// # Errors
    /// As [`StreamingContext::new`].
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::{Conf, Context};
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// let context = Context::new(Conf::empty())?;
    /// let driver = Driver::on(&context, Duration::from_secs(1))?;
    /// driver.collect(&driver.input(batches![[1]]));
    /// driver.run(1)?;
    /// assert_eq!(context.parallelize([1, 2], 2).count()?, 2); // it goes on
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn on(context: &Context, interval: Duration) -> Result<Self> {
        let clock = ManualClock::new(0);
        let streaming = StreamingContext::with_clock(context, interval, Arc::new(clock.clone()))?;
        streaming.graph().may_lose_state();
        streaming.graph().wait_for_saves();
        Ok(Driver { streaming, clock, interval })
    }

    /// Makes a streaming context on a clock that stands at `now`, as after a restart.
    ///
    /// # Errors
    /// As [`StreamingContext::new`].
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::Time;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// let driver = Driver::at(Conf::empty(), Duration::from_secs(1), Time::from_millis(60_000))?;
    /// let numbers = driver.collect(&driver.input(batches![[1]]));
    /// driver.run(1)?;
    /// assert_eq!(numbers.times(), [Time::from_millis(61_000)]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn at(conf: Conf, interval: Duration, now: Time) -> Result<Self> {
        let clock = ManualClock::new(now.as_millis());
        let streaming = StreamingContext::with_clock(conf, interval, Arc::new(clock.clone()))?;
        streaming.graph().may_lose_state();
        streaming.graph().wait_for_saves();
        Ok(Driver { streaming, clock, interval })
    }

    /// Goes on from the newest checkpoint of a directory, or begins anew and writes checkpoints there, as
    /// [`StreamingContext::get_or_create`]; called after the streams are described.
    ///
    /// # Errors
    /// As `get_or_create`.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::Time;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// # let directory = std::env::temp_dir().join(format!("driver-get_or_create-{}", std::process::id()));
    /// for (now, total) in [(0, 3), (1000, 6)] {
    ///     let driver = Driver::at(Conf::empty(), Duration::from_secs(1), Time::from_millis(now))?;
    ///     let pairs = driver.input(batches![[((), 3)], [((), 3)]]);
    ///     let sum = |new: Vec<i32>, sum: Option<i32>| Some(new.iter().sum::<i32>() + sum.unwrap_or(0));
    ///     let sums = driver.collect(&pairs.update_state_by_key(sum));
    ///     driver.get_or_create(&directory)?.run(1)?;
    ///     assert_eq!(sums.batches().last(), Some(&vec![((), total)]));
    /// }
    /// # std::fs::remove_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn get_or_create(self, directory: impl AsRef<Path>) -> Result<Self> {
        let Driver { streaming, clock, interval } = self;
        let streaming = StreamingContext::get_or_create(directory, || Ok(streaming))?;
        Ok(Driver { streaming, clock, interval })
    }

    /// Begins with a savepoint, as [`StreamingContext::from_savepoint`]; called after the streams are described.
    ///
    /// # Errors
    /// As `from_savepoint`.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// # let directory = std::env::temp_dir().join(format!("driver-from_savepoint-{}", std::process::id()));
    /// driver.collect(&driver.input(batches![[1]]));
    /// assert!(driver.from_savepoint(&directory).is_err(), "there is none");
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn from_savepoint(self, directory: impl AsRef<Path>) -> Result<Self> {
        let Driver { streaming, clock, interval } = self;
        let streaming = StreamingContext::from_savepoint(directory, || Ok(streaming))?;
        Ok(Driver { streaming, clock, interval })
    }

    /// Returns the context that batches run on.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// assert_eq!(driver.context().parallelize([1, 2], 2).count()?, 2);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn context(&self) -> &Context {
        self.streaming.context()
    }

    /// Returns the streaming context, to put streams on.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let numbers = driver.streaming().constant_stream(&driver.context().parallelize([1, 2], 2));
    /// let numbers = driver.collect(&numbers);
    /// driver.run(2)?;
    /// assert_eq!(numbers.batches(), [[1, 2], [1, 2]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn streaming(&self) -> &StreamingContext {
        &self.streaming
    }

    /// Makes a stream of a table: one row a batch, in two partitions; after the last row batches are empty.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let numbers = driver.collect(&driver.input(batches![[1, 2]]));
    /// driver.run(2)?;
    /// assert_eq!(numbers.batches(), [vec![1, 2], vec![]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn input<T: Data>(&self, batches: Vec<Vec<T>>) -> DStream<T> {
        let graph = self.streaming.graph();
        let table = Table { graph: Arc::clone(graph), batches };
        source::stream(graph, "input", Location::caller(), graph.next_source(), table)
    }

    /// Collects what a stream puts out.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let even = driver.collect(&driver.input(batches![[1, 2], [3]]).filter(|n| n % 2 == 0));
    /// driver.run(2)?;
    /// assert_eq!(even.batches(), [vec![2], vec![]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn collect<T: Data>(&self, stream: &DStream<T>) -> Collected<T> {
        let collected = Collected(Arc::default());
        let to = collected.clone();
        stream.foreach_rdd_with(move |rdd, time| {
            let records = rdd.collect()?;
            to.lock().push((time, records));
            Ok::<_, millstream_core::Error>(())
        });
        collected
    }

    /// Starts the streams; batches are cut by [`Steps::step`].
    ///
    /// # Errors
    /// As [`StreamingContext::start`].
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let numbers = driver.collect(&driver.input(batches![[1], [2]]));
    /// let steps = driver.start()?;
    /// steps.step()?;
    /// assert_eq!(numbers.batches(), [[1]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn start(self) -> Result<Steps> {
        let running = self.streaming.start()?;
        Ok(Steps { running, clock: self.clock, interval: self.interval })
    }

    /// Starts the streams, runs this many batches, and stops.
    ///
    /// # Errors
    /// The first error of a batch.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let numbers = driver.collect(&driver.input(batches![[1], [2]]));
    /// driver.run(2)?;
    /// assert_eq!(numbers.batches(), [[1], [2]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn run(self, batches: usize) -> Result<()> {
        let steps = self.start()?;
        for _ in 0..batches {
            steps.step()?;
        }
        steps.running.stop(false, false)
    }
}

/// Streams whose batches are cut one by one.
pub struct Steps {
    /// The streams.
    pub running: RunningContext,
    /// The clock they run on.
    pub clock: ManualClock,
    interval: Duration,
}

impl Steps {
    /// Moves the clock by a batch interval and waits until the batch was completed; returns its time.
    ///
    /// # Errors
    /// The error of the batch, or one that says that it hangs.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use millstream_streaming::Time;
    ///
    /// driver.collect(&driver.input(batches![[1]]));
    /// let steps = driver.start()?;
    /// assert_eq!(steps.step()?, Time::from_millis(1000));
    /// assert_eq!(steps.step()?, Time::from_millis(2000));
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn step(&self) -> Result<Time> {
        let time = self.clock.advance(self.interval).floor(self.interval);
        if self.running.await_batch(time, PATIENCE)? {
            return Ok(time);
        }
        let hangs = format!("batch {time} was not completed within {PATIENCE:?}");
        Err(millstream_core::Error::user(hangs).into())
    }
}

/// What a stream has put out so far; cloning is shallow.
pub struct Collected<T>(Arc<Mutex<Batches<T>>>);

type Batches<T> = Vec<(Time, Vec<T>)>;

impl<T> Clone for Collected<T> {
    fn clone(&self) -> Self {
        Collected(Arc::clone(&self.0))
    }
}

impl<T: Clone> Collected<T> {
    fn lock(&self) -> MutexGuard<'_, Batches<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the records of each batch.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let numbers = driver.collect(&driver.input(batches![[1, 2], [3]]));
    /// driver.run(2)?;
    /// assert_eq!(numbers.batches(), [vec![1, 2], vec![3]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn batches(&self) -> Vec<Vec<T>> {
        self.lock().iter().map(|(_, records)| records.clone()).collect()
    }

    /// Returns the times of the batches.
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
    /// driver.run(2)?;
    /// assert_eq!(numbers.times(), [1000, 2000].map(Time::from_millis));
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn times(&self) -> Vec<Time> {
        self.lock().iter().map(|(time, _)| *time).collect()
    }
}

struct Table<T> {
    graph: Arc<Graph>,
    batches: Vec<Vec<T>>,
}

impl<T: Data> Source<T> for Table<T> {
    fn batch(&self, batch: Time) -> Result<(Rdd<T>, Option<u64>)> {
        let since = batch - self.graph.zero().unwrap_or_default();
        let row = since.as_millis() / self.graph.batch_interval.as_millis().max(1);
        let row = usize::try_from(row).ok().and_then(|row| self.batches.get(row.checked_sub(1)?));
        let records = row.cloned().unwrap_or_default();
        let len = records.len() as u64;
        Ok((self.graph.context.parallelize(records, PARTITIONS), Some(len)))
    }
}
