//! For tests of programs on streams: a clock that is moved by hand, input tables, collected outputs.
//!
//! Most tests are three tables: input batches, operation, expected batches.
//!
//! # Examples
//! ```
//! use millstream_streaming::testing::{batches, check};
//!
//! check(batches![[1, 2, 3], [4]], |numbers| numbers.filter(|n| n % 2 == 0), batches![[2], [4]]);
//! ```

use std::fmt::Debug;
use std::panic::Location;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millstream_core::{Conf, Context, Data, Rdd};

pub use crate::batches;
use crate::clock::ManualClock;
use crate::context::StreamingContext;
use crate::dstream::DStream;
use crate::error::Result;
use crate::graph::Graph;
use crate::running::RunningContext;
use crate::source::{self, Source};
use crate::time::Time;

/// How long a batch of a test may take before it is taken for hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many partitions a batch of an input table has.
const PARTITIONS: usize = 2;

/// Makes a table of batches: a vector of vectors.
///
/// # Examples
/// ```
/// use millstream_streaming::testing::batches;
/// assert_eq!(batches![[1, 2], []], vec![vec![1, 2], vec![]]);
/// ```
#[macro_export]
macro_rules! batches {
    ($([$($record:expr),* $(,)?]),* $(,)?) => {
        ::std::vec![$(::std::vec![$($record),*]),*]
    };
}

/// Runs an operation on input batches and compares what comes out, batch by batch and record by record.
///
/// Runs as many batches as are expected, on `local[2]` with strict closures, batch interval 1 s; the batch times are 1000
/// ms, 2000 ms and so on. Batches after the last of the input are empty.
///
/// # Panics
/// If the output differs, or a batch fails.
#[track_caller]
pub fn check<T: Data, U: Data + Debug + PartialEq>(
    input: Vec<Vec<T>>,
    operation: impl FnOnce(&DStream<T>) -> DStream<U>,
    expected: Vec<Vec<U>>,
) {
    let actual = outputs(input, operation, expected.len());
    assert!(actual == expected, "\nexpected: {expected:?}\n  actual: {actual:?}");
}

/// Like [`check`], for operations that do not promise an order within a batch.
///
/// # Panics
/// If the output differs, or a batch fails.
#[track_caller]
pub fn check_unordered<T: Data, U: Data + Debug + Ord>(
    input: Vec<Vec<T>>,
    operation: impl FnOnce(&DStream<T>) -> DStream<U>,
    expected: Vec<Vec<U>>,
) {
    let sorted = |mut batches: Vec<Vec<U>>| {
        batches.iter_mut().for_each(|batch| batch.sort());
        batches
    };
    let batches = expected.len();
    let (actual, expected) = (sorted(outputs(input, operation, batches)), sorted(expected));
    assert!(actual == expected, "\nexpected: {expected:?}\n  actual: {actual:?}");
}

#[allow(clippy::panic, reason = "the assertion of a test")]
#[track_caller]
fn outputs<T: Data, U: Data>(
    input: Vec<Vec<T>>,
    operation: impl FnOnce(&DStream<T>) -> DStream<U>,
    batches: usize,
) -> Vec<Vec<U>> {
    let run = || {
        let conf = Conf::empty().set_master("local[2]").set("millstream.closures.strict", "true");
        let driver = Driver::new(conf, Duration::from_secs(1))?;
        let collected = driver.collect(&operation(&driver.input(input)));
        driver.run(batches)?;
        Ok(collected.batches())
    };
    match run() {
        Ok(batches) => batches,
        Err::<_, crate::Error>(error) => panic!("{error}"),
    }
}

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
    pub fn new(conf: Conf, interval: Duration) -> Result<Self> {
        Self::on(&Context::new(conf)?, interval)
    }

    /// Makes a streaming context on an existing context, on a clock that stands at 0.
    ///
    /// # Errors
    /// As [`StreamingContext::new`].
    pub fn on(context: &Context, interval: Duration) -> Result<Self> {
        let clock = ManualClock::new(0);
        let streaming = StreamingContext::with_clock(context, interval, Arc::new(clock.clone()))?;
        streaming.graph().may_lose_state();
        Ok(Driver { streaming, clock, interval })
    }

    /// Makes a streaming context on a clock that stands at `now`, as after a restart.
    ///
    /// # Errors
    /// As [`StreamingContext::new`].
    pub fn at(conf: Conf, interval: Duration, now: Time) -> Result<Self> {
        let clock = ManualClock::new(now.as_millis());
        let streaming = StreamingContext::with_clock(conf, interval, Arc::new(clock.clone()))?;
        streaming.graph().may_lose_state();
        Ok(Driver { streaming, clock, interval })
    }

    /// Goes on from the newest checkpoint of a directory, or begins anew and writes checkpoints there, as
    /// [`StreamingContext::get_or_create`]; called after the streams are described.
    ///
    /// # Errors
    /// As `get_or_create`.
    pub fn get_or_create(self, directory: impl AsRef<Path>) -> Result<Self> {
        let Driver { streaming, clock, interval } = self;
        let streaming = StreamingContext::get_or_create(directory, || Ok(streaming))?;
        Ok(Driver { streaming, clock, interval })
    }

    /// Begins with a savepoint, as [`StreamingContext::from_savepoint`]; called after the streams are described.
    ///
    /// # Errors
    /// As `from_savepoint`.
    pub fn from_savepoint(self, directory: impl AsRef<Path>) -> Result<Self> {
        let Driver { streaming, clock, interval } = self;
        let streaming = StreamingContext::from_savepoint(directory, || Ok(streaming))?;
        Ok(Driver { streaming, clock, interval })
    }

    /// Returns the context that batches run on.
    #[must_use]
    pub fn context(&self) -> &Context {
        self.streaming.context()
    }

    /// Returns the streaming context, to put streams on.
    #[must_use]
    pub fn streaming(&self) -> &StreamingContext {
        &self.streaming
    }

    /// Makes a stream of a table: one row a batch, in two partitions; after the last row batches are empty.
    #[track_caller]
    pub fn input<T: Data>(&self, batches: Vec<Vec<T>>) -> DStream<T> {
        let graph = self.streaming.graph();
        let table = Table { graph: Arc::clone(graph), batches };
        source::stream(graph, "input", Location::caller(), graph.next_source(), table)
    }

    /// Collects what a stream puts out.
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
    pub fn start(self) -> Result<Steps> {
        let running = self.streaming.start()?;
        Ok(Steps { running, clock: self.clock, interval: self.interval })
    }

    /// Starts the streams, runs this many batches, and stops.
    ///
    /// # Errors
    /// The first error of a batch.
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
    #[must_use]
    pub fn batches(&self) -> Vec<Vec<T>> {
        self.lock().iter().map(|(_, records)| records.clone()).collect()
    }

    /// Returns the times of the batches.
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
