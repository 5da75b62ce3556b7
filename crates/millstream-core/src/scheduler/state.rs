//! The scheduler: events in, actions out. It performs nothing itself.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::action::Value;
use super::executor::Ended;
use super::properties::{JOB_GROUP, LocalProperties};
use super::queue::Queue;
use super::stage::{Plan, PlannedStage};
use super::task::{Made, Output, Task, TaskFailure, Work};
use crate::accumulator::updates::Updates;
use crate::error::{Error, JobFailure, Result};
use crate::ids::{JobId, StageId, TaskId};
use crate::shuffle::ShuffleOutputs;
use crate::task::BatchId;

/// What the scheduler is told.
pub(crate) enum Event {
    Submit {
        job: JobId,
        plan: Plan,
        batch: Option<BatchId>,
        properties: LocalProperties,
    },
    TaskEnded {
        task: TaskId,
        how: Ended,
    },
    /// End some jobs now.
    Cancel {
        which: Which,
        reason: Option<String>,
    },
    /// Cancel all jobs and refuse new ones.
    Stop,
}

/// Which jobs are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Which {
    One(JobId),
    Group(String),
    Tag(String),
    All,
}

/// What is to be done.
pub(crate) enum Action {
    Launch(Task),
    /// Add what a task has added to accumulators. Not done here, because it is the user's code.
    Count(Updates),
    /// Drop what is not needed, for the same reason as a job.
    LetGo(Box<dyn Any + Send>),
    /// Nothing more is needed of a job: drop it. Not done here, because what goes with it may be large and may hold values
    /// whose `Drop` is the user's code.
    Forget(JobId, Job),
    /// The job has ended, with the results in the order of the partitions it asked for.
    Finish(JobId, Result<Vec<Value>>),
}

pub(crate) struct Scheduler {
    /// How often a task may fail before its job does.
    max_failures: u32,
    next_stage: u64,
    jobs: HashMap<JobId, Job>,
    queue: Queue,
    stopped: bool,
}

pub(crate) struct Job {
    batch: Option<BatchId>,
    properties: LocalProperties,
    /// Its place in the queue.
    pool: usize,
    /// Seen by the job's running tasks, which then stop.
    cancelled: Arc<AtomicBool>,
    stages: Vec<Stage>,
}

struct Stage {
    id: StageId,
    plan: PlannedStage,
    /// By place in the plan's list of partitions.
    attempts: Vec<u32>,
    failures: Vec<u32>,
    outputs: Vec<Option<Made>>,
    missing: usize,
    /// Partitions to be launched once the parents' buckets are there.
    wanted: BTreeSet<usize>,
    progress: Progress,
}

enum Progress {
    /// Not begun, or what it made is used up.
    Idle,
    Running,
    /// Of a stage that ends in a shuffle: its buckets.
    Done(Arc<ShuffleOutputs>),
}

impl Scheduler {
    pub(crate) fn new(max_failures: u32, queue: Queue) -> Self {
        Scheduler { max_failures, next_stage: 0, jobs: HashMap::new(), queue, stopped: false }
    }

