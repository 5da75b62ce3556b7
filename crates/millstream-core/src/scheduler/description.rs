//! A task as bytes, for another process of the same program.
//!
//! What travels is the lineage of the task's stage: which operator of the graph was applied to what, or the address of
//! the code that makes an RDD; the one partition of each source; the buckets the stage begins with. No code, no closure.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use super::executor::Ended;
use super::properties::LocalProperties;
use super::stage::{KeptRdds, PartitionsRead, ReadShuffle, partitions_read, shuffles_read_by};
use super::task::{Made, Output, Task, TaskFailure, Work};
use crate::accumulator::updates::{SentUpdate, Updates};
pub use crate::broadcast::travel::Peer;
use crate::error::{Error, Result};
use crate::function::{self, CodeAddress};
use crate::ids::{RddId, TaskId};
use crate::operator::{Application, Operator, Origin};
use crate::rdd::{AnyRdd, Dependency};
use crate::storage::cache::Trust;
use crate::task::BatchId;
use crate::variables::VariableId;

/// A task as it travels.
#[derive(Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) id: TaskId,
    pub(crate) batch: Option<BatchId>,
    pub(crate) properties: LocalProperties,
    /// The RDDs of the lineage, parents before children.
    pub(crate) nodes: Vec<NodeSpec>,
    pub(crate) work: WorkSpec,
    /// The buckets the task begins with, by shuffle in the order in which they are met.
    pub(crate) inputs: Vec<Vec<Buckets>>,
}

/// What a process is told.
#[derive(Serialize, Deserialize)]
pub(crate) enum Message {
    /// What it need not keep any longer, and what to do.
    ///
    /// The values it needs for that and has not got follow, each as bytes of its own.
    Run { id: TaskId, forget: Vec<VariableId>, values: Vec<VariableId>, task: Vec<u8> },
    /// That the answer to a task is no longer wanted; it is given all the same.
    Cancel(TaskId),
}

/// What all map tasks of a shuffle have made for one reducer.
#[derive(Serialize, Deserialize)]
pub(crate) struct Buckets {
    pub(crate) reducer: usize,
    pub(crate) by_map_task: Vec<Vec<u8>>,
}

/// How an RDD of the lineage is made.
#[derive(Serialize, Deserialize)]
pub(crate) enum NodeSpec {
    /// The n-th RDD made when an operator of the graph is applied to these RDDs, for a batch.
    Operator { operator: Arc<str>, ordinal: usize, inputs: Vec<usize>, batch: Option<BatchId> },
    /// What the code at an address makes of these RDDs.
    Code {
        operator: Operator,
        build: CodeAddress,
        env: Vec<u8>,
        parents: Vec<usize>,
        partitions: usize,
        splits: Vec<(usize, Vec<u8>)>,
    },
}

/// What the stage ends in.
#[derive(Serialize, Deserialize)]
pub(crate) enum WorkSpec {
    /// The n-th dependency of an RDD, which is a shuffle.
    Shuffle { reader: usize, dependency: usize },
    /// What the code at an address does with an RDD.
    Action { rdd: usize, operator: Operator, build: CodeAddress, env: Vec<u8> },
}

/// What comes back.
#[derive(Serialize, Deserialize)]
pub(crate) enum Reply {
    Buckets(Vec<Vec<u8>>, Vec<SentUpdate>),
    Value(Vec<u8>, Vec<SentUpdate>),
    Failed { operator: String, cause: String },
}

/// A task that was sent away: knows how to read the answer.
pub struct Sent {
    id: TaskId,
    work: Work,
    cancelled: Arc<AtomicBool>,
}

impl Task {
    /// Turns the task into frames of bytes that another process of the same program can run.
    ///
    /// Broadcast values that the task needs go along, but for those which `peer` says that the process has already.
    ///
    /// # Errors
    /// If a closure captures variables without belonging to an operator of a graph, a record can not be written, or a
    /// broadcast value was destroyed.
    pub fn describe(self, peer: &mut Peer) -> Result<(Vec<Vec<u8>>, Sent)> {
        let (task, delivery) = peer.deliver(|| self.description())?;
        let (values, bytes): (Vec<_>, Vec<_>) = delivery.values.into_iter().unzip();
        let message =
            function::encode("task", &Message::Run { id: self.id, forget: delivery.forget, values, task })?;
        let frames = std::iter::once(message).chain(bytes).collect();
        Ok((frames, Sent { id: self.id, work: self.work, cancelled: self.cancelled }))
    }

