//! Runs the receivers of a context and gives what they received to the batches.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use millstream_core::Data;

use super::received_block_tracker::ReceivedBlockTracker;
use super::waited_for;
use crate::clock::Clock;
use crate::error::Result;
use crate::listener::{ListenerBus, ReceiverInfo, StreamingListenerEvent};
use crate::rate::{PidRateEstimator, RateController};
use crate::receiver::{
    Block, ReceivedBlock, Receiver, ReceiverConfig, ReceiverEvents, Storage, StreamId, Supervisor,
};
use crate::recovery::block_log::BlockLog;
use crate::time::Time;

#[cfg(test)]
mod tests;

/// Runs the receivers of a context, knows how they are, and gives what they received to the batches.
pub(crate) struct ReceiverTracker {
    clock: Arc<dyn Clock>,
    registry: Arc<Registry>,
    /// What `start` is to start.
    registered: Mutex<Vec<Registered>>,
    supervisors: Mutex<Vec<Arc<Supervisor>>>,
}

/// A receiver that is to be started, and what adapts its rate.
struct Registered {
    start: Start,
    estimator: Option<PidRateEstimator>,
}

type Start = Box<
    dyn FnOnce(Arc<dyn Clock>, Option<Arc<BlockLog>>, Arc<dyn ReceiverEvents>) -> Result<Supervisor> + Send,
>;

/// What the receivers report to.
struct Registry {
    clock: Arc<dyn Clock>,
    bus: Arc<ListenerBus>,
    blocks: ReceivedBlockTracker,
    receivers: Mutex<BTreeMap<StreamId, ReceiverInfo>>,
}

impl ReceiverTracker {
    /// Makes a tracker without receivers.
    pub(crate) fn new(clock: Arc<dyn Clock>, bus: Arc<ListenerBus>) -> Self {
        let registry = Arc::new(Registry {
            clock: Arc::clone(&clock),
            bus,
            blocks: ReceivedBlockTracker::default(),
            receivers: Mutex::default(),
        });
        ReceiverTracker { clock, registry, registered: Mutex::default(), supervisors: Mutex::default() }
    }

    /// Makes a receiver known, to be started with the others; until then it is inactive.
    pub(crate) fn register<T: Data>(
        &self,
        stream: StreamId,
        receiver: Arc<dyn Receiver<T>>,
        config: ReceiverConfig,
    ) {
        let info = ReceiverInfo {
            stream_id: stream,
            name: format!("{}-{stream}", receiver.name()),
            location: "localhost".to_owned(),
            executor_id: "driver".to_owned(),
            ..ReceiverInfo::default()
        };
        self.registry.receivers().insert(stream, info);
        let estimator = config.estimator.clone();
        let start: Start = Box::new(move |clock, log, events| {
            Supervisor::start(stream, receiver, config, clock, log, events)
        });
        lock(&self.registered).push(Registered { start, estimator });
    }

    /// Starts all receivers that are registered.
    ///
    /// # Errors
    /// If a thread can not be started; then the receivers that are started already are asked to stop.
    pub(crate) fn start(&self) -> Result<()> {
        let registered = std::mem::take(&mut *lock(&self.registered));
        let start = |Registered { start, estimator }: Registered| {
            let (clock, log) = (Arc::clone(&self.clock), self.registry.blocks.log());
            let supervisor = start(clock, log, Arc::clone(&self.registry) as _).map(Arc::new)?;
            if let Some(estimator) = estimator {
                let receiver = Arc::downgrade(&supervisor);
                let publish = move |rate| receiver.upgrade().into_iter().for_each(|it| it.update_rate(rate));
                let controller = RateController::new(supervisor.stream(), estimator, publish);
                self.registry.bus.add(Arc::new(controller))?;
            }
            Ok(supervisor)
        };
        let started: Vec<_> = registered.into_iter().map(start).collect::<Result<_>>()?;
        lock(&self.supervisors).extend(started);
        Ok(())
    }

    /// Stops all receivers and waits, `timeout` at most, which is asked again and again, until each has ended and its last block has
    /// come.
    ///
    /// Returns whether all have; those that have not are left alone, with a line in the log.
    pub(crate) fn stop(&self, timeout: impl Fn() -> Duration) -> bool {
        let supervisors = std::mem::take(&mut *lock(&self.supervisors));
        supervisors.iter().for_each(|supervisor| supervisor.request_stop());
        let start = Instant::now();
        let mut all = true;
        for supervisor in supervisors {
            let left = || timeout().saturating_sub(start.elapsed());
            if !waited_for(left, |time| supervisor.wait_stopped(time)) {
                all = false;
                tracing::warn!(
                    "stream {}: the receiver did not stop within {:?} and is left alone; records that it holds are lost",
                    supervisor.stream(),
                    timeout()
                );
            }
        }
        all
    }