    /// Takes note of an event and says what is to be done, in order.
    pub(crate) fn handle(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Submit { job, plan, batch, properties } => {
                self.submit(job, plan, batch, properties, &mut actions);
            }
            Event::TaskEnded { task, how } => {
                self.queue.ended(task);
                self.task_ended(task, how, &mut actions);
            }
            Event::Cancel { which, reason } => self.cancel(&which, reason.as_deref(), &mut actions),
            Event::Stop => {
                self.stopped = true;
                for job in self.jobs.keys().copied().collect::<Vec<_>>() {
                    let reason = "the context was stopped".into();
                    self.fail(job, Error::Cancelled { job, reason }, &mut actions);
                }
            }
        }
        actions.extend(std::iter::from_fn(|| self.queue.next()).map(Action::Launch));
        actions
    }

    /// Returns whether a task of a job runs, also of one that has ended.
    pub(crate) fn runs_any(&self, job: JobId) -> bool {
        self.queue.runs_any(job)
    }

    fn submit(
        &mut self,
        id: JobId,
        plan: Plan,
        batch: Option<BatchId>,
        properties: LocalProperties,
        actions: &mut Vec<Action>,
    ) {
        if self.stopped {
            return actions.push(Action::Finish(id, Err(Error::Stopped)));
        }
        let stages: Vec<Stage> = plan.stages.into_iter().map(|plan| self.stage(plan)).collect();
        let pool = self.queue.pool_of(&properties);
        let mut job = Job { batch, properties, pool, cancelled: Arc::default(), stages };
        let last = job.stages.len().saturating_sub(1);
        if job.stages.last().is_none_or(|stage| stage.missing == 0) {
            actions.push(Action::Finish(id, Ok(Vec::new())));
            return;
        }
        let all = 0..job.stages.get(last).map_or(0, |stage| stage.missing);
        job.want(id, last, all, &mut self.queue, actions);
        self.jobs.insert(id, job);
    }

    fn stage(&mut self, plan: PlannedStage) -> Stage {
        let id = StageId(self.next_stage);
        self.next_stage += 1;
        let tasks = plan.partitions.len();
        let left = plan.reuse.as_ref().and_then(|reuse| reuse.outputs.clone());
        // Without tasks there is nothing that could end; what has no records can be read again and again.
        let empty = match &plan.work {
            Work::Shuffle(shuffle, _) if tasks == 0 => {
                Some(Arc::new(ShuffleOutputs::new(Vec::new(), shuffle.reducers(), true)))
            }
            _ => None,
        };
        Stage {
            id,
            attempts: vec![0; tasks],
            failures: vec![0; tasks],
            outputs: (0..tasks).map(|_| None).collect(),
            missing: tasks,
            wanted: BTreeSet::new(),
            progress: left.or(empty).map_or(Progress::Idle, Progress::Done),
            plan,
        }
    }

    fn task_ended(&mut self, task: TaskId, how: Ended, actions: &mut Vec<Action>) {
        let awaited = self.jobs.get_mut(&task.job).and_then(|job| Some((job.awaits(task)?, job)));
        // A result may come twice, or after its job has ended.
        let Some(((at, slot), job)) = awaited else { return actions.push(Action::LetGo(Box::new(how))) };
        let stage = &mut job.stages[at];
        match how {
            Ended::Succeeded(Output { made, updates }) => {
                if stage.plan.counted.claim(task.partition) {
                    actions.extend((!updates.is_empty()).then_some(Action::Count(updates)));
                } else {
                    actions.push(Action::LetGo(Box::new(updates)));
                }
                stage.outputs[slot] = Some(made);
                stage.missing -= 1;
                // It may be the late result of an attempt that was given up.
                stage.wanted.remove(&slot);
                if stage.missing == 0 {
                    self.stage_done(task.job, at, actions);
                }
            }
            // An older attempt's end says nothing about the one that runs, or will run once there are buckets for it.
            _ if task.attempt + 1 != stage.attempts[slot] || stage.wanted.contains(&slot) => {}
            Ended::Lost(_) => job.want(task.job, at, slot..slot + 1, &mut self.queue, actions),
            Ended::Failed(failure) => {
                stage.failures[slot] += 1;
                let attempts = stage.failures[slot];
                let hopeless = matches!(failure.cause, Error::Freed | Error::Poisoned { .. });
                if attempts < self.max_failures && !hopeless {
                    job.want(task.job, at, slot..slot + 1, &mut self.queue, actions);
                } else {
                    let TaskFailure { operator, cause } = failure;
                    let batch = job.batch.map(|batch| format!("{} ms", batch.time_ms));
                    let partition = task.partition;
                    let failure = JobFailure { job: task.job, operator, partition, attempts, batch, cause };
                    self.fail(task.job, Error::JobFailed(Arc::new(failure)), actions);
                }
            }
        }
    }

    fn stage_done(&mut self, id: JobId, at: usize, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let stage = &mut job.stages[at];
        let outputs = mem::take(&mut stage.outputs).into_iter().flatten();
        match &stage.plan.work {
            Work::Action(_) => {
                let values = outputs.filter_map(|output| match output {
                    Made::Value(value) => Some(value),
                    Made::Buckets(_) => None,
                });
                let values = values.collect();
                self.forget(id, actions);
                actions.push(Action::Finish(id, Ok(values)));
            }
            Work::Shuffle(shuffle, _) => {
                let buckets = outputs.filter_map(|output| match output {
                    Made::Buckets(buckets) => Some(buckets),
                    Made::Value(_) => None,
                });
                let keep = stage.plan.reuse.as_ref().and_then(|reuse| reuse.keep.as_ref());
                let copied = keep.is_some() || stage.plan.shared;
                let made = Arc::new(ShuffleOutputs::new(buckets.collect(), shuffle.reducers(), copied));
                if let Some(memory) = keep {
                    memory.keep(Arc::clone(&made));
                }
                stage.progress = Progress::Done(made);
                let children = job.stages.iter().enumerate().filter(|(_, child)| {
                    !child.wanted.is_empty() && child.plan.parents.iter().any(|parent| parent.stage == at)
                });
                for child in children.map(|(child, _)| child).collect::<Vec<_>>() {
                    job.want(id, child, 0..0, &mut self.queue, actions);
                }
            }
        }
    }

    fn cancel(&mut self, which: &Which, why: Option<&str>, actions: &mut Vec<Action>) {
        let meant = |(id, job): &(&JobId, &Job)| match which {
            Which::One(one) => *id == one,
            Which::Group(group) => job.properties.get(JOB_GROUP) == Some(group),
            Which::Tag(tag) => job.properties.tags().any(|other| other == tag),
            Which::All => true,
        };
        let mut meant: Vec<JobId> = self.jobs.iter().filter(meant).map(|(id, _)| *id).collect();
        meant.sort();
        let reason = which.reason(why);
        for job in meant {
            self.fail(job, Error::Cancelled { job, reason: reason.clone() }, actions);
        }
    }

    fn fail(&mut self, id: JobId, error: Error, actions: &mut Vec<Action>) {
        if self.jobs.contains_key(&id) {
            self.forget(id, actions);
            actions.push(Action::Finish(id, Err(error)));
        }
    }

    /// Ends a job: what waits is not launched, what runs may stop.
    fn forget(&mut self, id: JobId, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.remove(&id) else { return };
        job.cancelled.store(true, Ordering::Relaxed);
        for stage in &job.stages {
            let waiting = self.queue.remove(job.pool, id, stage.id);
            if !waiting.is_empty() {
                actions.push(Action::LetGo(Box::new(waiting)));
            }
        }
        actions.push(Action::Forget(id, job));
    }
}

