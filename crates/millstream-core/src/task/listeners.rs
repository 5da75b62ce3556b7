//! `add_task_completion_listener`, `add_task_failure_listener`: what is called when a task has ended.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::TaskContext;
use crate::error::{Error, Result};
use crate::scheduler::panics;

type OnCompletion = Box<dyn FnOnce(&TaskContext) + Send>;
type OnFailure = Box<dyn FnOnce(&TaskContext, &Error) + Send>;

/// How far the task has come, and who is to be told.
#[derive(Default)]
pub(super) struct Listeners(Mutex<Ending>);

#[derive(Default)]
struct Ending {
    completed: bool,
    failed: bool,
    on_completion: Vec<OnCompletion>,
    on_failure: Vec<OnFailure>,
}

impl TaskContext {
    /// Calls `listener` when the task has ended, be it well or not: the place to close what the task has opened.
    ///
    /// Listeners are called on the task's thread, the one that was added last first, when all records have been read and after
    /// those of a [failure](TaskContext::add_task_failure_listener). What they add to accumulators counts. One that panics
    /// fails the task; the others are called all the same.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::TaskContext;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    ///
    /// let closed = context.long_accumulator("connections closed");
    /// let lines = context.parallelize(0..4, 2).map_partitions_env(closed.clone(), |closed, records| {
    ///     // A connection is opened here, and used for each record.
    ///     let closed = closed.clone();
    ///     if let Some(task) = TaskContext::get() {
    ///         task.add_task_completion_listener(move |_| closed.add(1));
    ///     }
    ///     records.map(|n| n * 2)
    /// });
    /// assert_eq!(lines.collect()?, [0, 2, 4, 6]);
    /// assert_eq!(closed.value(), 2);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn add_task_completion_listener(&self, listener: impl FnOnce(&TaskContext) + Send + 'static) {
        self.ending().on_completion.push(Box::new(listener));
    }

    /// Calls `listener` with the error when the task has failed.
    ///
    /// # Examples
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use millstream_core::TaskContext;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    ///
    /// let told = Arc::new(Mutex::new(String::new()));
    /// let of_task = Arc::clone(&told);
    /// let failed = context.parallelize([1], 1).foreach(move |_| {
    ///     let of_task = Arc::clone(&of_task);
    ///     if let Some(task) = TaskContext::get() {
    ///         task.add_task_failure_listener(move |_, error| *of_task.lock().unwrap() = error.to_string());
    ///     }
    ///     Err("no connection")
    /// });
    /// assert!(failed.is_err());
    /// assert_eq!(*told.lock().unwrap(), "no connection");
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn add_task_failure_listener(&self, listener: impl FnOnce(&TaskContext, &Error) + Send + 'static) {
        self.ending().on_failure.push(Box::new(listener));
    }

    /// Returns whether the task has ended, well or not: in its listeners it has.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::TaskContext;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let completed = context.parallelize([1], 1).map(|_| TaskContext::get().map(|task| task.is_completed()));
    /// assert_eq!(completed.collect()?, [Some(false)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.ending().completed
    }

    /// Returns whether the task has failed: in the listeners of a task that did.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::TaskContext;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let undone = context.long_accumulator("transactions taken back");
    /// let of_task = undone.clone();
    /// context.parallelize([1, 2], 2).foreach_partition(move |_| {
    ///     let undone = of_task.clone();
    ///     if let Some(task) = TaskContext::get() {
    ///         task.add_task_completion_listener(move |task| undone.add(i64::from(task.is_failed())));
    ///     }
    /// })?;
    /// assert_eq!(undone.value(), 0);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.ending().failed
    }

    fn ending(&self) -> MutexGuard<'_, Ending> {
        self.0.listeners.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the listeners how the task ended; returns that, or the panic of a listener.
    pub(crate) fn ended<R>(&self, mut result: Result<R>) -> Result<R> {
        if let Err(error) = &result {
            self.ending().failed = true;
            while let Some(listener) = self.next(|ending| &mut ending.on_failure) {
                // The task has failed: what it failed with is what its user is told.
                let _ = told(|| listener(self, error));
            }
        }
        self.ending().completed = true;
        while let Some(listener) = self.next(|ending| &mut ending.on_completion) {
            if let (Err(panic), Ok(_)) = (told(|| listener(self)), &result) {
                let made = std::mem::replace(&mut result, Err(panic));
                panics::let_go("what a task had made", || drop(made));
            }
        }
        result
    }

    /// Takes the listener that was added last; its call may add others, so that the lock is not held.
    fn next<L>(&self, of: impl Fn(&mut Ending) -> &mut Vec<L>) -> Option<L> {
        of(&mut self.ending()).pop()
    }
}

fn told(listener: impl FnOnce()) -> Result<()> {
    panics::noted(|| catch_unwind(AssertUnwindSafe(listener)))
        .map_err(|panic| Error::user(format!("a listener of the task {panic}")))
}
