//! `DStream<T>`: a stream cut into batches, each of them an RDD.
//!
//! One file per operator, named after the method. An operator that makes an RDD of its parent's RDD is one call of
//! [`per_batch`](DStream::per_batch).

mod checkpoint;
mod count;
mod count_by_value;
mod due;
mod filter;
mod flat_map;
mod glom;
mod join_side;
mod map;
mod map_partitions;
pub(crate) mod node;
pub(crate) mod pairs;
mod per_batch;
mod per_batch_of_all;
mod per_batch_with;
mod persist;
mod reduce;
mod repartition;
mod slice;
pub(crate) mod streams;
pub(crate) mod transform;
mod transform_with;
mod uid;
mod union;
pub(crate) mod windows;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use millstream_core::operator::{self, Operator};
use millstream_core::rdd::AnyRdd;
use millstream_core::{BatchId, Context, Data, Rdd, StorageLevel};
use serde_json::Value;

pub use self::join_side::JoinSide;
pub(crate) use self::node::{AnyDStream, ErasedStream, Node};
pub use self::streams::Streams;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::recovery::Slides;
use crate::state::StatefulOperator;
use crate::time::Time;

/// A stream of records, cut into batches: for each batch time there is an RDD.
///
/// Cloning is shallow. Two consumers of a stream share the description of each batch; its records are computed once only
/// if the stream is persisted.
pub struct DStream<T: Data>(Arc<Stream<T>>);

impl<T: Data> Clone for DStream<T> {
    fn clone(&self) -> Self {
        DStream(Arc::clone(&self.0))
    }
}

struct Stream<T: Data> {
    graph: Arc<Graph>,
    operator: Arc<Operator>,
    /// The operator with the id the program has given it.
    renamed: OnceLock<Arc<Operator>>,
    /// The stream before it that holds the state of the method that has made both.
    with_state: OnceLock<AnyDStream>,
    /// How often its state is saved, if the program says so.
    saved_each: Mutex<Option<Duration>>,
    node: Box<dyn Node<T>>,
    slide: Duration,
    persisted: Mutex<Persisted>,
    memory: Mutex<Memory>,
}

/// Where the batches of a stream are kept once they have been computed.
#[derive(Default)]
struct Persisted {
    /// What the program has said.
    asked: Option<StorageLevel>,
    /// Whether something reads a batch more than once.
    needed: bool,
}

/// The batches a stream remembers, and for how long.
///
/// It forgets what their records are, so that the tables are compiled once and not for each type of records.
#[derive(Default)]
struct Memory {
    generated: BTreeMap<Time, Generated>,
    duration: Duration,
    /// Of a source: what batches were made of, as far as that can not be found out again.
    inputs: BTreeMap<Time, Value>,
}

/// A batch that was described.
struct Generated {
    rdd: AnyRdd,
    /// Whether it was this stream that had it kept in memory, and not the program.
    kept: bool,
}

impl<T: Data> DStream<T> {
    /// Puts an operator on the graph: a call of the method `name` at the caller's place.
    #[track_caller]
    pub(crate) fn new(graph: &Arc<Graph>, name: &'static str, node: impl Node<T>) -> Self {
        let operator = graph.operator(name, &node.parents(), Location::caller());
        Self::of_operator(graph, operator, node)
    }

    /// Puts an operator on the graph that has been named already.
    pub(crate) fn of_operator(graph: &Arc<Graph>, operator: Operator, node: impl Node<T>) -> Self {
        let stream = DStream(Arc::new(Stream {
            operator: Arc::new(operator),
            renamed: OnceLock::new(),
            with_state: OnceLock::new(),
            saved_each: Mutex::default(),
            slide: node.slide(),
            graph: Arc::clone(graph),
            node: Box::new(node),
            persisted: Mutex::default(),
            memory: Mutex::default(),
        }));
        graph.add_stream(stream.any());
        stream
    }

