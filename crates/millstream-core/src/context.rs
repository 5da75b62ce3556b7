//! `Context`: where RDDs are made and jobs run.

mod application;
mod job_groups;
mod job_tags;
mod local_properties;
mod persisted_rdds;
mod set_checkpoint_dir;

pub use local_properties::LocalProperties;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use crate::conf::Conf;
use crate::error::Result;
use crate::fs::{FileSystems, FsPath};
use crate::ids::{RddId, ShuffleId};
use crate::master::Master;
use crate::rdd::checkpoint;
use crate::scheduler::action::{AnyAction, Value};
use crate::scheduler::allocation::{self, Mode};
use crate::scheduler::engine::Engine;
use crate::scheduler::executor::Executor;
use crate::scheduler::local::LocalExecutor;
use crate::settings;
use crate::storage::disk::Disk;
use crate::storage::memory::Memory;
use crate::storage::persisted::Persisted;
use crate::task::BatchId;
use crate::variables::named::NamedVariables;
use crate::variables::{self, VariableId};
use crate::worker_pool;

/// How often a local task is tried unless the URL or `spark.task.maxFailures` says so; Spark's own number.
const LOCAL_MAX_FAILURES: u32 = 1;

/// Where RDDs are made and jobs run: the settings and the executors of a program.
///
/// Cloning is shallow. A program may have several contexts; the worker threads of one end when its last handle (and its
/// last RDD) is dropped.
///
/// # Examples
/// ```
/// use millstream_core::{Conf, Context};
///
/// let context = Context::new(Conf::empty().set_master("local[2]").set_app_name("sum"))?;
/// assert_eq!(context.parallelize(1..=4, 2).reduce(|a, b| a + b)?, Some(10));
/// # Ok::<(), millstream_core::Error>(())
/// ```
#[doc(alias = "SparkContext")]
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    conf: Conf,
    start_time: SystemTime,
    is_local: bool,
    engine: Arc<Engine>,
    files: FileSystems,
    memory: Memory,
    disk: Disk,
    persisted: Persisted,
    checkpoint_dir: Mutex<Option<FsPath>>,
    /// Whether a checkpoint was ever asked for: only then jobs look whether one is due.
    any_checkpoints: AtomicBool,
    default_parallelism: usize,
    strict_closures: bool,
    /// No other context has it, in any process.
    number: u64,
    next_rdd: AtomicU64,
    next_shuffle: AtomicU64,
    next_broadcast: AtomicU64,
    next_accumulator: AtomicU64,
    named_variables: NamedVariables,
}

impl Drop for Inner {
    fn drop(&mut self) {
        worker_pool::context_ended(self.number);
    }
}

thread_local! {
    static BATCH: Cell<Option<BatchId>> = const { Cell::new(None) };
}

/// Runs `f` with all jobs started on this thread belonging to a batch.
pub fn with_batch<R>(batch: BatchId, f: impl FnOnce() -> R) -> R {
    struct Leave(Option<BatchId>);
    impl Drop for Leave {
        fn drop(&mut self) {
            BATCH.set(self.0);
        }
    }
    let _leave = Leave(BATCH.replace(Some(batch)));
    f()
}

/// Returns the batch that jobs started on this thread belong to.
pub(crate) fn batch() -> Option<BatchId> {
    BATCH.get()
}

