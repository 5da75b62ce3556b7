//! What a task knows of itself.

mod listeners;

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ids::{JobId, ShuffleId, StageId, TaskId};
use crate::operator::Operator;
use crate::scheduler::panics;
use crate::scheduler::properties::LocalProperties;
use crate::shuffle::ShuffleOutputs;
use crate::storage::disk::Disk;
use crate::storage::memory::Memory;

/// The batch and the output operation a job belongs to, if it belongs to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchId {
    /// The batch time in milliseconds since the epoch.
    pub time_ms: u64,
    /// The number of the output operation, in the order of their definition; none while the batch is generated.
    pub output: Option<usize>,
}

/// Where a task works: its context's number, memory and scratch directory. Cloning is shallow.
#[derive(Clone)]
pub(crate) struct Space {
    /// Of all contexts, in any process.
    pub(crate) context: u64,
    pub(crate) memory: Memory,
    pub(crate) disk: Disk,
}

/// What a task knows of itself: its partition, attempt, stage and batch.
///
/// Cloning is shallow.
#[derive(Clone)]
pub struct TaskContext(Arc<Inner>);

struct Inner {
    id: TaskId,
    /// Of the stage.
    partitions: usize,
    batch: Option<BatchId>,
    properties: LocalProperties,
    cancelled: Arc<AtomicBool>,
    inputs: Vec<(ShuffleId, Arc<ShuffleOutputs>)>,
    space: Space,
    /// How what the task has left for others is taken away again.
    left: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
    listeners: listeners::Listeners,
}

/// Why a closure's records ended too early, and the operator that failed.
pub(crate) type Broken = (Error, Option<Arc<Operator>>);

thread_local! {
    static CURRENT: RefCell<Option<TaskContext>> = const { RefCell::new(None) };
    /// The innermost operator at work on this thread; after a failure, the one that failed.
    static AT_WORK: RefCell<Option<Arc<Operator>>> = const { RefCell::new(None) };
    /// What broke the records that a user's closure was reading; the closure does not know why they ended.
    static BROKEN: RefCell<Option<Broken>> = const { RefCell::new(None) };
}

impl TaskContext {
    pub(crate) fn new(
        id: TaskId,
        partitions: usize,
        batch: Option<BatchId>,
        properties: LocalProperties,
        cancelled: Arc<AtomicBool>,
        inputs: Vec<(ShuffleId, Arc<ShuffleOutputs>)>,
        space: Space,
    ) -> Self {
        TaskContext(Arc::new(Inner {
            id,
            partitions,
            batch,
            properties,
            cancelled,
            inputs,
            space,
            left: Mutex::default(),
            listeners: listeners::Listeners::default(),
        }))
    }

