//! Cuts what a receiver stores into blocks.

use std::collections::VecDeque;
use std::fmt;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use millstream_core::Data;

use super::StreamId;
use super::backlog::{Backlog, Charge};
use super::block::{Block, BlockId};
use super::block_store::{Content, NewBlock, ReceivedBlockHandler};
use super::rate_limiter::RateLimiter;
use crate::clock::{Clock, StopSignal};
use crate::error::{Error, Result};
use crate::recurring_timer::RecurringTimer;
use crate::time::Time;

#[cfg(test)]
mod tests;

/// How blocks are cut.
#[derive(Debug, Clone)]
pub(crate) struct BlockGeneratorConfig {
    /// `spark.streaming.blockInterval`, or the batch interval if that is shorter.
    pub(crate) block_interval: Duration,
    /// `spark.streaming.blockQueueSize`: how many blocks may wait to be pushed before the receiver is held back.
    pub(crate) queue_size: usize,
    /// `spark.streaming.receiver.blockStoreTimeout`: how long a reliable store waits for its block.
    pub(crate) store_timeout: Duration,
}

/// Told of the blocks that were stored, one at a time and in order, and of one that could not be; an error of it is one of
/// the store.
pub(crate) type BlockSink = Arc<dyn Fn(Result<Arc<dyn Block>>) -> Result<()> + Send + Sync>;

/// How often a receiver that waits for the memory of the context looks.
const LOOK: Duration = Duration::from_millis(10);

/// Vectors of fewer records are put together, so that the records of a block do not lie in crumbs.
const SMALL: usize = 256;

/// How many records are put together at most.
const TOGETHER: usize = 1024;

/// Cuts what is stored into blocks, one at each block interval; an interval in which nothing came makes no block.
///
/// A timer cuts, a second thread stores what was cut and pushes it, so that a slow push makes no block late. A store is
/// held back in four ways, each of which a stop ends: by the rate, by the backlog, by a full queue of blocks, and by the
/// memory of the context.
pub(crate) struct BlockGenerator<T: Data> {
    shared: Arc<Shared<T>>,
    timer: RecurringTimer,
    pusher: Mutex<Option<JoinHandle<()>>>,
}

struct Shared<T> {
    stream: StreamId,
    config: BlockGeneratorConfig,
    limiter: RateLimiter,
    backlog: Arc<Backlog>,
    state: Mutex<State<T>>,
    /// There is room in the queue again.
    room: Condvar,
    /// There is a block to push, or no more will come.
    work: Condvar,
    handler: Arc<dyn ReceivedBlockHandler<T>>,
    sink: BlockSink,
    /// Held while blocks are pushed: two threads may do it, and the order must hold.
    pushing: Mutex<()>,
}

struct State<T> {
    phase: Phase,
    chunks: Vec<Vec<T>>,
    /// Whether records may be put to the last chunk.
    open: bool,
    /// The admitted bytes of the chunks.
    bytes: usize,
    queue: VecDeque<Cut<T>>,
    /// The last time at which a block was due.
    last_cut: Time,
    last_number: i64,
}

/// A block that waits to be stored, and who waits for it.
struct Cut<T> {
    block: NewBlock<T>,
    waits: Option<Sender<Result<()>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Active,
    /// Nothing is accepted any more; the rest is pushed.
    Draining,
    Stopped,
}