    /// Says that a stream before this one holds the state of the method that puts this one out: who names this one names that state,
    /// and says how often it is saved.
    pub(crate) fn with_state_of<U: Data>(self, state: &DStream<U>) -> Self {
        // Set once, by the method.
        let _ = self.0.with_state.set(state.any());
        self
    }

    pub(crate) fn graph(&self) -> &Arc<Graph> {
        &self.0.graph
    }

    /// Returns the context the batches are run on.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let lists = driver.input(batches![[1, 2], [2]]);
    /// let known = lists.context().parallelize([2], 1);
    /// let unknown = driver.collect(&lists.transform(move |numbers| numbers.subtract(&known)));
    /// driver.run(2)?;
    /// assert_eq!(unknown.batches(), [vec![1], vec![]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.0.graph.context
    }

    /// Returns the time between two batches of this stream: the batch interval, or the slide of its window.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let numbers = driver.input(batches![[1]]);
    /// let windows = numbers.window(Duration::from_secs(6), Duration::from_secs(2));
    /// assert_eq!(numbers.slide_duration(), Duration::from_secs(1));
    /// assert_eq!(windows.slide_duration(), Duration::from_secs(2));
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn slide_duration(&self) -> Duration {
        self.0.slide
    }

    /// Returns the stream with its record type forgotten.
    pub(crate) fn any(&self) -> AnyDStream {
        Arc::clone(&self.0) as AnyDStream
    }

    /// Keeps the RDDs of this stream once they have been computed, as windows do with what they read.
    ///
    /// What memory has no room for goes to disk, unless the program has said otherwise: a window would have to compute all
    /// its batches again.
    pub(crate) fn keep(&self) {
        self.0.persisted().needed = true;
    }

    /// Returns the RDD of a batch, described now if that has not been done yet; nothing if none is due.
    pub(crate) fn rdd(&self, batch: Time) -> Result<Option<Rdd<T>>> {
        if let Some(rdd) = self.0.memory().rdd(batch) {
            return Ok(Some(Rdd::from_any(rdd)?));
        }
        if !self.is_due(batch) {
            return Ok(None);
        }
        if self.0.node.as_source().is_some() && self.is_passed_over(batch) {
            // The source is not asked: what it has now is for batches to come.
            return Ok(Some(self.context().empty_rdd()));
        }
        let Some(inputs) = self.0.node.inputs(self, batch)? else { return Ok(None) };
        let rdd = self.0.make(inputs, batch)?;
        must_be_here(&self.0.graph, self.0.operator(), rdd.context())?;
        let level = self.0.persisted().level().filter(|level| level.is_valid() && !rdd.is_persisted());
        let kept = level.is_some();
        if let Some(level) = level {
            rdd.persist_with(level)?;
        }
        self.0.memory().enter(batch, Generated { rdd: rdd.any(), kept });
        Ok(Some(rdd))
    }

    /// Returns the RDDs of the batches after `after` up to `to`; before the first batch there are none.
    pub(crate) fn rdds_after(&self, after: Time, to: Time) -> Result<Vec<Rdd<T>>> {
        let mut rdds = Vec::new();
        // A window may reach back to long before the first batch.
        let Some(zero) = self.0.graph.zero() else { return Ok(rdds) };
        let mut begin = zero;
        if let Some(old) = self.0.graph.recovery.old_grids() {
            for batch in old.times(after, to) {
                rdds.extend(self.rdd(batch)?);
            }
            begin = old.last().map_or(zero, |last| last.max(zero));
        }
        let first = after.max(begin).floor_from(self.0.slide, zero) + self.0.slide;
        for batch in first.to(to, self.0.slide) {
            rdds.extend(self.rdd(batch)?);
        }
        Ok(rdds)
    }

    /// Returns the time of this stream's batch before `batch`, past what was passed over; it may have had another interval then.
    pub(crate) fn time_before(&self, batch: Time) -> Time {
        due::time_before(&self.0.graph, self.slides(), batch)
    }

    /// Returns whether a batch time is one of an interval that was missed and has no batch.
    pub(crate) fn is_passed_over(&self, batch: Time) -> bool {
        self.0.graph.recovery.passed_over().has(batch)
    }

    fn is_due(&self, batch: Time) -> bool {
        due::is_due(&self.0.graph, self.slides(), batch)
    }

    fn slides(&self) -> Slides<'_> {
        let id = self.0.operator().id.as_deref().unwrap_or_default();
        Slides { id, slide: self.0.slide, interval: self.0.graph.batch_interval }
    }
}

