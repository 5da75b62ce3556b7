//! Blocks of before a restart: each that no batch had goes to one batch, those of a batch stay in it.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use millstream_core::Data;

use super::{Blocks, ReceivedBlockTracker, Tracked};
use crate::error::{Error, Result};
use crate::receiver::{ReceivedBlock, Storage, StreamId};
use crate::recovery::block_log::{BlockEvent, BlockLog, LoggedBlock, SavedReceiver};
use crate::recovery::write_ahead_log::LogPosition;
use crate::time::Time;

/// A block that is in the log, and the batch that has it.
struct Added {
    block: Option<LoggedBlock>,
    batch: Option<Time>,
}

impl ReceivedBlockTracker {
    /// Gives nothing to the batches up to `time`, which an earlier run has generated: what comes before these have run again
    /// is for a later one.
    pub(crate) fn begins_after(&self, time: Time) {
        let mut state = self.state();
        state.last_allocated = state.last_allocated.max(Some(time));
    }

    /// Logs from now on, before the first block has come; takes over what an earlier run has logged. What batches were given that
    /// this run has not (`has` says so) is for the next one.
    ///
    /// # Errors
    /// If the log can not be read, is damaged, or lacks `last`, which a checkpoint knows to be in it, or a block of a batch from
    /// `needed_from` on.
    pub(crate) fn recover(
        &self,
        log: Arc<BlockLog>,
        last: Option<&LogPosition>,
        needed_from: Time,
        has: impl Fn(Time) -> bool,
    ) -> Result<()> {
        let mut known: HashMap<(StreamId, LogPosition), usize> = HashMap::new();
        let mut added: Vec<Added> = Vec::new();
        let mut allocated: BTreeMap<Time, Vec<usize>> = BTreeMap::new();
        let cleaned = log.replay(last, needed_from, |event| {
            match event {
                BlockEvent::Added(block) => {
                    // Written twice if the first time seemed to have failed.
                    known.entry((block.id.stream, block.at.clone())).or_insert_with(|| {
                        added.push(Added { block: Some(block), batch: None });
                        added.len() - 1
                    });
                }
                BlockEvent::Allocated { batch, blocks } => {
                    if !has(batch) || allocated.contains_key(&batch) {
                        return Ok(());
                    }
                    let of_batch = allocated.entry(batch).or_default();
                    for (stream, places) in blocks {
                        for place in places {
                            let key = (stream, place);
                            match known.get(&key) {
                                Some(at) => {
                                    // The last batch counts: one that was given it before has never run.
                                    if let Some(added) = added.get_mut(*at) {
                                        added.batch = Some(batch);
                                    }
                                    of_batch.push(*at);
                                }
                                None if batch >= needed_from => return Err(log.lacks(batch, &key.1)),
                                // Cleaned, with all batches that have it.
                                None => {}
                            }
                        }
                    }
                }
            }
            Ok(())
        })?;
        let told = added.iter().filter_map(|added| added.block.as_ref());
        for block in log.untold(told, cleaned)? {
            tracing::warn!(
                "the block {} with {} records is in the log, and not that it has come; it is given to the next batch",
                block.id,
                block.records
            );
            // A restart after this one must find it before the batch that is given it.
            log.add(block.clone())?;
            added.push(Added { block: Some(block), batch: None });
        }
        let mut state = self.state();
        for (batch, of_batch) in allocated {
            let mut blocks = Blocks::new();
            for at in of_batch {
                let block = added.get_mut(at).filter(|added| added.batch == Some(batch));
                if let Some(block) = block.and_then(|added| added.block.take()) {
                    blocks.entry(block.id.stream).or_default().push(Tracked::Logged(block));
                }
            }
            state.allocate(batch, blocks);
        }
        for block in added.into_iter().filter_map(|added| added.block) {
            state.unallocated.entry(block.id.stream).or_default().push(Tracked::Logged(block));
        }
        drop(state);
        // Called once, by the one start there is.
        let _ = self.log.set(log);
        Ok(())
    }

    /// Returns whether a batch has blocks, or would be given some.
    pub(crate) fn has_blocks(&self, batch: Time) -> bool {
        let state = self.state();
        let some = |blocks: &Blocks| blocks.values().any(|blocks| !blocks.is_empty());
        state.allocated.get(&batch).is_some_and(some)
            || (state.last_allocated.is_none_or(|last| batch > last) && some(&state.unallocated))
    }

    /// Returns whether blocks are logged.
    pub(crate) fn is_logged(&self) -> bool {
        self.log.get().is_some()
    }

    /// Returns the place of what was logged last, for a checkpoint.
    pub(crate) fn last_logged(&self) -> Option<LogPosition> {
        self.log.get().and_then(|log| log.last_position())
    }

    /// Deletes from the log what no batch from `oldest_needed` on, and none to come, has.
    pub(crate) fn clean_log(&self, oldest_needed: Time) {
        let Some(log) = self.log.get() else { return };
        let threshold = {
            let mut state = self.state();
            state.logged_since = state.logged_since.split_off(&oldest_needed);
            let waiting = state.unallocated.values().flatten().filter_map(Tracked::logged);
            let needed = waiting.map(|logged| logged.time).chain(state.logged_since.values().copied());
            needed.min().unwrap_or(oldest_needed).min(oldest_needed)
        };
        log.clean(threshold);
    }

    /// Returns which log is whose, for a checkpoint.
    pub(crate) fn saved_receivers(&self) -> Vec<SavedReceiver> {
        self.log.get().map(|log| log.numbers().saved().to_vec()).unwrap_or_default()
    }

    /// Returns the log, if there is one.
    pub(crate) fn log(&self) -> Option<Arc<BlockLog>> {
        self.log.get().cloned()
    }

    /// Returns a block of before a restart, which is read when it is needed.
    pub(super) fn recovered<T: Data>(
        &self,
        logged: LoggedBlock,
        storage: &Storage,
    ) -> Result<Arc<ReceivedBlock<T>>> {
        let log = self.log.get().ok_or(Error::ReceiverStopped { stream: logged.id.stream })?;
        Ok(ReceivedBlock::recovered(storage.in_log(log, logged)))
    }
}