impl<T: Data> BlockGenerator<T> {
    /// Starts to cut blocks, to store them by `handler` and to push them into `sink`.
    pub(crate) fn start(
        stream: StreamId,
        mut config: BlockGeneratorConfig,
        limiter: RateLimiter,
        backlog: Arc<Backlog>,
        clock: Arc<dyn Clock>,
        handler: Arc<dyn ReceivedBlockHandler<T>>,
        sink: BlockSink,
    ) -> Result<Self> {
        config.queue_size = config.queue_size.max(1);
        let interval = config.block_interval;
        let first = RecurringTimer::start_time(&*clock, interval);
        let state = State {
            phase: Phase::Active,
            chunks: Vec::new(),
            open: false,
            bytes: 0,
            queue: VecDeque::new(),
            last_cut: first - interval,
            last_number: i64::MIN,
        };
        let shared = Arc::new(Shared {
            stream,
            config,
            limiter,
            backlog,
            state: Mutex::new(state),
            room: Condvar::new(),
            work: Condvar::new(),
            handler,
            sink,
            pushing: Mutex::new(()),
        });
        let timer = RecurringTimer::start(&format!("block-timer-{stream}"), clock, first, interval, {
            let shared = Arc::clone(&shared);
            move |time| {
                let mut state = shared.state();
                shared.cut_if_due(&mut state, time);
            }
        })?;
        let name = format!("block-pusher-{stream}");
        let pusher = thread::Builder::new()
            .name(name.clone())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.keep_pushing()
            })
            .map_err(|source| Error::thread(name, source))?;
        Ok(BlockGenerator { shared, timer, pusher: Mutex::new(Some(pusher)) })
    }

    /// Stores one record of an estimated size.
    pub(crate) fn add(&self, record: T, bytes: usize, stop: &StopSignal) -> Result<()> {
        let shared = &*self.shared;
        shared.limiter.acquire(1, stop);
        let mut guard = shared.admit(bytes, stop)?;
        let state = &mut *guard;
        match state.chunks.last_mut() {
            Some(last) if state.open && last.len() < TOGETHER => last.push(record),
            _ => {
                state.chunks.push(vec![record]);
                state.open = true;
            }
        }
        Ok(())
    }

    /// Stores records whose sizes sum up to about `bytes`; the vector is moved as it is.
    pub(crate) fn add_many(&self, records: Vec<T>, bytes: usize, stop: &StopSignal) -> Result<()> {
        match self.shared.limiter.current_limit() {
            None => self.add_chunk(records, bytes, stop),
            Some(rate) => {
                // Let in at once, a large vector would come in one batch and hold the receiver for long after.
                let piece = usize::try_from(rate / 10).unwrap_or(usize::MAX).max(1);
                let bytes_each = bytes / records.len().max(1);
                let mut records = records.into_iter();
                while records.len() > 0 {
                    let part: Vec<T> = records.by_ref().take(piece).collect();
                    let bytes = bytes_each * part.len();
                    self.add_chunk(part, bytes, stop)?;
                }
                Ok(())
            }
        }
    }

    fn add_chunk(&self, mut records: Vec<T>, bytes: usize, stop: &StopSignal) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let shared = &*self.shared;
        shared.limiter.acquire(records.len(), stop);
        let mut guard = shared.admit(bytes, stop)?;
        let state = &mut *guard;
        let small = records.len() < SMALL;
        match state.chunks.last_mut() {
            Some(last) if small && state.open && last.len() + records.len() <= TOGETHER => {
                last.append(&mut records)
            }
            _ => {
                state.chunks.push(records);
                state.open = small;
            }
        }
        Ok(())
    }

    /// Stores a block of its own and returns when it is stored; what was added before comes before it.
    pub(crate) fn store_block(
        &self,
        content: Content<T>,
        bytes: usize,
        metadata: Option<String>,
        stop: &StopSignal,
    ) -> Result<()> {
        let records = match &content {
            Content::Records(chunks) => chunks.iter().map(Vec::len).sum(),
            Content::Bytes(bytes) => usize::try_from(bytes.records()).unwrap_or(usize::MAX),
        };
        if records == 0 {
            return Ok(());
        }
        let shared = &*self.shared;
        shared.limiter.acquire(records, stop);
        let (waits, stored) = mpsc::channel();
        {
            let mut guard = shared.admit(bytes, stop)?;
            let state = &mut *guard;
            state.bytes -= bytes;
            shared.cut_early(state);
            let charge = Charge::new(Arc::clone(&shared.backlog), bytes);
            let block = NewBlock { id: shared.next_id(state, state.last_cut), content, metadata, charge };
            state.queue.push_back(Cut { block, waits: Some(waits) });
            shared.work.notify_one();
        }
        let timeout = shared.config.store_timeout;
        stored.recv_timeout(timeout).unwrap_or_else(|error| match error {
            RecvTimeoutError::Timeout => Err(Error::BlockNotStored { stream: shared.stream, timeout }),
            RecvTimeoutError::Disconnected => Err(Error::ReceiverStopped { stream: shared.stream }),
        })
    }

    /// Stops: accepts nothing more, cuts what is left into a last block, and returns when all blocks are pushed.
    pub(crate) fn stop(&self) {
        let shared = &*self.shared;
        {
            let mut state = shared.state();
            if state.phase != Phase::Active {
                return;
            }
            state.phase = Phase::Draining;
            shared.room.notify_all();
        }
        self.timer.stop(true);
        {
            let mut state = shared.state();
            let time = state.last_cut + shared.config.block_interval;
            shared.cut(&mut state, time);
            state.phase = Phase::Stopped;
            shared.work.notify_all();
        }
        let pusher = self.pusher.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(pusher) = pusher
            && pusher.join().is_err()
        {
            tracing::error!(
                "stream {}: the thread that pushes blocks panicked; blocks may be lost",
                shared.stream
            );
        }
    }
}

