//! Which received blocks belong to which batch.

use std::any::type_name;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::receiver::{Block, ReceivedBlock, StreamId};
use crate::time::Time;

/// Keeps the received blocks and gives them to batches.
///
/// A batch is given all blocks that have come, of all streams at once; so a block belongs to one batch, and a later batch
/// never has an earlier block of any stream.
#[derive(Debug, Default)]
pub(crate) struct ReceivedBlockTracker {
    state: Mutex<State>,
}

type Blocks = BTreeMap<StreamId, Vec<Arc<dyn Block>>>;

#[derive(Debug, Default)]
struct State {
    /// In the order in which they came; no stream without blocks is in it.
    unallocated: Blocks,
    allocated: BTreeMap<Time, Blocks>,
    last_allocated: Option<Time>,
}

impl ReceivedBlockTracker {
    /// Adds a block that no batch has.
    pub(crate) fn add_block(&self, block: Arc<dyn Block>) {
        self.state().unallocated.entry(block.id().stream).or_default().push(block);
    }

    /// Gives all blocks that no batch has to the batch of `time`; does nothing for a batch that is not later than the
    /// last one, so that a batch that is generated again keeps its blocks.
    pub(crate) fn allocate_blocks_to_batch(&self, time: Time) {
        let mut state = self.state();
        if state.last_allocated.is_none_or(|last| time > last) {
            let blocks = std::mem::take(&mut state.unallocated);
            state.allocated.insert(time, blocks);
            state.last_allocated = Some(time);
        }
    }

    /// Returns a stream's blocks of a batch, in the order in which they came.
    pub(crate) fn blocks_of_batch<T: Send + Sync + 'static>(
        &self,
        time: Time,
        stream: StreamId,
    ) -> Vec<Arc<ReceivedBlock<T>>> {
        let blocks = self.erased_blocks(time, stream);
        let all = blocks.len();
        let typed: Vec<_> = blocks.into_iter().filter_map(|block| block.into_any().downcast().ok()).collect();
        debug_assert_eq!(typed.len(), all, "stream {stream} does not receive {}", type_name::<T>());
        typed
    }

    /// Returns how many records a stream gave to a batch.
    pub(crate) fn num_records_of_batch(&self, time: Time, stream: StreamId) -> u64 {
        let state = self.state();
        let blocks = state.allocated.get(&time).and_then(|blocks| blocks.get(&stream));
        blocks.into_iter().flatten().map(|block| block.num_records() as u64).sum()
    }

    /// Returns whether there are blocks that no batch has.
    pub(crate) fn has_unallocated_received_blocks(&self) -> bool {
        !self.state().unallocated.is_empty()
    }

    /// Stops counting the blocks of a batch as backlog: they are processed, though they may still be remembered.
    pub(crate) fn batch_processed(&self, time: Time) {
        let state = self.state();
        let blocks = state.allocated.get(&time).into_iter().flat_map(BTreeMap::values).flatten();
        blocks.for_each(|block| block.processed());
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

    fn erased_blocks(&self, time: Time, stream: StreamId) -> Vec<Arc<dyn Block>> {
        let state = self.state();
        let blocks = state.allocated.get(&time).and_then(|blocks| blocks.get(&stream));
        blocks.cloned().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::test_block;

    const A: StreamId = StreamId(1);
    const B: StreamId = StreamId(2);

    fn at(millis: i64) -> Time {
        Time::from_millis(millis)
    }

    fn numbers(tracker: &ReceivedBlockTracker, time: i64, stream: StreamId) -> Vec<i64> {
        let blocks = tracker.blocks_of_batch::<i64>(at(time), stream);
        blocks.iter().map(|block| block.id().number).collect()
    }

    #[test]
    fn a_batch_is_given_all_blocks_that_have_come() {
        let tracker = ReceivedBlockTracker::default();
        assert!(!tracker.has_unallocated_received_blocks());
        for number in 0..5 {
            tracker.add_block(test_block(A, number, vec![number; 10]));
        }
        tracker.add_block(test_block(B, 0, vec![0_i64]));
        assert!(tracker.has_unallocated_received_blocks());

        tracker.allocate_blocks_to_batch(at(1));
        assert_eq!(numbers(&tracker, 1, A), [0, 1, 2, 3, 4]);
        assert_eq!(numbers(&tracker, 1, B), [0]);
        assert_eq!(tracker.num_records_of_batch(at(1), A), 50);
        assert!(!tracker.has_unallocated_received_blocks());

        tracker.allocate_blocks_to_batch(at(2));
        assert_eq!(numbers(&tracker, 2, A), [0; 0]);
        assert_eq!(tracker.num_records_of_batch(at(2), A), 0);
    }

    #[test]
    fn a_batch_that_is_generated_again_keeps_its_blocks() {
        let tracker = ReceivedBlockTracker::default();
        tracker.add_block(test_block(A, 0, vec![7_i64]));
        tracker.allocate_blocks_to_batch(at(1));
        tracker.allocate_blocks_to_batch(at(2));
        tracker.add_block(test_block(A, 1, vec![8_i64]));
        for time in [1, 2] {
            tracker.allocate_blocks_to_batch(at(time));
        }
        assert_eq!(numbers(&tracker, 1, A), [0]);
        assert_eq!(numbers(&tracker, 2, A), [0; 0]);
        assert!(tracker.has_unallocated_received_blocks());
        tracker.allocate_blocks_to_batch(at(3));
        assert_eq!(numbers(&tracker, 3, A), [1]);
    }

    #[test]
    fn old_batches_are_forgotten_with_their_blocks() {
        let tracker = ReceivedBlockTracker::default();
        let mut blocks = Vec::new();
        for time in 1..=3 {
            let block = test_block(A, time, vec![time]);
            blocks.push(Arc::downgrade(&block));
            tracker.add_block(block);
            tracker.allocate_blocks_to_batch(at(time));
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
                        tracker.add_block(test_block(StreamId(stream), number, vec![number]));
                    }
                });
            }
            for time in 0..100 {
                tracker.allocate_blocks_to_batch(at(time));
            }
        });
        tracker.allocate_blocks_to_batch(at(100));
        for stream in 0..4 {
            let all: Vec<_> = (0..=100).flat_map(|time| numbers(&tracker, time, StreamId(stream))).collect();
            assert_eq!(all, (0..5000).collect::<Vec<_>>());
        }
    }
}
