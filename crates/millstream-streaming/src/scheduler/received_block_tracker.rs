//! Which received blocks belong to which batch.

mod recover;

use std::any::type_name;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use millstream_core::Data;

use crate::error::Result;
use crate::receiver::{Block, ReceivedBlock, Storage, StreamId};
use crate::recovery::block_log::{BlockLog, LoggedBlock};
use crate::time::Time;

/// Keeps the received blocks and gives them to batches.
///
/// A batch is given all blocks that have come, of all streams at once; so a block belongs to one batch, and a later batch
/// never has an earlier block of any stream. With a log, both that a block has come and which batch has it are on disk
/// before anyone relies on it.
#[derive(Debug, Default)]
pub(crate) struct ReceivedBlockTracker {
    state: Mutex<State>,
    log: OnceLock<Arc<BlockLog>>,
}

/// A block that has come.
#[derive(Debug, Clone)]
enum Tracked {
    /// One of this run, which is in the log if there is one.
    Held(Arc<dyn Block>),
    /// One of before a restart: it lies in the log.
    Logged(LoggedBlock),
}

impl Tracked {
    fn num_records(&self) -> u64 {
        match self {
            Tracked::Held(block) => block.num_records(),
            Tracked::Logged(block) => block.records,
        }
    }

    fn logged(&self) -> Option<&LoggedBlock> {
        match self {
            Tracked::Held(block) => block.logged(),
            Tracked::Logged(logged) => Some(logged),
        }
    }
}

type Blocks = BTreeMap<StreamId, Vec<Tracked>>;

#[derive(Debug, Default)]
struct State {
    /// In the order in which they came; no stream without blocks is in it.
    unallocated: Blocks,
    allocated: BTreeMap<Time, Blocks>,
    last_allocated: Option<Time>,
    /// When the oldest block of a batch was logged.
    logged_since: BTreeMap<Time, Time>,
    /// Why a block could not be logged: nothing more is given to a batch.
    failure: Option<crate::error::Error>,
}

impl ReceivedBlockTracker {
    /// Adds a block that was stored and that no batch has; returns when the log says so, if there is one.
    ///
    /// # Errors
    /// If it could not be stored, or that it was can not be logged: no batch is given anything any more.
    pub(crate) fn add_block(&self, stored: Result<Arc<dyn Block>>) -> Result<()> {
        let added = stored.and_then(|block| {
            if let (Some(log), Some(logged)) = (self.log.get(), block.logged()) {
                log.add(logged.clone())?;
            }
            Ok(block)
        });
        let mut state = self.state();
        match added {
            Ok(block) => {
                state.unallocated.entry(block.id().stream).or_default().push(Tracked::Held(block));
                Ok(())
            }
            Err(error) => {
                state.failure.get_or_insert_with(|| error.clone());
                Err(error)
            }
        }
    }

    /// Gives all blocks that no batch has to the batch of `time`; does nothing for a batch that is not later than the
    /// last one, so that a batch that is generated again keeps its blocks.
    ///
    /// # Errors
    /// If a block, or that the batch has its blocks, can not be logged; then a later batch has them.
    pub(crate) fn allocate_blocks_to_batch(&self, time: Time) -> Result<()> {
        let (blocks, before) = {
            let mut state = self.state();
            if let Some(failure) = &state.failure {
                return Err(failure.clone());
            }
            if state.last_allocated.is_some_and(|last| time <= last) {
                return Ok(());
            }
            let before = state.last_allocated.replace(time);
            (std::mem::take(&mut state.unallocated), before)
        };
        if let Some(log) = self.log.get() {
            let place = |block: &Tracked| block.logged().map(|logged| logged.at.clone());
            let places =
                blocks.iter().map(|(stream, blocks)| (*stream, blocks.iter().filter_map(place).collect()));
            // Whoever asks for the blocks of the batch asks after this: it is the thread that generates the batch.
            if let Err(error) = log.allocate(time, places.collect()) {
                self.state().take_back(blocks, before);
                return Err(error);
            }
        }
        self.state().allocate(time, blocks);
        Ok(())
    }