impl<T: Data> Drop for BlockGenerator<T> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a supervisor and a tracker want of a block generator, whatever its records are.
pub(crate) trait GenerateBlocks: Send + Sync {
    /// Cuts the block that is due at `time` unless that is done, and returns when all blocks that were cut are pushed.
    fn cut_till(&self, time: Time);

    /// Makes the stores that are held back look at their stop signal.
    fn wake(&self);

    /// Returns what bounds the rate of the stores.
    fn limiter(&self) -> &RateLimiter;

    /// Returns how many bytes wait in memory to be processed.
    #[cfg(test)]
    fn backlog(&self) -> usize;

    /// Stops; see [`BlockGenerator::stop`].
    fn stop(&self);
}

impl<T: Data> GenerateBlocks for BlockGenerator<T> {
    fn cut_till(&self, time: Time) {
        {
            let mut state = self.shared.state();
            self.shared.cut_if_due(&mut state, time);
        }
        self.shared.push_all();
    }

    fn wake(&self) {
        self.shared.backlog.wake();
        // Taken so that a store that has looked, but does not wait yet, is not missed.
        let _state = self.shared.state();
        self.shared.room.notify_all();
    }

    fn limiter(&self) -> &RateLimiter {
        &self.shared.limiter
    }

    #[cfg(test)]
    fn backlog(&self) -> usize {
        self.shared.backlog.held()
    }

    fn stop(&self) {
        BlockGenerator::stop(self);
    }
}

impl<T: Data> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `bytes` may be stored and counts them.
    fn admit(&self, bytes: usize, stop: &StopSignal) -> Result<MutexGuard<'_, State<T>>> {
        if self.backlog.is_full() && self.handler.spills() {
            // What is gathered goes to disk, and makes room.
            self.cut_early(&mut self.state());
        }
        self.backlog.admit(bytes, stop);
        let mut state = self.state();
        while state.phase == Phase::Active && !stop.is_stopped() {
            if state.queue.len() >= self.config.queue_size {
                state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else if self.handler.is_full() {
                state = self.room.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0;
            } else {
                break;
            }
        }
        if state.phase != Phase::Active {
            self.backlog.free(bytes);
            return Err(Error::ReceiverStopped { stream: self.stream });
        }
        state.bytes += bytes;
        Ok(state)
    }

    /// Cuts a block if one is due between the last cut and `time`, and there is room for it.
    fn cut_if_due(&self, state: &mut State<T>, time: Time) {
        let due = time.floor(self.config.block_interval);
        // With a full queue the records stay where they are, and whoever stores more waits.
        if due > state.last_cut && state.queue.len() < self.config.queue_size {
            state.last_cut = due;
            self.cut(state, due);
        }
    }

    /// Cuts what is gathered before it is due, if there is room for it.
    fn cut_early(&self, state: &mut State<T>) {
        if state.queue.len() < self.config.queue_size {
            let time = state.last_cut + self.config.block_interval;
            self.cut(state, time);
        }
    }

    /// Names the next block, which began at `began` at the earliest.
    fn next_id(&self, state: &mut State<T>, began: Time) -> BlockId {
        let number = began.as_millis().max(state.last_number.saturating_add(1));
        state.last_number = number;
        BlockId { stream: self.stream, number }
    }

    fn cut(&self, state: &mut State<T>, time: Time) {
        if state.chunks.is_empty() {
            return;
        }
        let id = self.next_id(state, time - self.config.block_interval);
        let chunks = std::mem::take(&mut state.chunks);
        let charge = Charge::new(Arc::clone(&self.backlog), std::mem::take(&mut state.bytes));
        let block = NewBlock { id, content: Content::Records(chunks), metadata: None, charge };
        state.queue.push_back(Cut { block, waits: None });
        self.work.notify_one();
    }

    fn keep_pushing(&self) {
        loop {
            let mut state = self.state();
            while state.queue.is_empty() {
                if state.phase == Phase::Stopped {
                    return;
                }
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            drop(state);
            self.push_all();
        }
    }

    fn push_all(&self) {
        let _pushing = self.pushing.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let Some(Cut { block, waits }) = self.state().queue.pop_front() else { return };
            self.room.notify_all();
            let stored = self.handler.store_block(block).map(|block| block as Arc<dyn Block>);
            let answer = (self.sink)(stored);
            if let Some(waits) = waits {
                // Whoever waited may have lost patience.
                let _ = waits.send(answer);
            }
        }
    }
}

impl<T: Data> fmt::Debug for BlockGenerator<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockGenerator").field("stream", &self.shared.stream).finish_non_exhaustive()
    }
}