impl Context {
    /// Starts the executors that `spark.master` names: `local`, `local[n]`, `local[*]` or `local[n,maxFailures]`.
    ///
    /// # Errors
    /// If a setting can not be used or threads can not be started.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, Context};
    ///
    /// let context = Context::new(Conf::empty().set_master("local[2]"))?;
    /// assert_eq!(context.parallelize([1, 2, 3], 2).count()?, 3);
    /// assert!(Context::new(Conf::empty().set_master("yarn")).is_err());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn new(conf: Conf) -> Result<Self> {
        conf.validate()?;
        let Master::Local { threads, .. } = Master::of(&conf)?;
        Self::made(conf, LocalExecutor::new(threads)?, true)
    }

    /// Runs tasks on an executor of one's own.
    ///
    /// # Errors
    /// If a setting can not be used.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::scheduler::local::LocalExecutor;
    /// use millstream_core::{Conf, Context};
    ///
    /// let context = Context::with_executor(Conf::empty(), LocalExecutor::new(3)?)?;
    /// assert_eq!(context.default_parallelism(), 3);
    /// assert_eq!(context.parallelize([1, 2, 3], 3).count()?, 3);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn with_executor(conf: Conf, executor: impl Executor + 'static) -> Result<Self> {
        conf.validate()?;
        Self::made(conf, executor, false)
    }

    fn made(conf: Conf, executor: impl Executor + 'static, is_local: bool) -> Result<Self> {
        conf.notices().iter().for_each(|notice| tracing::warn!("{notice}"));
        let Master::Local { max_failures, .. } = Master::of(&conf)?;
        let max_failures = match max_failures {
            Some(url) => url,
            None if conf.contains(settings::TASK_MAX_FAILURES.key()) => {
                conf.get(settings::TASK_MAX_FAILURES)?
            }
            None => LOCAL_MAX_FAILURES,
        };
        let engine =
            Engine::new(Box::new(executor), max_failures, Mode::of(&conf)?, allocation::pools(&conf)?);
        let default_parallelism = conf.get(settings::DEFAULT_PARALLELISM)?.unwrap_or(engine.slots());
        let strict_closures = conf.get(settings::CLOSURES_STRICT)?;
        let files = FileSystems::new(conf.clone());
        let (memory, disk) = (Memory::of(&conf)?, Disk::of(&conf)?);
        Ok(Context(Arc::new(Inner {
            conf,
            start_time: SystemTime::now(),
            is_local,
            engine,
            files,
            memory,
            disk,
            persisted: Persisted::default(),
            checkpoint_dir: Mutex::default(),
            any_checkpoints: AtomicBool::new(false),
            default_parallelism,
            strict_closures,
            number: variables::unique(),
            next_rdd: AtomicU64::new(0),
            next_shuffle: AtomicU64::new(0),
            next_broadcast: AtomicU64::new(0),
            next_accumulator: AtomicU64::new(0),
            named_variables: NamedVariables::default(),
        })))
    }

    /// Returns the settings.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, Context};
    ///
    /// let context = Context::new(Conf::empty().set_app_name("counts"))?;
    /// assert_eq!(context.conf().app_name()?, "counts");
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[doc(alias = "getConf")]
    pub fn conf(&self) -> &Conf {
        &self.0.conf
    }

    /// Returns the file systems of the schemes that are registered, made with the settings.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::FsPath;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    ///
    /// let here = FsPath::from_path(std::env::temp_dir())?;
    /// assert!(context.file_systems().of(&here)?.exists(&here)?);
    /// assert!(context.file_systems().of(&FsPath::parse("gopher://host/")?).is_err());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn file_systems(&self) -> FileSystems {
        self.0.files.clone()
    }

    /// Returns the memory that kept blocks and tasks share.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let used = context.memory().used();
    /// let numbers = context.range(0, 100_000, 1, 2).persist();
    /// numbers.count()?;
    /// assert!(context.memory().used() >= used + 800_000);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.0.memory
    }

    /// Returns the scratch directory.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::StorageLevel;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    ///
    /// assert!(context.disk().directories().is_empty(), "nothing was written yet");
    /// let numbers = context.range(0, 1000, 1, 2).persist_with(StorageLevel::DISK_ONLY)?;
    /// numbers.count()?;
    /// assert_eq!(context.disk().directories().len(), 1);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn disk(&self) -> &Disk {
        &self.0.disk
    }

    /// Returns the number of reduce tasks unless one is given: `spark.default.parallelism`, else the worker threads.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, Context};
    ///
    /// let conf = Conf::empty().set_master("local[2]");
    /// assert_eq!(Context::new(conf.clone())?.default_parallelism(), 2);
    /// assert_eq!(Context::new(conf.set("spark.default.parallelism", "6"))?.default_parallelism(), 6);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn default_parallelism(&self) -> usize {
        self.0.default_parallelism
    }

    /// Cancels all jobs and refuses new ones; closes what its tasks have left in a [`WorkerPool`](crate::WorkerPool).
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Error;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize([1, 2], 2);
    /// context.stop();
    /// assert!(matches!(numbers.count(), Err(Error::Stopped)));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn stop(&self) {
        self.0.engine.stop();
        worker_pool::context_stopped(self.0.number);
    }

    /// Returns whether the context was stopped.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert!(!context.is_stopped());
    /// context.clone().stop();
    /// assert!(context.is_stopped());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.engine.is_stopped()
    }

    /// Returns whether both are handles of one context.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::{Conf, Context};
    /// let context = Context::new(Conf::empty())?;
    /// assert!(context.is_same(&context.clone()) && !context.is_same(&Context::new(Conf::empty())?));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_same(&self, other: &Context) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn persisted(&self) -> &Persisted {
        &self.0.persisted
    }

    pub(crate) fn any_checkpoints(&self) -> &AtomicBool {
        &self.0.any_checkpoints
    }

    pub(crate) fn strict_closures(&self) -> bool {
        self.0.strict_closures
    }

    pub(crate) fn next_rdd(&self) -> RddId {
        RddId(self.0.next_rdd.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn next_shuffle(&self) -> ShuffleId {
        ShuffleId(self.0.next_shuffle.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns a number that no other context has, in any process.
    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }

    pub(crate) fn next_broadcast(&self) -> VariableId {
        VariableId { context: self.0.number, number: self.0.next_broadcast.fetch_add(1, Ordering::Relaxed) }
    }

    pub(crate) fn next_accumulator(&self) -> VariableId {
        VariableId { context: self.0.number, number: self.0.next_accumulator.fetch_add(1, Ordering::Relaxed) }
    }

    pub(crate) fn named_variables(&self) -> &NamedVariables {
        &self.0.named_variables
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.0.engine
    }

    /// Runs a job for the batch and with the local properties of this thread; waits for its end.
    pub(crate) fn run_job(&self, action: Arc<dyn AnyAction>, partitions: Vec<usize>) -> Result<Vec<Value>> {
        let rdd = action.rdd();
        let result = self.0.engine.run(action, partitions, batch(), &self.local_properties())?;
        checkpoint::after_job(self, &rdd)?;
        Ok(result)
    }
}