    /// Returns the task this thread is running, or nothing outside of tasks.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::{Conf, Context, TaskContext};
    /// # let context = Context::new(Conf::empty())?;
    /// let partitions = context.parallelize([10, 20], 2).map(|_| TaskContext::get().map(|task| task.partition_id()));
    /// assert_eq!(partitions.collect()?, [Some(0), Some(1)]);
    /// assert!(TaskContext::get().is_none());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn get() -> Option<TaskContext> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Returns the partition the task works on.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::TaskContext;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let of = context.parallelize(["a", "b"].map(String::from), 2).map(|_| TaskContext::get().map(|task| task.partition_id()));
    /// assert_eq!(of.collect()?, [Some(0), Some(1)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn partition_id(&self) -> usize {
        self.0.id.partition
    }

    /// Returns the number of partitions of the stage.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::TaskContext;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let of = context.parallelize(0..2, 2).map(|_| TaskContext::get().map(|task| task.num_partitions()));
    /// assert_eq!(of.collect()?, [Some(2), Some(2)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn num_partitions(&self) -> usize {
        self.0.partitions
    }

    /// Returns how often this partition has been tried before: 0 the first time.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, Context, TaskContext};
    ///
    /// let context = Context::new(Conf::empty().set_master("local[1,2]"))?;
    /// let attempts = context.parallelize([1], 1).map(|_| match TaskContext::get().map(|task| task.attempt_number()) {
    ///     Some(0) => panic!("the first attempt fails"),
    ///     other => other,
    /// });
    /// assert_eq!(attempts.collect()?, [Some(1)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn attempt_number(&self) -> u32 {
        self.0.id.attempt
    }

    /// Returns the stage the task belongs to.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::TaskContext;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let stage = || TaskContext::get().map(|task| task.stage_id());
    /// let stages = context.parallelize([(1, 1)], 1).map_values(move |_| vec![stage()]).reduce_by_key(|a, b| [a, b].concat());
    /// let both = stages.map_values(move |before| (before[0], stage())).values().collect()?;
    /// assert_ne!(both[0].0, both[0].1); // the shuffle lies between
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn stage_id(&self) -> StageId {
        self.0.id.stage
    }

    /// Returns the job the task belongs to.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::TaskContext;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let jobs = context.parallelize([1], 1).map(|_| TaskContext::get().map(|task| task.job_id()));
    /// assert_ne!(jobs.collect()?, jobs.collect()?);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn job_id(&self) -> JobId {
        self.0.id.job
    }

    /// Returns the number of the context that the task runs in.
    pub(crate) fn context(&self) -> u64 {
        self.0.space.context
    }

    /// Returns the batch and the output operation, if the task belongs to a stream.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::{BatchId, TaskContext};
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let batches = context.parallelize([1], 1).map(|_| TaskContext::get().and_then(|task| task.batch()));
    /// assert_eq!(batches.collect()?, [None]);
    /// let batch = BatchId { time_ms: 1000, output: Some(0) };
    /// assert_eq!(millstream_core::with_batch(batch, || batches.collect())?, [Some(batch)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn batch(&self) -> Option<BatchId> {
        self.0.batch
    }

    /// Returns a local property of the thread that started the job.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::{Conf, Context, TaskContext};
    /// # let context = Context::new(Conf::empty())?;
    /// context.set_local_property("who", "me");
    /// let seen = context.parallelize([1], 1).map(|_| TaskContext::get()?.get_local_property("who").map(String::from));
    /// assert_eq!(seen.collect()?, [Some("me".to_owned())]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn get_local_property(&self, key: &str) -> Option<&str> {
        self.0.properties.get(key)
    }

    /// Returns an error if the job was cancelled; long-running closures may ask.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::{Error, TaskContext};
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let endless = context.parallelize([0], 1).foreach_async(|_| {
    ///     while let Some(task) = TaskContext::get() {
    ///         task.check_cancelled()?;
    ///     }
    ///     Ok::<_, Error>(())
    /// });
    /// endless.cancel();
    /// assert!(matches!(endless.wait(), Err(Error::Cancelled { .. })));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn check_cancelled(&self) -> Result<()> {
        if self.is_interrupted() {
            return Err(Error::Cancelled { job: self.0.id.job, reason: "it is no longer needed".into() });
        }
        Ok(())
    }

    /// Returns whether the job was cancelled, so that the result is no longer wanted.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::{Error, TaskContext};
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let endless = context.parallelize([0], 1).foreach_async(|_| {
    ///     while TaskContext::get().is_some_and(|task| !task.is_interrupted()) {
    ///         std::thread::yield_now();
    ///     }
    /// });
    /// endless.cancel();
    /// assert!(matches!(endless.wait(), Err(Error::Cancelled { .. })));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.0.cancelled.load(Ordering::Relaxed)
    }

    /// Runs `f` with this task as the thread's own, and forgets what was at work before.
    pub(crate) fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                CURRENT.set(None);
            }
        }
        AT_WORK.set(None);
        BROKEN.set(None);
        CURRENT.set(Some(self.clone()));
        let _leave = Leave;
        f()
    }

    /// Runs a piece of an operator's work.
    ///
    /// The operator stays noted when `f` fails or panics, unless an inner one was noted first.
    pub(crate) fn within<R>(&self, operator: &Arc<Operator>, f: impl FnOnce() -> Result<R>) -> Result<R> {
        let outer = AT_WORK.replace(Some(Arc::clone(operator)));
        let result = f();
        if result.is_ok() {
            AT_WORK.set(outer);
        }
        result
    }

    /// Returns the operator that was at work when the task failed.
    pub(crate) fn failed_operator() -> Option<Arc<Operator>> {
        AT_WORK.take()
    }

    /// Takes note of what broke the records that a user's closure is reading.
    pub(crate) fn records_broke(error: &Error) {
        BROKEN.set(Some((error.clone(), AT_WORK.with_borrow(Clone::clone))));
    }

    /// Returns what broke the records, if it did: the reason of whatever the closure did next.
    pub(crate) fn broken_records() -> Option<Broken> {
        BROKEN.take()
    }

    /// Takes note of how something is taken away again that the task of this thread, if there is one, has left for others.
    pub(crate) fn leaves(take_away: impl FnOnce() + Send + 'static) {
        if let Some(task) = TaskContext::get() {
            task.0.left.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(take_away));
        }
    }

    /// Takes away what the task has left for others.
    pub(crate) fn leave_nothing(&self) {
        let left = std::mem::take(&mut *self.0.left.lock().unwrap_or_else(PoisonError::into_inner));
        left.into_iter().for_each(|take_away| panics::let_go("what a failed task had kept", take_away));
    }

    /// Returns where the task works.
    pub(crate) fn space(&self) -> &Space {
        &self.0.space
    }

    pub(crate) fn shuffle_input(&self, shuffle: ShuffleId) -> Result<&ShuffleOutputs> {
        let input = self.0.inputs.iter().find(|(id, _)| *id == shuffle);
        // Planned for are all shuffles that are not hidden behind a cached RDD.
        input.map(|(_, outputs)| &**outputs).ok_or(Error::Freed)
    }
}
