//! The stream of versions: each made of the one before it and of a batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millstream_core::rdd::{AnyRdd, Compute, Dependency};
use millstream_core::shuffle::hash::pinned_hash;
use millstream_core::stream::{self, ChunkStream};
use millstream_core::{Data, Error as CoreError, Key, Rdd, TaskContext};

use super::StatefulOperator;
use super::held::Held;
use super::making::Step;
use super::stateful::Stateful;
use super::table::Table;
use super::version::Version;
use crate::dstream::DStream;
use crate::dstream::node::{AnyDStream, Node};
use crate::error::Result;
use crate::time::Time;

/// Changes the states of a partition; returns what its records are mapped to.
pub(crate) type Apply<K, S, U> = Box<dyn FnOnce(&mut Step<'_, K, S>) -> millstream_core::Result<Vec<U>>>;

/// Reads what a batch has for a partition.
pub(crate) type Read<K, S, U> =
    Box<dyn Fn(usize, &TaskContext) -> millstream_core::Result<Apply<K, S, U>> + Send + Sync>;

/// A batch, as a step sees it.
pub(crate) struct Batch<K: Key, S: Data, U: Data> {
    /// What is read; all RDDs are spread like the state, or have no partitions.
    pub(crate) from: Vec<AnyRdd>,
    pub(crate) read: Read<K, S, U>,
}

/// What a stateful operator does with the batches of its parent.
pub(crate) trait Batches<P: Data, K: Key, S: Data, U: Data>: Send + Sync + 'static {
    /// Returns the stream it reads.
    fn parent(&self) -> &DStream<P>;
    /// Returns the time between two of its batches.
    fn slide(&self) -> Duration {
        self.parent().slide_duration()
    }
    /// Returns the parent's RDDs of which a batch is made, at least one; `before` is the batch whose version it goes on from, none
    /// if it begins.
    fn inputs(&self, batch: Time, _before: Option<Time>) -> Result<Option<Vec<AnyRdd>>> {
        Ok(self.parent().rdd(batch)?.map(|rdd| vec![rdd.any()]))
    }
    /// Describes a batch by these inputs.
    fn batch(&self, inputs: Vec<AnyRdd>, batch: Time) -> Result<Batch<K, S, U>>;
    /// Returns how long before a batch those of the parent may lie that it is made of.
    fn reaches_back(&self) -> Duration {
        Duration::ZERO
    }
}

/// The node of a stream of versions.
pub(super) struct Steps<P: Data, K: Key, S: Data, U: Data> {
    pub(super) batches: Box<dyn Batches<P, K, S, U>>,
    pub(super) stateful: Arc<Stateful<K, S>>,
    /// What the first batch begins with.
    pub(super) initial: Option<Rdd<(K, S)>>,
}

impl<P: Data, K: Key, S: Data, U: Data> Node<Held<K, S, U>> for Steps<P, K, S, U> {
    fn parents(&self) -> Vec<AnyDStream> {
        vec![self.batches.parent().any()]
    }

    fn slide(&self) -> Duration {
        self.batches.slide()
    }

    /// The version before, the initial state, the batch; each of the first two is there, be it without partitions, so that a
    /// place tells what it is. Nothing of the batch if it is one of before the state began, or was passed over: there is the version
    /// before it once more.
    fn inputs(&self, own: &DStream<Held<K, S, U>>, batch: Time) -> Result<Option<Vec<AnyRdd>>> {
        let none = || own.context().empty_rdd::<Held<K, S, U>>().any();
        let nothing = || own.context().empty_rdd::<(K, S)>();
        let time_before = own.time_before(batch);
        let is_passed_over = own.is_passed_over(batch);
        if self.stateful.had_not_begun(if is_passed_over { time_before } else { batch }) {
            return Ok(Some(vec![none(), nothing().any()]));
        }
        if is_passed_over {
            let before = own.rdd(time_before)?;
            return Ok(Some(vec![before.map_or_else(none, |rdd| rdd.any()), nothing().any()]));
        }
        let is_first = self.stateful.is_before_all(time_before);
        let before = if is_first { None } else { own.rdd(time_before)? };
        // That of before a restart may be of a time at which there is no batch any more.
        let goes_on_from = before.as_ref().map(|_| time_before).or_else(|| self.stateful.restored_of());
        let Some(of_batch) = self.batches.inputs(batch, goes_on_from)? else {
            return Ok(None);
        };
        let initial = match before {
            None => self.stateful.begin(batch)?.then(|| self.initial.clone()).flatten(),
            Some(_) => None,
        };
        let before = before.map_or_else(none, |rdd| rdd.any());
        let mut inputs = vec![before, initial.unwrap_or_else(nothing).any()];
        inputs.extend(of_batch);
        Ok(Some(inputs))
    }

