//! The door of the scheduler: runs jobs for any thread and performs the scheduler's actions.
//!
//! There is no scheduler thread: whoever brings an event (a thread that submits a job, a worker that has ended a task)
//! steps the scheduler under its lock and performs the actions after it.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::action::{AnyAction, Value};
use super::executor::{Executor, Report};
use super::stage;
use super::state::{Action, Event, Scheduler};
use crate::error::{Error, Result};
use crate::ids::JobId;
use crate::task::{BatchId, TaskContext};

/// How often a job is planned again because a cached partition it was planned around was freed.
const REPLANS: usize = 3;

pub(crate) struct Engine {
    scheduler: Mutex<Scheduler>,
    executor: Box<dyn Executor>,
    waiters: Mutex<HashMap<JobId, Arc<Waiter>>>,
    next_job: AtomicU64,
    stopped: AtomicBool,
}

/// Where the thread that submitted a job waits for its end.
#[derive(Default)]
struct Waiter {
    result: Mutex<Option<Result<Vec<Value>>>>,
    ended: Condvar,
}

impl Engine {
    pub(crate) fn new(executor: Box<dyn Executor>, max_failures: u32) -> Arc<Self> {
        Arc::new(Engine {
            scheduler: Mutex::new(Scheduler::new(max_failures)),
            executor,
            waiters: Mutex::default(),
            next_job: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        })
    }

    pub(crate) fn slots(&self) -> usize {
        self.executor.slots()
    }

    /// Runs a job and waits for its end.
    pub(crate) fn run(
        self: &Arc<Self>,
        action: Arc<dyn AnyAction>,
        partitions: Vec<usize>,
        batch: Option<BatchId>,
    ) -> Result<Vec<Value>> {
        if TaskContext::get().is_some() {
            return Err(Error::NestedJob { operator: action.operator().to_string() });
        }
        let mut tries = 0;
        loop {
            let result = self.run_once(Arc::clone(&action), partitions.clone(), batch);
            match &result {
                Err(Error::JobFailed(failure))
                    if matches!(failure.cause, Error::Freed) && tries < REPLANS =>
                {
                    tries += 1;
                }
                _ => return result,
            }
        }
    }

    fn run_once(
        self: &Arc<Self>,
        action: Arc<dyn AnyAction>,
        partitions: Vec<usize>,
        batch: Option<BatchId>,
    ) -> Result<Vec<Value>> {
        let plan = stage::plan(action, partitions)?;
        let job = JobId(self.next_job.fetch_add(1, Ordering::Relaxed));
        let waiter = Arc::new(Waiter::default());
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner).insert(job, Arc::clone(&waiter));
        self.handle(Event::Submit { job, plan, batch });
        waiter.wait()
    }

    /// Cancels all jobs and refuses new ones.
    pub(crate) fn stop(self: &Arc<Self>) {
        self.stopped.store(true, Ordering::Release);
        self.handle(Event::Stop);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    fn handle(self: &Arc<Self>, event: Event) {
        let step = || Some(self.scheduler.lock().ok()?.handle(event));
        // Caught outside of the lock, which is then poisoned: nothing the scheduler says can be trusted any more.
        let Ok(Some(actions)) = catch_unwind(AssertUnwindSafe(step)) else {
            return self.break_down();
        };
        for action in actions {
            match action {
                Action::Launch(task) => {
                    let engine = Arc::downgrade(self);
                    let report = Report::new(move |task, how| {
                        if let Some(engine) = engine.upgrade() {
                            engine.handle(Event::TaskEnded { task, how });
                        }
                    });
                    self.executor.launch(task, report);
                }
                Action::Forget(job) => drop(job),
                Action::Finish(job, result) => {
                    let waiter = self.waiters.lock().unwrap_or_else(PoisonError::into_inner).remove(&job);
                    if let Some(waiter) = waiter {
                        waiter.end(result);
                    }
                }
            }
        }
    }

    /// Tells everyone who waits that nothing more will come.
    fn break_down(&self) {
        self.stopped.store(true, Ordering::Release);
        for (_, waiter) in self.waiters.lock().unwrap_or_else(PoisonError::into_inner).drain() {
            waiter.end(Err(Error::poisoned("the scheduler panicked")));
        }
    }
}

impl Waiter {
    fn wait(&self) -> Result<Vec<Value>> {
        let mut result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(result) = result.take() {
                return result;
            }
            result = self.ended.wait(result).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn end(&self, result: Result<Vec<Value>>) {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        self.ended.notify_one();
    }
}