    /// Returns a stream's blocks of a batch, in the order in which they came.
    ///
    /// Those of before a restart may lie where `storage` says; they are read when they are needed.
    ///
    /// # Errors
    /// If there are such and no log.
    pub(crate) fn blocks_of_batch<T: Data>(
        &self,
        time: Time,
        stream: StreamId,
        storage: &Storage,
    ) -> Result<Vec<Arc<ReceivedBlock<T>>>> {
        let mut typed = Vec::new();
        for block in self.tracked(time, stream) {
            match block {
                Tracked::Held(block) => match block.into_any().downcast() {
                    Ok(block) => typed.push(block),
                    Err(_) => debug_assert!(false, "stream {stream} does not receive {}", type_name::<T>()),
                },
                Tracked::Logged(logged) => typed.push(self.recovered(logged, storage)?),
            }
        }
        Ok(typed)
    }

    /// Returns how many records a stream gave to a batch.
    pub(crate) fn num_records_of_batch(&self, time: Time, stream: StreamId) -> u64 {
        let state = self.state();
        let blocks = state.allocated.get(&time).and_then(|blocks| blocks.get(&stream));
        blocks.into_iter().flatten().map(Tracked::num_records).sum()
    }

    /// Returns whether there are blocks that no batch has.
    pub(crate) fn has_unallocated_received_blocks(&self) -> bool {
        !self.state().unallocated.is_empty()
    }

    /// Stops counting the blocks of a batch as backlog: they are processed, though they may still be remembered.
    pub(crate) fn batch_processed(&self, time: Time) {
        let state = self.state();
        let blocks = state.allocated.get(&time).into_iter().flat_map(BTreeMap::values).flatten();
        for block in blocks {
            if let Tracked::Held(block) = block {
                block.processed();
            }
        }
    }

    /// Forgets the batches before `threshold`, and with them their blocks.
    pub(crate) fn clean_up_old_batches(&self, threshold: Time) {
        let old = {
            let mut state = self.state();
            let kept = state.allocated.split_off(&threshold);
            std::mem::replace(&mut state.allocated, kept)
        };
        // Freeing many records takes long, and receivers may wait for the lock.
        drop(old);
    }

    fn tracked(&self, time: Time, stream: StreamId) -> Vec<Tracked> {
        let state = self.state();
        let blocks = state.allocated.get(&time).and_then(|blocks| blocks.get(&stream));
        blocks.cloned().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes back blocks that were not given to a batch, before those that have come since.
    fn take_back(&mut self, blocks: Blocks, last_allocated: Option<Time>) {
        self.last_allocated = last_allocated;
        for (stream, mut blocks) in blocks {
            let since = self.unallocated.entry(stream).or_default();
            blocks.append(since);
            *since = blocks;
        }
    }

    fn allocate(&mut self, batch: Time, blocks: Blocks) {
        let logged = blocks.values().flatten().filter_map(Tracked::logged).map(|logged| logged.time);
        if let Some(oldest) = logged.min() {
            self.logged_since.insert(batch, oldest);
        }
        self.allocated.insert(batch, blocks);
        self.last_allocated = self.last_allocated.max(Some(batch));
    }
}

#[cfg(test)]
mod tests {
    use millstream_core::StorageLevel;

    use super::*;
    use crate::receiver::{test_block, test_storage};

    const A: StreamId = StreamId(1);
    const B: StreamId = StreamId(2);

    fn at(millis: i64) -> Time {
        Time::from_millis(millis)
    }

    fn numbers(tracker: &ReceivedBlockTracker, time: i64, stream: StreamId) -> Vec<i64> {
        let storage = test_storage(StorageLevel::MEMORY_ONLY);
        let blocks = tracker.blocks_of_batch::<i64>(at(time), stream, &storage).unwrap();
        blocks.iter().map(|block| block.id().number).collect()
    }