    fn make(&self, mut inputs: Vec<AnyRdd>, batch: Time) -> Result<Rdd<Held<K, S, U>>> {
        let of_batch = inputs.split_off(inputs.len().min(2));
        let mut inputs = inputs.into_iter();
        let (Some(before), Some(initial)) = (inputs.next(), inputs.next()) else {
            return Err(CoreError::Codec {
                what: "inputs of a stateful operator".into(),
                problem: "there are too few".into(),
            }
            .into());
        };
        let initial: Rdd<(K, S)> = Rdd::from_any(initial)?;
        let partitioner = &self.stateful.partitioner;
        let begins = initial.num_partitions() > 0;
        let context = initial.context().clone();
        static STEPS: AtomicU64 = AtomicU64::new(1);
        let stepped = Stepped {
            number: STEPS.fetch_add(1, Ordering::Relaxed),
            before: Some(Rdd::from_any(before)?).filter(|rdd| rdd.num_partitions() > 0),
            initial: begins.then(|| initial.partition_by(partitioner.clone())),
            restored: of_batch.first().and_then(|_| self.stateful.take_restored()),
            batch: (!of_batch.is_empty()).then(|| self.batches.batch(of_batch, batch)).transpose()?,
            time: batch,
            stateful: Arc::clone(&self.stateful),
        };
        // Made of the version before it, and so on without end: what it was made of must be forgotten.
        Ok(Rdd::from_compute(&context, "state", stepped).local_checkpoint())
    }

    fn state(&self) -> Option<&dyn StatefulOperator> {
        Some(&*self.stateful)
    }

    fn settle(&self, batch: AnyRdd) -> Result<()> {
        Ok(Rdd::<Held<K, S, U>>::from_any(batch)?.foreach_partition(|_| ())?)
    }

    fn reaches_back(&self) -> Duration {
        self.batches.reaches_back()
    }
}

/// The versions after a batch, one record a partition.
struct Stepped<K: Key, S: Data, U: Data> {
    /// No other step in this process has it.
    number: u64,
    before: Option<Rdd<Held<K, S, U>>>,
    initial: Option<Rdd<(K, S)>>,
    restored: Option<Vec<Arc<Version<K, S>>>>,
    /// None of before the state began, and of what was passed over.
    batch: Option<Batch<K, S, U>>,
    time: Time,
    stateful: Arc<Stateful<K, S>>,
}

impl<K: Key, S: Data, U: Data> Stepped<K, S, U> {
    /// Returns the version to begin with.
    fn before(&self, partition: usize, task: &TaskContext) -> millstream_core::Result<Arc<Version<K, S>>> {
        if let Some(before) = &self.before {
            let version = only(before.stream(partition, task)?).map(|held| Arc::clone(held.version()))?;
            version.lie_in(|| self.stateful.room())?;
            return Ok(version);
        }
        if let Some(version) = self.restored.as_ref().and_then(|restored| restored.get(partition)) {
            return Ok(Arc::clone(version));
        }
        let mut table = Table::new(self.stateful.has_timeouts(), Some(self.stateful.room()));
        if let Some(initial) = &self.initial {
            let time = self.time.as_millis();
            stream::drain(initial.stream(partition, task)?, |chunk| {
                let mut pairs = chunk.into_vec().into_iter();
                pairs.try_for_each(|(key, state)| table.put(pinned_hash(&key), key, Some((state, time))))
            })?;
        }
        Ok(Version::first(table, self.time - Duration::from_millis(1)))
    }
}

/// Reads the one record of a partition.
pub(super) fn only<T: Data>(mut records: ChunkStream<T>) -> millstream_core::Result<T> {
    while let Some(chunk) = records.next_chunk()? {
        if let Some(record) = chunk.get(0) {
            return Ok(record.clone());
        }
    }
    Err(CoreError::Codec { what: "version of a state".into(), problem: "there is none".into() })
}

fn dependencies(before: Option<AnyRdd>, initial: Option<AnyRdd>, batch: &[AnyRdd]) -> Vec<Dependency> {
    let all = before.into_iter().chain(initial).chain(batch.iter().cloned());
    all.filter(|rdd| rdd.partitions() > 0).map(Dependency::Narrow).collect()
}

impl<K: Key, S: Data, U: Data> Compute<Held<K, S, U>> for Stepped<K, S, U> {
    fn partitions(&self) -> usize {
        self.stateful.partitioner.partitions()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        let before = self.before.as_ref().map(Rdd::any);
        let initial = self.initial.as_ref().map(Rdd::any);
        dependencies(before, initial, self.batch.as_ref().map_or(&[], |batch| &batch.from))
    }

    fn compute(
        &self,
        partition: usize,
        task: &TaskContext,
    ) -> millstream_core::Result<ChunkStream<Held<K, S, U>>> {
        let before = self.before(partition, task)?;
        let Some(batch) = &self.batch else {
            return Ok(stream::from_vec(vec![Held::new(before, Vec::new())]));
        };
        // All is read before the state is locked: what is read may be a state as well.
        let apply = (batch.read)(partition, task)?;
        let held = before.step(self.number, self.time, apply)?;
        self.stateful.note(self.time, partition, held.version());
        Ok(stream::from_vec(vec![held]))
    }
}