impl Which {
    /// Says why the jobs are cancelled.
    pub(crate) fn reason(&self, why: Option<&str>) -> String {
        let what = match (self, why) {
            (Which::One(_), Some(why)) => return why.to_owned(),
            (Which::One(_), None) => "as its caller asked".to_owned(),
            (Which::Group(group), _) => format!("it is part of the cancelled job group `{group}`"),
            (Which::Tag(tag), _) => format!("it has the cancelled job tag `{tag}`"),
            (Which::All, _) => "all jobs were cancelled".to_owned(),
        };
        why.map_or(what.clone(), |why| format!("{what}: {why}"))
    }
}

impl Job {
    /// Returns the place of a task's stage, and of its partition in that, if its result is awaited.
    fn awaits(&self, task: TaskId) -> Option<(usize, usize)> {
        let at = self.stages.iter().position(|stage| stage.id == task.stage)?;
        let stage = self.stages.get(at)?;
        let slot = stage.slot_of(task.partition)?;
        let is_there = stage.outputs.get(slot).is_none_or(Option::is_some);
        (matches!(stage.progress, Progress::Running) && !is_there).then_some((at, slot))
    }

    /// Queues tasks of a stage, or notes them until the buckets they read have been made (again).
    fn want(
        &mut self,
        id: JobId,
        at: usize,
        slots: impl IntoIterator<Item = usize>,
        queue: &mut Queue,
        actions: &mut Vec<Action>,
    ) {
        let stage = &mut self.stages[at];
        if let Progress::Done(used) = mem::replace(&mut stage.progress, Progress::Running) {
            actions.push(Action::LetGo(Box::new(used)));
        }
        stage.wanted.extend(slots);
        let mut inputs = Vec::new();
        let mut waiting = false;
        for n in 0..self.stages[at].plan.parents.len() {
            let stage = &self.stages[at];
            let parent = &stage.plan.parents[n];
            let mut reducers = stage.wanted.iter().flat_map(|&slot| &parent.reducers[slot]);
            let parent = parent.stage;
            match &self.stages[parent].progress {
                Progress::Done(made) if reducers.all(|&reducer| made.is_there(reducer)) => {
                    if let Work::Shuffle(shuffle, _) = &self.stages[parent].plan.work {
                        inputs.push((shuffle.id(), Arc::clone(made)));
                    }
                }
                Progress::Running => waiting = true,
                Progress::Idle | Progress::Done(_) => {
                    waiting = true;
                    let again = self.stages[parent].begin_again();
                    self.want(id, parent, again, queue, actions);
                }
            }
        }
        if waiting {
            return;
        }
        let stage = &mut self.stages[at];
        for slot in mem::take(&mut stage.wanted) {
            let task = TaskId {
                job: id,
                stage: stage.id,
                partition: stage.plan.partitions[slot],
                attempt: stage.attempts[slot],
            };
            stage.attempts[slot] += 1;
            let task = Task {
                id: task,
                work: stage.plan.work.clone(),
                batch: self.batch,
                properties: self.properties.clone(),
                cancelled: Arc::clone(&self.cancelled),
                inputs: inputs.clone(),
            };
            queue.push(self.pool, task);
        }
    }
}

impl Stage {
    /// Returns a partition's place in the plan's list of partitions.
    fn slot_of(&self, partition: usize) -> Option<usize> {
        let partitions = &self.plan.partitions;
        // All partitions in their order is the rule.
        let is_it = |slot: &usize| partitions.get(*slot) == Some(&partition);
        Some(partition).filter(is_it).or_else(|| partitions.iter().position(|&other| other == partition))
    }

    /// Forgets what the stage made; returns all its tasks.
    fn begin_again(&mut self) -> std::ops::Range<usize> {
        let tasks = self.plan.partitions.len();
        self.outputs = (0..tasks).map(|_| None).collect();
        self.missing = tasks;
        0..tasks
    }
}

#[cfg(test)]
pub(super) mod tests;