    fn description(&self) -> Result<Vec<u8>> {
        match self.description_around(Trust::AsItLies) {
            // A kept partition was freed while it was described.
            Err(Error::Freed) => self.description_around(Trust::Never),
            described => described,
        }
    }

    /// Describes the task by the lineage as it is: by another one if that has changed meanwhile, since another job has
    /// completed the checkpoint of an RDD in it. There are only so many that can be.
    fn description_around(&self, trust: Trust) -> Result<Vec<u8>> {
        loop {
            let mut seen = Vec::new();
            let described = self.description_of(trust, &mut seen);
            if seen.iter().all(|(rdd, made_of)| Arc::ptr_eq(&rdd.dependencies(), made_of)) {
                return described;
            }
        }
    }

    fn description_of(&self, trust: Trust, seen: &mut Vec<Seen>) -> Result<Vec<u8>> {
        let kept = KeptRdds::new(trust);
        let mut describer = Describer {
            read: partitions_read(&self.work.rdd(), self.id.partition, &kept),
            kept: &kept,
            nodes: Vec::new(),
            by_rdd: HashMap::new(),
            seen,
        };
        let work = match &self.work {
            Work::Shuffle(shuffle, reader) => {
                let is_it = |dependency: &Dependency| match dependency {
                    Dependency::Shuffle(other) => other.id() == shuffle.id(),
                    Dependency::Narrow(_) => false,
                };
                // Its reader may have a checkpoint by now.
                let dependency = reader.dependencies().iter().position(is_it).ok_or(Error::Freed)?;
                WorkSpec::Shuffle { reader: describer.node(reader)?, dependency }
            }
            Work::Action(action) => WorkSpec::Action {
                rdd: describer.node(&action.rdd())?,
                operator: Operator::clone(action.operator()),
                build: action.build(),
                env: action.env()?,
            },
        };
        let mut inputs = Vec::new();
        for ReadShuffle { reader, shuffle, .. } in shuffles_read_by(&self.work.rdd(), &kept)? {
            let (_, made) = self.inputs.iter().find(|(id, _)| *id == shuffle.id()).ok_or(Error::Freed)?;
            let reducers = describer.read.get(&reader.info().id).into_iter().flatten();
            let buckets = reducers.map(|&reducer| {
                Ok(Buckets { reducer, by_map_task: made.look(reducer, |bucket| shuffle.encode(bucket))? })
            });
            inputs.push(buckets.collect::<Result<_>>()?);
        }
        let (id, batch, properties) = (self.id, self.batch, self.properties.clone());
        let description = Description { id, batch, properties, nodes: describer.nodes, work, inputs };
        function::encode("task", &description)
    }
}

impl Sent {
    /// Returns which task was sent.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Returns whether the result is no longer wanted.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Returns the frame that tells the other process that the answer is no longer wanted, so that the task stops at its next
    /// chunk of records.
    ///
    /// # Errors
    /// If it can not be written as bytes.
    pub fn cancel(&self) -> Result<Vec<u8>> {
        function::encode("cancelled task", &Message::Cancel(self.id))
    }

