//! The door of the scheduler: runs jobs for any thread and performs the scheduler's actions.
//!
//! There is no scheduler thread: whoever brings an event (a thread that submits a job, a worker that has ended a task)
//! steps the scheduler under its lock and performs the actions after it.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::action::{AnyAction, Value};
use super::allocation::{Mode, PoolSpec};
use super::executor::{Executor, Report};
use super::properties::LocalProperties;
use super::queue::Queue;
use super::stage::{self, Plan};
use super::state::{Action, Event, Scheduler, Which};
use super::{future_action, job_thread, panics};
use crate::accumulator::counted::Counted;
use crate::accumulator::updates::Updates;
use crate::error::{Error, Result};
use crate::ids::JobId;
use crate::storage::cache::Trust;
use crate::task::{BatchId, TaskContext};

/// How often a job is planned again because a cached partition it was planned around was freed.
const REPLANS: usize = 3;

pub(crate) struct Engine {
    scheduler: Mutex<Scheduler>,
    executor: Box<dyn Executor>,
    waiters: Mutex<HashMap<JobId, Arc<Waiter>>>,
    /// What tasks have added to accumulators and was not counted yet, in the order in which the scheduler took it.
    uncounted: Mutex<VecDeque<Updates>>,
    /// Held by who counts.
    counting: Mutex<()>,
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
    /// Makes an engine whose jobs share the executor's slots as `mode` and `pools` say.
    pub(crate) fn new(
        executor: Box<dyn Executor>,
        max_failures: u32,
        mode: Mode,
        pools: Vec<PoolSpec>,
    ) -> Arc<Self> {
        let queue = Queue::new(executor.slots(), mode, pools);
        Arc::new(Engine {
            scheduler: Mutex::new(Scheduler::new(max_failures, queue)),
            executor,
            waiters: Mutex::default(),
            uncounted: Mutex::default(),
            counting: Mutex::default(),
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
        properties: &LocalProperties,
    ) -> Result<Vec<Value>> {
        if TaskContext::get().is_some() {
            return Err(Error::NestedJob { operator: action.operator().to_string() });
        }
        // Of all tries: what was counted by one is not counted by the next.
        let counted = Counted::default();
        let mut tries = 0;
        loop {
            // Each time less is taken for granted; in the end only what can not be computed again.
            let trust = match tries {
                0 => Trust::AsItLies,
                1 => Trust::OnDisk,
                _ => Trust::Never,
            };
            let (plan, _holds) =
                stage::plan(Arc::clone(&action), partitions.clone(), counted.clone(), trust)?;
            let result = self.run_once(plan, batch, properties.clone());
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
        plan: Plan,
        batch: Option<BatchId>,
        properties: LocalProperties,
    ) -> Result<Vec<Value>> {
        let job = JobId(self.next_job.fetch_add(1, Ordering::Relaxed));
        let future = future_action::of_this_thread();
        if let Some(future) = &future {
            future.begins(job)?;
        }
        let waiter = Arc::new(Waiter::default());
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner).insert(job, Arc::clone(&waiter));
        let mut event = Some(Event::Submit { job, plan, batch, properties });
        let mut submit = || {
            if let Some(event) = event.take() {
                self.handle(event);
            }
        };
        match job_thread::is_one() {
            true => self.executor.help(job, &mut submit, &|| waiter.has_ended()),
            false => submit(),
        }
        if let Some(reason) = future.and_then(|future| future.cancelled()) {
            // It may have been cancelled before the scheduler knew the job.
            self.cancel(Which::One(job), Some(reason));
        }
        waiter.wait()
    }

    /// Waits until no task of a job that has ended with an error runs any more; returns whether that is so.
    ///
    /// A job ends with its first hopeless failure, its other tasks when they next look.
    pub(crate) fn wait_for_tasks_after(&self, error: &Error, at_most: Duration) -> bool {
        let job = match error {
            Error::JobFailed(failure) => failure.job,
            Error::Cancelled { job, .. } => *job,
            _ => return true,
        };
        let began = Instant::now();
        let runs = || self.scheduler.lock().is_ok_and(|scheduler| scheduler.runs_any(job));
        while runs() {
            if began.elapsed() >= at_most {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// Ends some jobs now.
    pub(crate) fn cancel(self: &Arc<Self>, which: Which, reason: Option<String>) {
        self.handle(Event::Cancel { which, reason });
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
        let step = || {
            let mut scheduler = self.scheduler.lock().ok()?;
            let mut actions = scheduler.handle(event);
            // Under the lock, so that whoever performs the end of a job finds all that its tasks have added.
            self.take_updates(&mut actions);
            Some(actions)
        };
        // Caught outside of the lock, which is then poisoned: nothing the scheduler says can be trusted any more.
        let Ok(Some(actions)) = catch_unwind(AssertUnwindSafe(step)) else {
            return self.break_down();
        };
        let mut added = false;
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
                Action::Forget(id, job) => {
                    panics::let_go("what a job held", || drop(job));
                    self.executor.cancel(id);
                }
                Action::LetGo(left) => panics::let_go("what a job had no use for", || drop(left)),
                Action::Count(_) => added = true,
                Action::Finish(job, result) => {
                    self.count();
                    let waiter = self.waiters.lock().unwrap_or_else(PoisonError::into_inner).remove(&job);
                    if let Some(waiter) = waiter {
                        waiter.end(result);
                    }
                }
            }
        }
        if added {
            self.count();
        }
    }

    fn take_updates(&self, actions: &mut Vec<Action>) {
        for action in actions {
            if let Action::Count(updates) = action {
                let updates = std::mem::take(updates);
                self.uncounted.lock().unwrap_or_else(PoisonError::into_inner).push_back(updates);
            }
        }
    }

    /// Adds what tasks have added to their accumulators; returns when all that was taken before is there.
    fn count(&self) {
        let next = || self.uncounted.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let _counting = self.counting.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(updates) = next() {
            updates.count();
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

    fn has_ended(&self) -> bool {
        self.result.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn end(&self, result: Result<Vec<Value>>) {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        self.ended.notify_one();
    }
}