    /// Gives all that was received so far to the batch of `time`.
    ///
    /// The block that is due at `time` is in it: what was stored before the call and before that time is not late.
    ///
    /// # Errors
    /// If what was received can not be logged.
    pub(crate) fn allocate_blocks_to_batch(&self, time: Time) -> Result<()> {
        // Copied, so that a stop of the receivers does not wait for a block that is being pushed.
        let supervisors = lock(&self.supervisors).clone();
        for supervisor in &supervisors {
            supervisor.generator().cut_till(time);
        }
        if !self.registry.receivers().is_empty() {
            self.registry.blocks.allocate_blocks_to_batch(time)?;
        }
        Ok(())
    }

    /// Returns what keeps the blocks.
    pub(crate) fn blocks(&self) -> &ReceivedBlockTracker {
        &self.registry.blocks
    }

    /// Returns a stream's blocks of a batch, in the order in which they came.
    pub(crate) fn blocks_of_batch<T: Data>(
        &self,
        time: Time,
        stream: StreamId,
        storage: &Storage,
    ) -> Result<Vec<Arc<ReceivedBlock<T>>>> {
        self.registry.blocks.blocks_of_batch(time, stream, storage)
    }

    /// Returns how many records a stream's receiver gave to a batch.
    pub(crate) fn num_records_of_batch(&self, time: Time, stream: StreamId) -> u64 {
        self.registry.blocks.num_records_of_batch(time, stream)
    }

    /// Returns whether something was received that no batch has.
    pub(crate) fn has_unallocated_received_blocks(&self) -> bool {
        self.registry.blocks.has_unallocated_received_blocks()
    }

    /// Stops counting what a batch was given as backlog, so that receivers that are held back may go on.
    pub(crate) fn batch_processed(&self, time: Time) {
        self.registry.blocks.batch_processed(time);
    }

    /// Forgets the blocks of the batches before `threshold`.
    pub(crate) fn clean_up_old_batches(&self, threshold: Time) {
        self.registry.blocks.clean_up_old_batches(threshold);
    }

    /// Returns how many bytes the receivers have received that no batch has processed.
    #[cfg(test)]
    pub(crate) fn backlog(&self) -> usize {
        lock(&self.supervisors).iter().map(|supervisor| supervisor.generator().backlog()).sum()
    }

    /// Returns how all receivers are, by stream.
    pub(crate) fn receivers(&self) -> Vec<ReceiverInfo> {
        self.registry.receivers().values().cloned().collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    fn receivers(&self) -> MutexGuard<'_, BTreeMap<StreamId, ReceiverInfo>> {
        lock(&self.receivers)
    }

    /// Changes what is known of a receiver and posts it.
    fn change(
        &self,
        stream: StreamId,
        change: impl FnOnce(&mut ReceiverInfo),
        event: fn(ReceiverInfo) -> StreamingListenerEvent,
    ) {
        let mut receivers = self.receivers();
        let info = receivers.entry(stream).or_default();
        change(info);
        // Posted under the lock, so that the events of a receiver come in the order of its states.
        self.bus.post(|| event(info.clone()));
    }

    fn note(&self, info: &mut ReceiverInfo, message: &str, error: &str) {
        info.last_error_message = message.to_owned();
        info.last_error = error.to_owned();
        if !error.is_empty() {
            info.last_error_time = Some(self.clock.now());
        }
    }
}

impl ReceiverEvents for Registry {
    fn receiver_started(&self, stream: StreamId) {
        tracing::info!("stream {stream}: the receiver was started");
        self.change(stream, |info| info.active = true, StreamingListenerEvent::ReceiverStarted);
    }

    fn receiver_error(&self, stream: StreamId, message: &str, error: &str) {
        tracing::warn!("stream {stream}: error reported by the receiver: {message}: {error}");
        self.change(stream, |info| self.note(info, message, error), StreamingListenerEvent::ReceiverError);
    }

    fn receiver_stopped(&self, stream: StreamId, message: &str, error: &str) {
        if error.is_empty() {
            tracing::info!("stream {stream}: the receiver was stopped: {message}");
        } else {
            tracing::warn!("stream {stream}: the receiver was stopped: {message}: {error}");
        }
        let change = |info: &mut ReceiverInfo| {
            info.active = false;
            self.note(info, message, error);
        };
        self.change(stream, change, StreamingListenerEvent::ReceiverStopped);
    }

    fn add_block(&self, stored: Result<Arc<dyn Block>>) -> Result<()> {
        self.blocks.add_block(stored)
    }
}

impl fmt::Debug for ReceiverTracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiverTracker").field("receivers", &self.receivers()).finish_non_exhaustive()
    }
}