// What does not depend on the records stands outside of the types that hold them, so that it is compiled once.

/// Refuses an RDD of another context, whose jobs would run there unnoticed.
fn must_be_here(graph: &Graph, operator: &Operator, of: &Context) -> Result<()> {
    if of.is_same(&graph.context) {
        return Ok(());
    }
    Err(millstream_core::Error::Argument {
        operator: operator.to_string(),
        problem: "an RDD of another context is given as its batch".into(),
        remedy: "make it with the context of the streams, or `collect` it there and `parallelize` it here"
            .into(),
    }
    .into())
}

impl Memory {
    fn rdd(&self, batch: Time) -> Option<AnyRdd> {
        self.generated.get(&batch).map(|generated| Arc::clone(&generated.rdd))
    }

    fn enter(&mut self, batch: Time, generated: Generated) {
        self.generated.insert(batch, generated);
    }

    /// Takes out the batches up to `forgotten`.
    fn take_old(&mut self, forgotten: Time) -> BTreeMap<Time, Generated> {
        let kept = self.generated.split_off(&Time::from_millis(forgotten.as_millis() + 1));
        std::mem::replace(&mut self.generated, kept)
    }

    /// Forgets of what the batches before `threshold` were made, but what is remembered or `still_needed`.
    fn forget_inputs(&mut self, threshold: Time, still_needed: &dyn Fn(Time, &Value, Time) -> bool) {
        let first = self.generated.first_key_value().map(|(first, _)| *first);
        let threshold = first.map_or(threshold, |first| threshold.min(first));
        self.inputs.retain(|batch, saved| *batch >= threshold || still_needed(*batch, saved, threshold));
    }
}

impl Persisted {
    fn level(&self) -> Option<StorageLevel> {
        self.asked.or(self.needed.then_some(StorageLevel::MEMORY_AND_DISK))
    }
}

impl<T: Data> Stream<T> {
    /// Makes the RDD of a batch; an error or a panic of the user's code in it is named after the operator.
    fn make(&self, inputs: Vec<AnyRdd>, batch: Time) -> Result<Rdd<T>> {
        let operator = self.operator();
        let id = BatchId { time_ms: batch.as_millis().unsigned_abs(), output: None };
        let make = || operator::apply_at(operator, inputs.clone(), id, || self.make_or_repeat(inputs, batch));
        let made = catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|panic| Err(Error::panicked(&*panic)));
        made.map_err(|source| Failed::at(operator, source))
    }

    /// Makes the RDD of a batch; of a source that was restarted, of what it was made of before.
    fn make_or_repeat(&self, inputs: Vec<AnyRdd>, batch: Time) -> Result<Rdd<T>> {
        let Some(source) = self.node.as_source() else { return self.node.make(inputs, batch) };
        let saved = self.memory().inputs.get(&batch).cloned();
        if let Some(saved) = saved {
            return source.make_again(batch, &saved);
        }
        let rdd = self.node.make(inputs, batch)?;
        if let Some(saved) = source.take_saved(batch) {
            self.memory().inputs.insert(batch, saved);
        }
        Ok(rdd)
    }

    fn persisted(&self) -> MutexGuard<'_, Persisted> {
        self.persisted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unpersist(batches: &BTreeMap<Time, Generated>) {
    for generated in batches.values().filter(|generated| generated.kept) {
        generated.rdd.unpersist();
    }
}

/// An operator that could not describe a batch.
#[derive(Debug, thiserror::Error)]
#[error("{operator}: {source}")]
struct Failed {
    operator: String,
    source: Error,
}

