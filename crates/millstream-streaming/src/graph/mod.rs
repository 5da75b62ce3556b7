//! The graph of streams: what there is, what reads what, what is put out.

mod ids;
mod inputs;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use millstream_core::operator::{self, Operator};
use millstream_core::{Context, Partitioner, settings};

use self::ids::Ids;
pub(crate) use self::inputs::{Counter, Inputs};
use crate::clock::Clock;
use crate::dstream::AnyDStream;
use crate::error::{Error, Result};
use crate::listener::{ListenerBus, StreamInputInfo};
use crate::output::Output;
use crate::receiver::StreamId;
use crate::recovery::block_log::OwnReceiver;
use crate::recovery::{Plan, checks, states};
use crate::scheduler::BatchesFirst;
use crate::scheduler::receiver_tracker::ReceiverTracker;
use crate::state::migrate_state::Migrations;
use crate::state::{Fingerprint, StatefulOperator};
use crate::time::Time;

/// How long each phase of a graceful stop may take at least, however short the batches are: a receiver that is told to
/// stop while the machine is busy has much to hand over.
const LEAST_TIMEOUT: Duration = Duration::from_secs(10);

/// The streams of one streaming context and what they share.
pub(crate) struct Graph {
    pub(crate) context: Context,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) batch_interval: Duration,
    pub(crate) listeners: Arc<ListenerBus>,
    pub(crate) receivers: ReceiverTracker,
    pub(crate) batches_first: Arc<BatchesFirst>,
    /// `spark.streaming.unpersist`.
    pub(crate) unpersists: bool,
    /// What the streams go on from, and where they write their checkpoints.
    pub(crate) recovery: Plan,
    pub(crate) migrations: Arc<Migrations>,
    parts: Mutex<Parts>,
    /// Set by `start`: from then on nothing can be added.
    frozen: AtomicBool,
    /// Set by tests, whose states end with them.
    may_lose_state: AtomicBool,
    /// Set by tests, on whose clock batches take no time.
    waits_for_saves: AtomicBool,
    /// The first batch time less the interval.
    zero: OnceLock<Time>,
    /// The latest batch that was begun, in milliseconds.
    begun: AtomicI64,
    /// Set when the program was told that there is one copy of each block.
    noticed_copies: AtomicBool,
}

#[derive(Default)]
struct Parts {
    streams: Vec<AnyDStream>,
    outputs: Vec<Arc<Output>>,
    stateful: Vec<Arc<dyn StatefulOperator>>,
    /// With the types of their records.
    receivers: Vec<(StreamId, AnyDStream, Fingerprint)>,
    ids: Ids,
    next_source: usize,
    /// What was described wrongly; reported all at once by `start`.
    problems: Vec<String>,
    remember: Duration,
    /// What the sources said of their batches that have not been completed.
    inputs: BTreeMap<Time, Inputs>,
    /// Where outputs leave what a later one of the same place would take for its own.
    places: Vec<(Place, Operator)>,
}

/// Where an output leaves its batches.
#[derive(PartialEq, Eq)]
pub(crate) enum Place {
    Named(String),
    /// An output of a sink that names no place: the type of the sink, and what it is.
    In(&'static str, Vec<u8>, String),
}

impl Graph {
    pub(crate) fn new(context: Context, clock: Arc<dyn Clock>, batch_interval: Duration) -> Arc<Self> {
        let listeners = Arc::new(ListenerBus::new());
        // Checked when the context was made.
        let unpersists = context.conf().get(settings::UNPERSIST).unwrap_or(true);
        Arc::new(Graph {
            receivers: ReceiverTracker::new(Arc::clone(&clock), Arc::clone(&listeners)),
            batches_first: Arc::default(),
            migrations: Arc::default(),
            context,
            clock,
            batch_interval,
            listeners,
            unpersists,
            recovery: Plan::default(),
            parts: Mutex::default(),
            frozen: AtomicBool::new(false),
            may_lose_state: AtomicBool::new(false),
            waits_for_saves: AtomicBool::new(false),
            zero: OnceLock::new(),
            begun: AtomicI64::new(i64::MIN),
            noticed_copies: AtomicBool::new(false),
        })
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names an operator that is put on the graph by a call at `place`.
    ///
    /// # Panics
    /// If the context has been started: the message names the caller's line.
    pub(crate) fn operator(
        &self,
        name: &'static str,
        parents: &[AnyDStream],
        place: &'static Location<'static>,
    ) -> Operator {
        let operator = operator::blamed(name, place);
        self.refuse_if_frozen(&operator);
        // Of its own name, also as a part of another method: where a state is found again must not depend on that.
        let id = self.parts().ids.of(name, parents);
        Operator { id: Some(id), ..Operator::clone(&operator) }
    }

    #[allow(
        clippy::panic,
        reason = "a mistake in the program that no return value could carry: the call is chained"
    )]
    pub(crate) fn refuse_if_frozen(&self, operator: &Operator) {
        if self.frozen.load(Ordering::Acquire) {
            panic!(
                "{operator} was called after the streaming context was started; put all operators on the streams before \
                 `start`, or start a new context"
            );
        }
    }

