//! Cuts what a receiver stores into blocks.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use millstream_core::Data;

use super::StreamId;
use super::backlog::{Backlog, Charge};
use super::block::{Block, BlockId};
use super::block_store::{Content, NewBlock, ReceivedBlockHandler};
use super::gathered::Gathered;
use super::rate_limiter::RateLimiter;
use super::text_lines::TextLines;
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
    gathered: Gathered<T>,
    /// The admitted bytes of what is gathered.
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
            gathered: Gathered::default(),
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
        self.shared.gather(1, bytes, stop, |gathered| gathered.add(record))
    }

    /// Stores records whose sizes sum up to about `bytes`; the vector is moved as it is.
    pub(crate) fn add_many(&self, records: Vec<T>, bytes: usize, stop: &StopSignal) -> Result<()> {
        match self.shared.limiter.current_limit() {
            None => self.add_chunk(records, bytes, stop),
            Some(rate) => {
                let piece = piece(rate);
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

    fn add_chunk(&self, records: Vec<T>, bytes: usize, stop: &StopSignal) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        self.shared.gather(records.len(), bytes, stop, |gathered| gathered.add_many(records))
    }

    /// Stores lines, which are not made records before a task reads them.
    pub(crate) fn add_lines(&self, lines: TextLines, stop: &StopSignal) -> Result<()> {
        let pieces = match self.shared.limiter.current_limit() {
            None => vec![lines],
            Some(rate) => lines.in_pieces(piece(rate)),
        };
        for lines in pieces {
            let (count, bytes) = (as_usize(lines.lines()), lines.bytes());
            self.shared.gather(count, bytes, stop, |gathered| gathered.add_lines(lines))?;
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
            Content::Bytes(bytes) => as_usize(bytes.records()),
            Content::Lines(lines) => as_usize(lines.lines()),
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

/// Returns how many records are let in at once at a rate: a large vector as a whole would come in one batch, and hold the
/// receiver for long after.
fn piece(rate: u64) -> usize {
    as_usize(rate / 10).max(1)
}

fn as_usize(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
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

    /// Waits until so many records of `bytes` may be stored, and adds them to what is gathered; what `add` returns is a
    /// block of its own that comes before them.
    fn gather(
        &self,
        records: usize,
        bytes: usize,
        stop: &StopSignal,
        add: impl FnOnce(&mut Gathered<T>) -> Option<Content<T>>,
    ) -> Result<()> {
        self.limiter.acquire(records, stop);
        let mut guard = self.admit(bytes, stop)?;
        let state = &mut *guard;
        if let Some(before) = add(&mut state.gathered) {
            let bytes_before = std::mem::replace(&mut state.bytes, bytes) - bytes;
            let time = state.last_cut + self.config.block_interval;
            self.queue(state, before, bytes_before, time);
        }
        Ok(())
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
        if let Some(content) = state.gathered.take() {
            let bytes = std::mem::take(&mut state.bytes);
            self.queue(state, content, bytes, time);
        }
    }

    /// Makes a block of what was gathered up to `time`.
    fn queue(&self, state: &mut State<T>, content: Content<T>, bytes: usize, time: Time) {
        let id = self.next_id(state, time - self.config.block_interval);
        let charge = Charge::new(Arc::clone(&self.backlog), bytes);
        state.queue.push_back(Cut { block: NewBlock { id, content, metadata: None, charge }, waits: None });
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
            // Records are written by code of their own. What has panicked there is not stored, and whoever counts on it must hear of it.
            let stored = catch_unwind(AssertUnwindSafe(|| self.handler.store_block(block)))
                .unwrap_or_else(|panic| Err(Error::panicked(&*panic)));
            let answer = (self.sink)(stored.map(|block| block as Arc<dyn Block>));
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
