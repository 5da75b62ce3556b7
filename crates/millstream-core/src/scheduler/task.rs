//! What an executor is handed, and what comes back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::action::{AnyAction, Value};
use super::panics;
use super::properties::LocalProperties;
use crate::accumulator::updates::{self, Updates};
use crate::error::{Error, Result};
use crate::ids::{ShuffleId, TaskId};
use crate::rdd::AnyRdd;
use crate::shuffle::{AnyShuffle, Bucket, ShuffleOutputs};
use crate::task::{BatchId, Space, TaskContext};

/// A stage's code to be run on one partition.
pub struct Task {
    pub(crate) id: TaskId,
    pub(crate) work: Work,
    pub(crate) batch: Option<BatchId>,
    pub(crate) properties: LocalProperties,
    pub(crate) cancelled: Arc<AtomicBool>,
    /// The shuffles the stage begins with.
    pub(crate) inputs: Vec<(ShuffleId, Arc<ShuffleOutputs>)>,
}

/// A stage's code: it ends in a shuffle or in an action.
#[derive(Clone)]
pub(crate) enum Work {
    /// With the RDD that reads the shuffle, which is how another process finds it.
    Shuffle(Arc<dyn AnyShuffle>, AnyRdd),
    Action(Arc<dyn AnyAction>),
}

/// What a task has made, and what it has added to accumulators.
pub struct Output {
    pub(crate) made: Made,
    pub(crate) updates: Updates,
}

/// What a task has made.
pub(crate) enum Made {
    /// A bucket for each reducer.
    Buckets(Vec<Bucket>),
    /// The result of an action on the partition.
    Value(Value),
}

/// Why a task failed.
#[derive(Debug, Clone)]
pub struct TaskFailure {
    /// The operator that failed, with the place of its call.
    pub operator: String,
    /// What it failed with.
    pub cause: Error,
}

impl Work {
    /// Returns the RDD at the end of the stage.
    pub(crate) fn rdd(&self) -> AnyRdd {
        match self {
            Work::Shuffle(shuffle, _) => shuffle.parent(),
            Work::Action(action) => action.rdd(),
        }
    }

    /// Returns the operator to name when no other is known.
    pub(crate) fn operator(&self) -> String {
        match self {
            // What sorts records into buckets is the work of the operator that reads them.
            Work::Shuffle(_, reader) => reader.info().operator.to_string(),
            Work::Action(action) => action.operator().to_string(),
        }
    }

    pub(crate) fn run(&self, partition: usize, task: &TaskContext) -> Result<Made> {
        match self {
            Work::Shuffle(shuffle, _) => shuffle.write(partition, task).map(Made::Buckets),
            Work::Action(action) => action.run(partition, task).map(Made::Value),
        }
    }
}

impl Task {
    /// Returns which task this is.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Runs the task on this thread; a panic of a user's closure is a failure like any other.
    ///
    /// # Errors
    /// What the operator at work failed with.
    pub fn run(self) -> Result<Output, TaskFailure> {
        let Task { id, work, batch, properties, cancelled, inputs } = self;
        let rdd = work.rdd();
        let of = &rdd.info().context;
        let space = Space { context: of.number(), memory: of.memory().clone(), disk: of.disk().clone() };
        let context = TaskContext::new(id, rdd.partitions(), batch, properties, cancelled, inputs, space);
        let ended = work.run_in(&context);
        // If its job has ended meanwhile it may be the last that holds what the job has made, or was made of.
        panics::let_go("what a task worked with", || drop((context, rdd, work)));
        ended
    }
}

impl Work {
    fn run_in(&self, context: &TaskContext) -> Result<Output, TaskFailure> {
        let run = || {
            context.check_cancelled()?;
            self.run(context.partition_id(), context)
        };
        updates::begin();
        let result = context.enter(|| {
            let made = panics::noted(|| catch_unwind(AssertUnwindSafe(run)));
            context.ended(made.unwrap_or_else(|panic| Err(Error::user(panic))))
        });
        // Also those of a failure are taken away, which do not count.
        let updates = updates::end();
        let cause = match result {
            Ok(made) => return Ok(Output { made, updates }),
            Err(cause) => cause,
        };
        if !updates.is_empty() {
            // A later attempt that found a partition kept by this one would not add again what does not count.
            context.leave_nothing();
        }
        panics::let_go("what a failed task has added to accumulators", || drop(updates));
        let failed = TaskContext::failed_operator();
        let (cause, operator) = TaskContext::broken_records().unwrap_or((cause, failed));
        let operator = operator.map_or_else(|| self.operator(), |operator| operator.to_string());
        Err(TaskFailure { operator, cause })
    }
}