    pub(crate) fn add_stream(&self, stream: AnyDStream) {
        self.parts().streams.push(stream);
    }

    pub(crate) fn add_stateful(&self, operator: Arc<dyn StatefulOperator>) {
        self.parts().stateful.push(operator);
    }

    pub(crate) fn add_receiver(&self, id: StreamId, stream: AnyDStream, records: Fingerprint) {
        self.parts().receivers.push((id, stream, records));
    }

    /// Returns the receivers, by the ids of their operators.
    pub(crate) fn receivers_by_id(&self) -> BTreeMap<String, OwnReceiver> {
        let receivers = self.parts().receivers.clone();
        let by_id = |(stream, received, records): (StreamId, AnyDStream, Fingerprint)| {
            let id = received.operator().id.as_deref()?.to_owned();
            let states = self.states_made_of(&id);
            Some((id, OwnReceiver { stream, records: Some(records), states }))
        };
        receivers.into_iter().filter_map(by_id).collect()
    }

    /// Returns the ids of the operators that keep a state made of a stream.
    fn states_made_of(&self, id: &str) -> Vec<String> {
        let is_made_of_it = |state: &Arc<str>| {
            let mut seen = BTreeSet::new();
            let mut left: Vec<AnyDStream> = self.stream(state).into_iter().collect();
            while let Some(stream) = left.pop() {
                let of_stream = stream.operator().id.clone().unwrap_or_default();
                if *of_stream == *id {
                    return true;
                }
                if seen.insert(of_stream) {
                    left.extend(stream.parents());
                }
            }
            false
        };
        let states = self.stateful().into_iter().map(|operator| operator.id());
        states.filter(is_made_of_it).map(|state| state.to_string()).collect()
    }

    /// Returns the operators that hold state, in the order of their definition.
    pub(crate) fn stateful(&self) -> Vec<Arc<dyn StatefulOperator>> {
        self.parts().stateful.clone()
    }

    /// Says that the states need not outlive the program.
    pub(crate) fn may_lose_state(&self) {
        self.may_lose_state.store(true, Ordering::Relaxed);
    }

    /// Says that each save of states that is due is waited for.
    pub(crate) fn wait_for_saves(&self) {
        self.waits_for_saves.store(true, Ordering::Relaxed);
    }

    /// Returns whether each save of states that is due is waited for.
    pub(crate) fn waits_for_saves(&self) -> bool {
        self.waits_for_saves.load(Ordering::Relaxed)
    }

    /// Returns the operators that must not run without a checkpoint directory.
    pub(crate) fn needs_checkpoint_dir(&self) -> Vec<Arc<Operator>> {
        if self.may_lose_state.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let needing = self.stateful().into_iter().filter(|stateful| stateful.needs_directory());
        needing.map(|stateful| stateful.operator()).collect()
    }

    /// Returns the operators whose ids are not theirs alone.
    fn ambiguous(&self) -> Vec<String> {
        let mut by_id: BTreeMap<Arc<str>, Arc<Operator>> = BTreeMap::new();
        let mut problems = Vec::new();
        for stream in self.parts().streams.iter() {
            let operator = stream.operator();
            let Some(id) = &operator.id else { continue };
            if let Some(first) = by_id.insert(Arc::clone(id), Arc::clone(operator)) {
                problems
                    .push(format!("{operator}: the uid `{id}` is also that of {first}; give another one"));
            }
        }
        problems
    }

    /// Returns the number of the next source, in the order of creation.
    pub(crate) fn next_source(&self) -> StreamId {
        let mut parts = self.parts();
        parts.next_source += 1;
        StreamId(parts.next_source - 1)
    }

    /// Adds an output operation, whose number is its place in the order of calls.
    pub(crate) fn add_output(&self, make: impl FnOnce(usize) -> Output) {
        let mut parts = self.parts();
        let number = parts.outputs.len();
        parts.outputs.push(Arc::new(make(number)));
    }

