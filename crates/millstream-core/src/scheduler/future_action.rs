//! `FutureAction`: an action that runs on a thread of its own.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::state::Which;
use crate::context::{self, Context, with_batch};
use crate::error::{Error, Result};
use crate::ids::JobId;
use crate::operator::Operator;

/// An action that runs on a thread of its own: `count_async` and its like return one.
///
/// Its jobs belong to the job group, the pool and the batch of the thread that started it. Dropping it lets it run on.
///
/// # Examples
/// ```
/// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
/// let counting = context.parallelize(0..100, 4).count_async();
/// assert_eq!(counting.wait()?, 100);
/// # Ok::<(), millstream_core::Error>(())
/// ```
#[must_use = "the result is to be waited for"]
pub struct FutureAction<R> {
    context: Context,
    started: Arc<Started>,
    thread: Result<JoinHandle<Result<R>>>,
}

/// The jobs of an asynchronous action.
#[derive(Default)]
pub(crate) struct Started(Mutex<State>);

#[derive(Default)]
struct State {
    jobs: Vec<JobId>,
    /// Why no more jobs may begin.
    cancelled: Option<String>,
}

thread_local! {
    /// The asynchronous action that this thread runs.
    static OWN: RefCell<Option<Arc<Started>>> = const { RefCell::new(None) };
}

/// Returns the asynchronous action that this thread runs.
pub(crate) fn of_this_thread() -> Option<Arc<Started>> {
    OWN.with_borrow(Clone::clone)
}

impl Started {
    /// Takes note of a job, unless no more may begin.
    pub(crate) fn begins(&self, job: JobId) -> Result<()> {
        let mut state = self.lock();
        match &state.cancelled {
            Some(reason) => Err(Error::Cancelled { job, reason: reason.clone() }),
            None => {
                state.jobs.push(job);
                Ok(())
            }
        }
    }

    pub(crate) fn cancelled(&self) -> Option<String> {
        self.lock().cancelled.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Send + 'static> FutureAction<R> {
    /// Runs `action` on a thread of its own, with what this thread has set for its jobs.
    pub(crate) fn start(
        context: &Context,
        operator: &Operator,
        action: impl FnOnce() -> Result<R> + Send + 'static,
    ) -> Self {
        let started = Arc::new(Started::default());
        let (own, properties, batch) = (Arc::clone(&started), context.local_properties(), context::batch());
        let of_thread = context.clone();
        let run = move || {
            OWN.set(Some(own));
            of_thread.with_local_properties(properties, || match batch {
                Some(batch) => with_batch(batch, action),
                None => action(),
            })
        };
        let thread = std::thread::Builder::new().name(operator.name.to_string()).spawn(run);
        let thread = thread.map_err(|error| Error::io(format!("starting a thread for {operator}"), error));
        FutureAction { context: context.clone(), started, thread }
    }
}

impl<R> FutureAction<R> {
    /// Waits for the result.
    ///
    /// # Errors
    /// What the action failed with; [`Error::Cancelled`] after [`cancel`](FutureAction::cancel).
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize(1..=4, 2).collect_async().wait()?, [1, 2, 3, 4]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[doc(alias("get", "result"))]
    pub fn wait(self) -> Result<R> {
        self.thread?
            .join()
            .unwrap_or_else(|_| Err(Error::user("the thread of an asynchronous action panicked")))
    }

    /// Ends the action: its running job is cancelled, and it starts no other.
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
    pub fn cancel(&self) {
        self.cancel_with("its asynchronous action was cancelled");
    }

    /// Ends the action and says why.
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
    /// endless.cancel_with("enough was seen");
    /// assert!(endless.wait().is_err_and(|error| error.to_string().contains("enough was seen")));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn cancel_with(&self, reason: &str) {
        let mut state = self.started.lock();
        state.cancelled.get_or_insert_with(|| reason.to_owned());
        let jobs = state.jobs.clone();
        drop(state);
        for job in jobs {
            self.context.engine().cancel(Which::One(job), Some(reason.to_owned()));
        }
    }

    /// Returns whether [`cancel`](FutureAction::cancel) was called.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let counting = context.parallelize(0..100, 4).count_async();
    /// assert!(!counting.is_cancelled());
    /// counting.cancel();
    /// assert!(counting.is_cancelled());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.started.cancelled().is_some()
    }

    /// Returns whether the result is there.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let counting = context.parallelize(0..100, 4).count_async();
    /// while !counting.is_completed() {
    ///     std::thread::yield_now();
    /// }
    /// assert_eq!(counting.wait()?, 100);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.thread.as_ref().is_ok_and(JoinHandle::is_finished) || self.thread.is_err()
    }

    /// Returns the jobs that the action has started so far.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let counting = context.parallelize(0..100, 4).count_async();
    /// while !counting.is_completed() {
    ///     std::thread::yield_now();
    /// }
    /// assert_eq!(counting.job_ids().len(), 1);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn job_ids(&self) -> Vec<JobId> {
        self.started.lock().jobs.clone()
    }
}

impl<R> fmt::Debug for FutureAction<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FutureAction")
            .field("jobs", &self.job_ids())
            .field("done", &self.is_completed())
            .finish()
    }
}