    /// Reads the other process's answer.
    #[must_use]
    pub fn ended(&self, reply: &[u8]) -> Ended {
        let read = || -> Result<Ended> {
            Ok(match (function::decode::<Reply>("task reply", reply)?, &self.work) {
                (Reply::Buckets(buckets, updates), Work::Shuffle(shuffle, _)) => {
                    if buckets.len() != shuffle.reducers() {
                        let (made, asked) = (buckets.len(), shuffle.reducers());
                        return Err(Error::Codec {
                            what: "task reply".into(),
                            problem: format!(
                                "the other process made {made} buckets instead of {asked}; give both the same \
                                 spark.default.parallelism"
                            ),
                        });
                    }
                    let buckets: Result<_> = buckets.iter().map(|bytes| shuffle.decode(bytes)).collect();
                    Ended::Succeeded(self.output(Made::Buckets(buckets?), updates))
                }
                (Reply::Value(bytes, updates), Work::Action(action)) => {
                    Ended::Succeeded(self.output(Made::Value(action.decode(&bytes)?), updates))
                }
                (Reply::Failed { operator, cause }, _) => {
                    Ended::Failed(TaskFailure { operator, cause: Error::user(cause) })
                }
                _ => {
                    let problem = "the answer is of another kind than the task".into();
                    return Err(Error::Codec { what: "task reply".into(), problem });
                }
            })
        };
        // Counted as a failure: an answer that can not be read would come again and again.
        let failed = |cause| Ended::Failed(TaskFailure { operator: self.work.operator(), cause });
        read().unwrap_or_else(failed)
    }
}

impl Sent {
    fn output(&self, made: Made, updates: Vec<SentUpdate>) -> Output {
        let own = self.work.rdd().info().context.number();
        Output { made, updates: Updates::decode(updates, own) }
    }
}

/// An RDD, and what it was made of when it was described.
type Seen = (AnyRdd, Arc<[Dependency]>);

struct Describer<'a> {
    kept: &'a KeptRdds,
    read: PartitionsRead,
    nodes: Vec<NodeSpec>,
    by_rdd: HashMap<RddId, usize>,
    seen: &'a mut Vec<Seen>,
}

impl Describer<'_> {
    /// Describes an RDD after everything it is made of; returns its place.
    fn node(&mut self, rdd: &AnyRdd) -> Result<usize> {
        if let Some(&at) = self.by_rdd.get(&rdd.info().id) {
            return Ok(at);
        }
        let made_of = rdd.dependencies();
        let kept = self.kept.have(rdd);
        let is_source = kept || made_of.is_empty();
        self.seen.push((Arc::clone(rdd), made_of));
        let spec = match &rdd.info().origin() {
            Origin::Application(application, ordinal) if !(is_source && rdd.recipe(kept).is_some()) => {
                self.operator(application, *ordinal)?
            }
            _ => self.code(rdd, is_source, kept)?,
        };
        self.nodes.push(spec);
        let at = self.nodes.len() - 1;
        self.by_rdd.insert(rdd.info().id, at);
        Ok(at)
    }

    fn operator(&mut self, application: &Application, ordinal: usize) -> Result<NodeSpec> {
        let operator = application.operator.id.clone();
        let operator = operator.ok_or_else(|| Error::poisoned("an operator of the graph has no id"))?;
        let inputs = application.inputs.iter().map(|input| self.node(input)).collect::<Result<_>>()?;
        Ok(NodeSpec::Operator { operator, ordinal, inputs, batch: application.batch })
    }

    fn code(&mut self, rdd: &AnyRdd, is_source: bool, kept: bool) -> Result<NodeSpec> {
        let operator = Operator::clone(&rdd.info().operator);
        let recipe = rdd.recipe(kept).ok_or_else(|| Error::Argument {
            operator: operator.to_string(),
            problem: "this operator can not be used in another process when it is called on an RDD".into(),
            remedy: "call it on the DStream, outside of `transform` and `foreach_rdd`".into(),
        })?;
        let mut parents = Vec::new();
        let mut splits = Vec::new();
        if is_source {
            for &partition in self.read.get(&rdd.info().id).into_iter().flatten() {
                splits.push((partition, rdd.split(partition, kept)?));
            }
        } else {
            for dependency in rdd.dependencies().iter() {
                let parent = match dependency {
                    Dependency::Narrow(parent) => Arc::clone(parent),
                    Dependency::Shuffle(shuffle) => shuffle.parent(),
                };
                parents.push(self.node(&parent)?);
            }
        }
        let (build, env, partitions) = (recipe.build, recipe.env?, rdd.partitions());
        Ok(NodeSpec::Code { operator, build, env, parents, partitions, splits })
    }
}
