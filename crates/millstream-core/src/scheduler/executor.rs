//! Where tasks run: the contract.

use std::sync::Arc;

use super::task::{Output, Task, TaskFailure};
use crate::ids::{JobId, TaskId};

/// Runs tasks somewhere and reports how they ended.
///
/// A task that was launched is reported at least once. What is reported twice, late, or for a job that has ended does no
/// harm: the scheduler counts the first result of each partition.
pub trait Executor: Send + Sync {
    /// Returns how many tasks run at once.
    fn slots(&self) -> usize;

    /// Runs a task, now or when a slot is free; returns without waiting for it.
    fn launch(&self, task: Task, report: Report);

    /// Has `submit` launch the first tasks of a job on behalf of a thread that has nothing to do until the job has ended, and may run
    /// tasks of it on that thread meanwhile; returns when there are none for it.
    ///
    /// By default it runs none.
    fn help(&self, _job: JobId, submit: &mut dyn FnMut(), _has_ended: &dyn Fn() -> bool) {
        submit();
    }

    /// Is told that the results of a job's tasks are no longer wanted, so that those which run may stop; each is still
    /// reported.
    ///
    /// Tasks of this process see it by themselves: by default it does nothing.
    fn cancel(&self, _job: JobId) {}
}

/// How a task ended.
pub enum Ended {
    /// It made its output.
    Succeeded(Output),
    /// Its own code failed: counts against `spark.task.maxFailures`.
    Failed(TaskFailure),
    /// Its executor or its result was lost: it is run again, however often.
    Lost(String),
}

/// Where an executor reports how a task ended.
#[derive(Clone)]
pub struct Report(Arc<dyn Fn(TaskId, Ended) + Send + Sync>);

impl Report {
    pub(crate) fn new(f: impl Fn(TaskId, Ended) + Send + Sync + 'static) -> Self {
        Report(Arc::new(f))
    }

    /// Reports how a task ended.
    pub fn ended(&self, task: TaskId, how: Ended) {
        (self.0)(task, how);
    }
}

impl<E: Executor + ?Sized> Executor for Arc<E> {
    fn slots(&self) -> usize {
        (**self).slots()
    }

    fn launch(&self, task: Task, report: Report) {
        (**self).launch(task, report);
    }

    fn help(&self, job: JobId, submit: &mut dyn FnMut(), has_ended: &dyn Fn() -> bool) {
        (**self).help(job, submit, has_ended);
    }

    fn cancel(&self, job: JobId) {
        (**self).cancel(job);
    }
}
