//! `queue_stream`: RDDs that the program pushes.

use std::collections::VecDeque;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};

use millstream_core::operator::user_code;
use millstream_core::{Context, Data, Rdd};

use super::{Source, stream};
use crate::context::StreamingContext;
use crate::dstream::DStream;
use crate::error::Result;
use crate::time::Time;

/// The queue of a [`queue_stream`](StreamingContext::queue_stream): RDDs can be pushed before and after the start.
///
/// Cloning is shallow.
pub struct RddQueue<T: Data>(Arc<Mutex<VecDeque<Rdd<T>>>>);

impl<T: Data> Clone for RddQueue<T> {
    fn clone(&self) -> Self {
        RddQueue(Arc::clone(&self.0))
    }
}

impl<T: Data> Default for RddQueue<T> {
    fn default() -> Self {
        RddQueue(Arc::default())
    }
}

impl<T: Data> RddQueue<T> {
    /// Makes an empty queue.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::RddQueue;
    ///
    /// assert!(RddQueue::<u64>::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an RDD at the end of the queue.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use millstream_streaming::RddQueue;
    ///
    /// let queue = RddQueue::new();
    /// let numbers = driver.collect(&driver.streaming().queue_stream(&queue));
    /// let context = driver.context().clone();
    /// let steps = driver.start()?;
    /// queue.push(context.parallelize([1, 2], 2));
    /// steps.step()?;
    /// assert_eq!(numbers.batches(), [[1, 2]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn push(&self, rdd: Rdd<T>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(rdd);
    }

    /// Returns how many RDDs no batch has taken.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let queue = millstream_streaming::RddQueue::new();
    /// queue.push(driver.context().parallelize([1, 2], 2));
    /// queue.push(driver.context().parallelize([3], 1));
    /// driver.collect(&driver.streaming().queue_stream(&queue));
    /// driver.run(1)?;
    /// assert_eq!(queue.len(), 1);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Returns whether all RDDs have been taken.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let queue = millstream_streaming::RddQueue::new();
    /// queue.push(driver.context().parallelize([1, 2], 2));
    /// driver.collect(&driver.streaming().queue_stream(&queue));
    /// assert!(!queue.is_empty());
    /// driver.run(1)?;
    /// assert!(queue.is_empty());
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl StreamingContext {
    /// Makes a stream of RDDs that are pushed into a queue; each batch takes one.
    ///
    /// A batch for which there is none is empty.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::Driver;
    /// use millstream_streaming::{RddQueue, StreamingContext};
    ///
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let queue = RddQueue::new();
    /// queue.push(driver.context().parallelize([1, 2], 1));
    /// queue.push(driver.context().parallelize([3], 1));
    /// let collected = driver.collect(&driver.streaming().queue_stream(&queue));
    /// driver.run(3)?;
    /// assert_eq!(collected.batches(), [vec![1, 2], vec![3], vec![]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn queue_stream<T: Data>(&self, queue: &RddQueue<T>) -> DStream<T> {
        self.queue(queue, true, None, Location::caller())
    }

    /// Makes a stream of RDDs that are pushed into a queue; each batch takes one, or all that are there.
    ///
    /// A batch for which there is none is the default RDD.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::Driver;
    /// use millstream_streaming::{RddQueue, StreamingContext};
    ///
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let queue = RddQueue::new();
    /// queue.push(driver.context().parallelize([1, 2], 1));
    /// queue.push(driver.context().parallelize([3], 1));
    /// let default = driver.context().parallelize([0], 1);
    /// let stream = driver.streaming().queue_stream_with(&queue, false, Some(default));
    /// let collected = driver.collect(&stream);
    /// driver.run(2)?;
    /// assert_eq!(collected.batches(), [vec![1, 2, 3], vec![0]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn queue_stream_with<T: Data>(
        &self,
        queue: &RddQueue<T>,
        one_at_a_time: bool,
        default: Option<Rdd<T>>,
    ) -> DStream<T> {
        self.queue(queue, one_at_a_time, default, Location::caller())
    }

    fn queue<T: Data>(
        &self,
        queue: &RddQueue<T>,
        one_at_a_time: bool,
        default: Option<Rdd<T>>,
        place: &'static Location<'static>,
    ) -> DStream<T> {
        let context = self.context().clone();
        let source = Queue { queue: queue.clone(), one_at_a_time, default, context };
        let id = self.graph().next_source();
        stream(self.graph(), "queue_stream", place, id, source)
    }
}

struct Queue<T: Data> {
    queue: RddQueue<T>,
    one_at_a_time: bool,
    default: Option<Rdd<T>>,
    context: Context,
}

impl<T: Data> Source<T> for Queue<T> {
    fn batch(&self, _: Time) -> Result<(Rdd<T>, Option<u64>)> {
        let mut queue = self.queue.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = if self.one_at_a_time { queue.len().min(1) } else { queue.len() };
        let mut rdds: Vec<Rdd<T>> = queue.drain(..taken).collect();
        drop(queue);
        let rdd = match rdds.pop() {
            Some(only) if rdds.is_empty() => only,
            // As if the program had united them: another process has another queue, and could not do it again.
            Some(last) => user_code(|| self.context.union(rdds.into_iter().chain([last]))),
            None => self.default.clone().unwrap_or_else(|| self.context.empty_rdd()),
        };
        Ok((rdd, None))
    }

    fn refuses_checkpoints(&self) -> Option<&'static str> {
        Some(
            "a queue is lost with the program, so it can not be recovered; take another source, or run without a checkpoint \
             directory",
        )
    }
}
