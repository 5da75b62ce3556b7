//! Which log under `receivedData/` is whose.
//!
//! Streams are numbered in the order of their creation, so that a change of the program changes the numbers. A log keeps the number it
//! was begun with, filed under the id of its receiver's operator.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Allocation, BlockEvent};
use crate::receiver::StreamId;
use crate::state::Fingerprint;

/// A receiver whose blocks are logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedReceiver {
    /// The stable id of its operator.
    pub(crate) id: String,
    /// The number of its log.
    pub(crate) log: StreamId,
    /// Whether the program is without it, and what its log holds was given up: no other receiver may have the number.
    pub(crate) gone: bool,
    /// Of what types its records are; nothing in manifests of before that was said.
    #[serde(default)]
    pub(crate) records: Option<Fingerprint>,
    /// The ids of the operators that keep a state made of its records.
    #[serde(default)]
    pub(crate) states: Vec<String>,
}

impl SavedReceiver {
    /// Returns whether a receiver of the program can go on with the log: its records are read as those of other types else.
    pub(crate) fn fits(&self, own: &OwnReceiver) -> bool {
        match (&self.records, &own.records) {
            (Some(saved), Some(own)) => own.fits(saved),
            _ => true,
        }
    }
}

/// A receiver of a program.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnReceiver {
    pub(crate) stream: StreamId,
    /// Of what types its records are.
    pub(crate) records: Option<Fingerprint>,
    /// The ids of the operators that keep a state made of its records.
    pub(crate) states: Vec<String>,
}

/// The logs of a checkpoint directory, and the streams that they belong to.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogNumbers {
    saved: Vec<SavedReceiver>,
    logs: BTreeMap<StreamId, StreamId>,
    streams: BTreeMap<StreamId, StreamId>,
}

impl LogNumbers {
    /// Finds the logs of the receivers of a program, by their ids, among those that a manifest names; a receiver without one, or whose
    /// records are of other types, is given a number that none has.
    pub(crate) fn new(saved: &[SavedReceiver], receivers: &BTreeMap<String, OwnReceiver>) -> Self {
        let mut numbers = LogNumbers::default();
        let mut used: BTreeSet<StreamId> = saved.iter().map(|saved| saved.log).collect();
        for saved in saved {
            let own = receivers.get(&saved.id).filter(|own| !saved.gone && saved.fits(own));
            let Some(OwnReceiver { stream, records, states }) = own else {
                numbers.saved.push(SavedReceiver { gone: true, ..saved.clone() });
                continue;
            };
            numbers.logs.insert(*stream, saved.log);
            let (records, states) = (records.clone(), states.clone());
            numbers.saved.push(SavedReceiver { records, states, ..saved.clone() });
        }
        for (id, OwnReceiver { stream, records, states }) in receivers {
            if !numbers.logs.contains_key(stream) {
                let after = StreamId(used.last().map_or(0, |last| last.0 + 1));
                let log = if used.contains(stream) { after } else { *stream };
                used.insert(log);
                numbers.logs.insert(*stream, log);
                let (id, records, states) = (id.clone(), records.clone(), states.clone());
                numbers.saved.push(SavedReceiver { id, log, gone: false, records, states });
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
        numbers_of(saved, ids, None)
    }

    fn numbers_of(saved: &[SavedReceiver], ids: &[&str], records: Option<&Fingerprint>) -> LogNumbers {
        let own = |number| OwnReceiver {
            stream: StreamId(number),
            records: records.cloned(),
            ..OwnReceiver::default()
        };
        let receivers = ids.iter().enumerate().map(|(number, id)| ((*id).to_owned(), own(number)));
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

    #[test]
    fn records_of_other_types_are_in_another_log_and_those_of_which_nothing_was_said_are_not() {
        let (words, numbers) = (Fingerprint::of::<(), String>(None), Fingerprint::of::<(), u64>(None));
        let unsaid = numbers_of(&[], &["a"], None);
        let first = numbers_of(unsaid.saved(), &["a"], Some(&words));
        assert_eq!(logs(&first, 1), [0]);
        let second = numbers_of(first.saved(), &["a"], Some(&numbers));
        assert_eq!(logs(&second, 1), [1]);
        let of = |numbers: &LogNumbers| {
            let saved = numbers.saved().iter();
            saved.map(|saved| (saved.log.0, saved.gone, saved.records.clone())).collect::<Vec<_>>()
        };
        assert_eq!(of(&second), [(0, true, Some(words.clone())), (1, false, Some(numbers))]);
        // Nor is what was given up read again when they are of those types again.
        assert_eq!(logs(&numbers_of(second.saved(), &["a"], Some(&words)), 1), [2]);
    }
}