    /// Notes where an output leaves its batches; that another one does so too is reported by `start`, with what they share and what to
    /// do.
    pub(crate) fn leaves_in(&self, operator: Operator, place: Place, shared: &str, remedy: &str) {
        let mut parts = self.parts();
        let first = parts.places.iter().find(|(other, _)| *other == place);
        if let Some((_, first)) = first {
            let problem = format!("{operator}: {shared} also that of {first}; {remedy}");
            parts.problems.push(problem);
        }
        parts.places.push((place, operator));
    }

    /// Notes something that was described wrongly, to be reported by `start`.
    pub(crate) fn problem(&self, operator: &Operator, problem: impl Into<String>) {
        self.problem_without_place(format!("{operator}: {}", problem.into()));
    }

    /// Notes a partitioner that can not be used, to be reported by `start`.
    pub(crate) fn check_partitioner<K: 'static>(&self, operator: &Operator, partitioner: &Partitioner<K>) {
        if let Err(error) = partitioner.check(operator) {
            self.problem_without_place(error.to_string());
        }
    }

    /// Notes something that was described wrongly and belongs to no operator, or says to which it belongs.
    ///
    /// Said once, however many of the steps that a method is made of say it.
    pub(crate) fn problem_without_place(&self, problem: String) {
        let problems = &mut self.parts().problems;
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// Returns the name of the program, as people know it.
    pub(crate) fn program(&self) -> String {
        self.context.app_name()
    }

    /// Returns all streams, in the order in which they were described.
    pub(crate) fn streams(&self) -> Vec<AnyDStream> {
        self.parts().streams.clone()
    }

    /// Keeps the RDDs of all streams at least this long.
    pub(crate) fn remember(&self, duration: Duration) {
        let mut parts = self.parts();
        parts.remember = parts.remember.max(duration);
    }

    /// Closes the graph for additions and checks it.
    pub(crate) fn freeze(&self) -> Result<()> {
        if let Some(directory) = self.context.conf().get(settings::CHECKPOINT_DIRECTORY)?
            && self.recovery.directory().is_none()
        {
            self.recovery.set_directory(directory.as_ref())?;
        }
        let of_recovery = checks::problems(self)?;
        let (mut problems, outputs, remember) = {
            let parts = self.parts();
            (parts.problems.clone(), parts.outputs.clone(), parts.remember)
        };
        problems.extend(self.ambiguous());
        problems.extend(of_recovery);
        if outputs.is_empty() {
            problems.push(
                "no output operation was registered, so there is nothing to run; end a stream with `print`, \
                 `foreach_rdd` or another output"
                    .into(),
            );
        }
        if !problems.is_empty() {
            return Err(Error::Graph { problems });
        }
        for output in outputs {
            output.stream.remember(remember);
        }
        self.frozen.store(true, Ordering::Release);
        Ok(())
    }

    /// Returns, the first time only, that the program is to be told that there is one copy of each block.
    pub(crate) fn notices_copies(&self) -> bool {
        !self.noticed_copies.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn set_zero(&self, zero: Time) {
        // Set once, by the one start there is.
        let _ = self.zero.set(zero);
    }

    /// Returns the first batch time less the interval; times up to it have no batch.
    pub(crate) fn zero(&self) -> Option<Time> {
        self.zero.get().copied()
    }

    /// Notes that a batch is about to be described.
    pub(crate) fn begin_batch(&self, batch: Time) {
        self.begun.fetch_max(batch.as_millis(), Ordering::AcqRel);
    }

    /// Returns the latest batch that was begun; a time before all if there is none.
    pub(crate) fn latest_begun(&self) -> Time {
        Time::from_millis(self.begun.load(Ordering::Acquire))
    }

    pub(crate) fn outputs(&self) -> Vec<Arc<Output>> {
        self.parts().outputs.clone()
    }

    pub(crate) fn stream(&self, id: &str) -> Option<AnyDStream> {
        self.parts().streams.iter().find(|stream| stream.operator().id.as_deref() == Some(id)).cloned()
    }

    /// Notes what a source has to say of a batch, and who counts its records if they are not known yet.
    pub(crate) fn report_input(&self, batch: Time, info: StreamInputInfo, counter: Option<Counter>) {
        self.parts().inputs.entry(batch).or_default().add(info, counter);
    }

    /// Returns what the sources said of a batch, and of those before it that had no jobs because no window was due.
    pub(crate) fn take_inputs(&self, batch: Time) -> Inputs {
        let mut parts = self.parts();
        let later = parts.inputs.split_off(&(batch + Duration::from_millis(1)));
        let reported = std::mem::replace(&mut parts.inputs, later);
        drop(parts);
        let mut inputs = Inputs::default();
        reported.into_values().for_each(|later| inputs.append(later));
        inputs
    }

    /// Computes what later batches are made of, as far as the outputs of `batch` did not ask for it.
    pub(crate) fn settle(&self, batch: Time) -> Result<()> {
        let streams = self.parts().streams.clone();
        streams.iter().try_for_each(|stream| stream.settle(batch))
    }

    /// Returns by the ids of streams how long they slide, in milliseconds, where that is not the batch interval.
    pub(crate) fn slides(&self) -> BTreeMap<String, u64> {
        let streams = self.streams().into_iter().filter(|stream| stream.slide() != self.batch_interval);
        let millis = |slide: Duration| u64::try_from(slide.as_millis()).unwrap_or(u64::MAX);
        streams
            .filter_map(|stream| Some((stream.operator().id.as_deref()?.to_owned(), millis(stream.slide()))))
            .collect()
    }

    /// Returns how long the stream that remembers its batches longest does so.
    pub(crate) fn longest_memory(&self) -> Duration {
        self.streams().iter().map(|stream| stream.remembers()).max().unwrap_or_default()
    }

    /// Returns how often the state of an operator is saved; windows over it reach back that far.
    pub(crate) fn checkpoint_interval(&self, operator: &dyn StatefulOperator, reach: Duration) -> Duration {
        let stream = self.stream(&operator.id());
        let slide = || stream.as_ref().map_or(self.batch_interval, |stream| stream.slide());
        let asked = stream.as_ref().and_then(|stream| stream.saved_each());
        asked.unwrap_or_else(|| states::unasked_interval(operator, slide(), reach))
    }

    /// Returns what is wrong with the intervals that `checkpoint` was called with.
    pub(crate) fn unfit_checkpoint_intervals(&self) -> Vec<String> {
        let unfit = self.streams().into_iter().filter_map(|stream| {
            let interval = stream.saved_each()?;
            let slide = stream.slide();
            let fits = interval >= slide && interval.as_millis() % slide.as_millis().max(1) == 0;
            (!fits).then(|| {
                format!(
                    "{}: the checkpoint interval {interval:?} is no multiple of its slide; use a multiple of {slide:?}",
                    stream.operator()
                )
            })
        });
        unfit.collect()
    }

    /// Forgets what no batch after `batch`, which was completed, needs; what batches from `inputs_from` on were made of is kept.
    pub(crate) fn clear_metadata(&self, batch: Time, inputs_from: Time) {
        let streams = self.parts().streams.clone();
        for stream in &streams {
            stream.clear_metadata(batch);
        }
        let forgotten = self.forgotten(batch);
        for stream in &streams {
            stream.forget_inputs(inputs_from.min(forgotten));
        }
        self.receivers.batch_processed(batch);
        self.receivers.clean_up_old_batches(forgotten);
    }

    /// Returns up to which batch no stream remembers any when `batch` was completed.
    pub(crate) fn forgotten(&self, batch: Time) -> Time {
        self.recovery.passed_over().forgotten(batch, self.longest_memory())
    }

    /// Returns the first batch from `time` on in which a state times out.
    pub(crate) fn next_timeout(&self, time: Time) -> Option<Time> {
        let zero = self.zero().unwrap_or_default();
        let of_state = |operator: Arc<dyn StatefulOperator>| {
            let slide = self.stream(&operator.id())?.slide();
            let due = operator.next_timeout()?.max(time);
            Some((due + slide - Duration::from_millis(1)).floor_from(slide, zero))
        };
        self.stateful().into_iter().filter_map(of_state).min()
    }

    /// Returns how long each phase of a graceful stop may take: `spark.streaming.gracefulStopTimeout`, else ten intervals
    /// and no less than ten seconds.
    pub(crate) fn graceful_timeout(&self) -> Result<Duration> {
        let set = self.context.conf().get(settings::GRACEFUL_STOP_TIMEOUT)?;
        Ok(set.unwrap_or(self.batch_interval.saturating_mul(10).max(LEAST_TIMEOUT)))
    }

    /// Lets go of the streams, which hold the graph.
    pub(crate) fn clear(&self) {
        let parts = std::mem::take(&mut *self.parts());
        drop(parts); // outside of the lock: streams may hold the last handle of much
    }
}