    #[test]
    fn a_batch_is_given_all_blocks_that_have_come() {
        let tracker = ReceivedBlockTracker::default();
        assert!(!tracker.has_unallocated_received_blocks());
        for number in 0..5 {
            tracker.add_block(Ok(test_block(A, number, vec![number; 10]))).unwrap();
        }
        tracker.add_block(Ok(test_block(B, 0, vec![0_i64]))).unwrap();
        assert!(tracker.has_unallocated_received_blocks());

        tracker.allocate_blocks_to_batch(at(1)).unwrap();
        assert_eq!(numbers(&tracker, 1, A), [0, 1, 2, 3, 4]);
        assert_eq!(numbers(&tracker, 1, B), [0]);
        assert_eq!(tracker.num_records_of_batch(at(1), A), 50);
        assert!(!tracker.has_unallocated_received_blocks());

        tracker.allocate_blocks_to_batch(at(2)).unwrap();
        assert_eq!(numbers(&tracker, 2, A), [0; 0]);
        assert_eq!(tracker.num_records_of_batch(at(2), A), 0);
    }

    #[test]
    fn a_batch_that_is_generated_again_keeps_its_blocks() {
        let tracker = ReceivedBlockTracker::default();
        tracker.add_block(Ok(test_block(A, 0, vec![7_i64]))).unwrap();
        tracker.allocate_blocks_to_batch(at(1)).unwrap();
        tracker.allocate_blocks_to_batch(at(2)).unwrap();
        tracker.add_block(Ok(test_block(A, 1, vec![8_i64]))).unwrap();
        for time in [1, 2] {
            tracker.allocate_blocks_to_batch(at(time)).unwrap();
        }
        assert_eq!(numbers(&tracker, 1, A), [0]);
        assert_eq!(numbers(&tracker, 2, A), [0; 0]);
        assert!(tracker.has_unallocated_received_blocks());
        tracker.allocate_blocks_to_batch(at(3)).unwrap();
        assert_eq!(numbers(&tracker, 3, A), [1]);
    }

    #[test]
    fn what_comes_before_the_batches_of_an_earlier_run_have_run_again_is_for_a_later_one() {
        let tracker = ReceivedBlockTracker::default();
        tracker.begins_after(at(2));
        tracker.add_block(Ok(test_block(A, 0, vec![7_i64]))).unwrap();
        for time in [1, 2, 3] {
            tracker.allocate_blocks_to_batch(at(time)).unwrap();
        }
        assert_eq!([1, 2, 3].map(|time| numbers(&tracker, time, A)), [vec![], vec![], vec![0]]);
    }

    #[test]
    fn old_batches_are_forgotten_with_their_blocks() {
        let tracker = ReceivedBlockTracker::default();
        let mut blocks = Vec::new();
        for time in 1..=3 {
            let block = test_block(A, time, vec![time]);
            blocks.push(Arc::downgrade(&block));
            tracker.add_block(Ok(block)).unwrap();
            tracker.allocate_blocks_to_batch(at(time)).unwrap();
        }
        tracker.clean_up_old_batches(at(2));
        assert_eq!(numbers(&tracker, 1, A), [0; 0]);
        assert_eq!(numbers(&tracker, 2, A), [2]);
        let alive: Vec<_> = blocks.iter().map(|block| block.strong_count()).collect();
        assert_eq!(alive, [0, 1, 1]);
    }

    #[test]
    fn many_blocks_from_several_threads_all_find_a_batch() {
        let tracker = ReceivedBlockTracker::default();
        std::thread::scope(|scope| {
            for stream in 0..4 {
                let tracker = &tracker;
                scope.spawn(move || {
                    for number in 0..5000 {
                        tracker.add_block(Ok(test_block(StreamId(stream), number, vec![number]))).unwrap();
                    }
                });
            }
            for time in 0..100 {
                tracker.allocate_blocks_to_batch(at(time)).unwrap();
            }
        });
        tracker.allocate_blocks_to_batch(at(100)).unwrap();
        for stream in 0..4 {
            let all: Vec<_> = (0..=100).flat_map(|time| numbers(&tracker, time, StreamId(stream))).collect();
            assert_eq!(all, (0..5000).collect::<Vec<_>>());
        }
    }
}
