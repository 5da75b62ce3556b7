//! Which log under `receivedData/` is whose.
//!
//! Streams are numbered in the order of their creation, so that a change of the program changes the numbers. A log keeps the number it
//! was begun with, filed under the id of its receiver's operator.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Allocation, BlockEvent};
use crate::receiver::StreamId;

/// A receiver whose blocks are logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedReceiver {
    /// The stable id of its operator.
    pub(crate) id: String,
    /// The number of its log.
    pub(crate) log: StreamId,
    /// Whether the program is without it, and what its log holds was given up: no other receiver may have the number.
    pub(crate) gone: bool,
}

/// The logs of a checkpoint directory, and the streams that they belong to.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogNumbers {
    saved: Vec<SavedReceiver>,
    logs: BTreeMap<StreamId, StreamId>,
    streams: BTreeMap<StreamId, StreamId>,
}

impl LogNumbers {
    /// Finds the logs of the receivers of a program, by their ids, among those that a manifest names; a receiver without one is
    /// given a number that none has.
    pub(crate) fn new(saved: &[SavedReceiver], receivers: &BTreeMap<String, StreamId>) -> Self {
        let mut numbers = LogNumbers::default();
        let mut used: BTreeSet<StreamId> = saved.iter().map(|saved| saved.log).collect();
        for saved in saved {
            let stream = receivers.get(&saved.id).filter(|_| !saved.gone);
            numbers.saved.push(SavedReceiver { gone: stream.is_none(), ..saved.clone() });
            if let Some(stream) = stream {
                numbers.logs.insert(*stream, saved.log);
            }
        }
        for (id, stream) in receivers {
            if !numbers.logs.contains_key(stream) {
                let after = StreamId(used.last().map_or(0, |last| last.0 + 1));
                let log = if used.contains(stream) { after } else { *stream };
                used.insert(log);
                numbers.logs.insert(*stream, log);
                numbers.saved.push(SavedReceiver { id: id.clone(), log, gone: false });
            }
        }
        numbers.streams = numbers.logs.iter().map(|(stream, log)| (*log, *stream)).collect();
        numbers
    }

    /// Returns what a manifest is to say.
    pub(crate) fn saved(&self) -> &[SavedReceiver] {
        &self.saved
    }

    /// Returns the streams whose blocks are logged.
    pub(super) fn streams(&self) -> impl Iterator<Item = StreamId> {
        self.logs.keys().copied()
    }

    /// Returns the number of a stream's log.
    pub(super) fn log_of(&self, stream: StreamId) -> StreamId {
        self.logs.get(&stream).copied().unwrap_or(stream)
    }

    /// Returns an event of streams as it is logged.
    pub(super) fn logged(&self, event: BlockEvent) -> BlockEvent {
        match event {
            BlockEvent::Added(mut block) => {
                block.id.stream = self.log_of(block.id.stream);
                BlockEvent::Added(block)
            }
            BlockEvent::Allocated { batch, blocks } => {
                let blocks = blocks.into_iter().map(|(stream, blocks)| (self.log_of(stream), blocks));
                BlockEvent::Allocated { batch, blocks: blocks.collect() }
            }
        }
    }

    /// Returns an event that was logged, as one of streams; nothing of receivers that are gone.
    pub(super) fn of_streams(&self, event: BlockEvent) -> Option<BlockEvent> {
        match event {
            BlockEvent::Added(mut block) => {
                block.id.stream = *self.streams.get(&block.id.stream)?;
                Some(BlockEvent::Added(block))
            }
            BlockEvent::Allocated { batch, blocks } => {
                let of_stream = |(log, blocks)| Some((*self.streams.get(&log)?, blocks));
                let blocks: Allocation = blocks.into_iter().filter_map(of_stream).collect();
                Some(BlockEvent::Allocated { batch, blocks })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(saved: &[SavedReceiver], ids: &[&str]) -> LogNumbers {
        let receivers = ids.iter().enumerate().map(|(number, id)| ((*id).to_owned(), StreamId(number)));
        LogNumbers::new(saved, &receivers.collect())
    }

    fn logs(numbers: &LogNumbers, streams: usize) -> Vec<usize> {
        (0..streams).map(|stream| numbers.log_of(StreamId(stream)).0).collect()
    }

    #[test]
    fn a_log_follows_its_operator_and_no_other_receiver_has_the_number_of_one_that_is_gone() {
        let first = numbers(&[], &["a", "b"]);
        assert_eq!(logs(&first, 2), [0, 1]);
        // One is inserted before, one is gone.
        let second = numbers(first.saved(), &["new", "b"]);
        assert_eq!(logs(&second, 2), [2, 1]);
        let gone: Vec<_> = second.saved().iter().filter(|saved| saved.gone).map(|saved| &*saved.id).collect();
        assert_eq!(gone, ["a"]);
        // When it comes back it begins a log of its own.
        let third = numbers(second.saved(), &["a", "b", "new"]);
        assert_eq!(logs(&third, 3), [3, 1, 2]);
        assert_eq!(logs(&numbers(third.saved(), &["new", "b", "a"]), 3), [2, 1, 3]);
    }
}