impl Failed {
    fn at(operator: &Operator, source: Error) -> Error {
        millstream_core::Error::user(Failed { operator: operator.to_string(), source }).into()
    }
}

impl<T: Data> ErasedStream for Stream<T> {
    fn operator(&self) -> &Arc<Operator> {
        self.renamed.get().unwrap_or(&self.operator)
    }

    fn rename(&self, id: Arc<str>) -> bool {
        let renamed = Operator { id: Some(id), ..Operator::clone(&self.operator) };
        self.renamed.set(Arc::new(renamed)).is_ok()
    }

    fn save_each(&self, interval: Duration) {
        *self.saved_each.lock().unwrap_or_else(PoisonError::into_inner) = Some(interval);
    }

    fn saved_each(&self) -> Option<Duration> {
        *self.saved_each.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slide(&self) -> Duration {
        self.slide
    }

    fn remember(&self, duration: Duration) {
        let duration = duration.max(self.slide);
        let grown = {
            let mut memory = self.memory();
            let grown = duration > memory.duration;
            memory.duration = memory.duration.max(duration);
            grown
        };
        // Already remembering as long: so do the parents.
        if grown {
            let of_parents = duration.saturating_add(self.node.reaches_back());
            self.node.parents().iter().for_each(|parent| parent.remember(of_parents));
        }
    }

    fn remembers(&self) -> Duration {
        self.memory().duration
    }

    fn parents(&self) -> Vec<AnyDStream> {
        self.node.parents()
    }

    fn reaches_back(&self) -> Duration {
        self.node.reaches_back()
    }

    fn state(&self) -> Option<&dyn StatefulOperator> {
        self.node.state()
    }

    fn settle(&self, batch: Time) -> Result<()> {
        if self.node.state().is_none() {
            return Ok(());
        }
        let rdd = self.memory().rdd(batch);
        // An output that takes some records only, such as `print`, has not computed all of it.
        match rdd.filter(|rdd| !rdd.is_cached()) {
            Some(rdd) => operator::apply(self.operator(), Vec::new(), || self.node.settle(rdd)),
            None => Ok(()),
        }
    }

    fn clear_metadata(&self, batch: Time) {
        let old = {
            let mut memory = self.memory();
            let forgotten = self.graph.recovery.passed_over().forgotten(batch, memory.duration);
            memory.take_old(forgotten)
        };
        // Frees what was kept in memory; outside of the lock, because it may be much.
        if self.graph.unpersists {
            unpersist(&old);
        }
    }

    fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    fn any_rdd(self: Arc<Self>, batch: Time) -> Result<Option<AnyRdd>> {
        Ok(DStream(self).rdd(batch)?.map(|rdd| rdd.any()))
    }

    fn saved_inputs(&self) -> BTreeMap<Time, Value> {
        self.memory().inputs.clone()
    }

    fn forget_inputs(&self, threshold: Time) {
        let source = self.node.as_source();
        self.memory().forget_inputs(threshold, &|batch, saved, threshold| {
            source.is_some_and(|source| source.still_needs(batch, saved, threshold))
        });
    }

    fn restore_inputs(&self, zero: Time, saved: BTreeMap<Time, Value>) -> Result<()> {
        if let Some(source) = self.node.as_source() {
            source.restore(zero, &saved)?;
            self.memory().inputs = saved;
        }
        Ok(())
    }

    fn is_quiet(&self, batch: Time) -> bool {
        self.node.as_source().is_none_or(|source| source.is_quiet(batch))
    }

    fn reads(&self) -> Option<String> {
        self.node.as_source().and_then(|source| source.reads())
    }

    fn is_named(&self) -> bool {
        self.renamed.get().is_some()
    }

    fn refuses_checkpoints(&self) -> Option<&'static str> {
        self.node.as_source().and_then(|source| source.refuses_checkpoints())
    }

    fn apply(&self, inputs: Vec<AnyRdd>, batch: Time) -> Result<()> {
        self.node.make(inputs, batch).map(drop)
    }
}
