//! Blocks of before a restart: each that no batch had goes to one batch, those of a batch stay in it.

use std::collections::HashMap;
use std::sync::Arc;

use millstream_core::Data;

use super::{Blocks, ReceivedBlockTracker, Tracked};
use crate::error::{Error, Result};
use crate::receiver::{ReceivedBlock, Storage, StreamId};
use crate::recovery::block_log::{BlockEvent, BlockLog, LoggedBlock};
use crate::recovery::write_ahead_log::LogPosition;
use crate::time::Time;

impl ReceivedBlockTracker {
    /// Gives nothing to the batches up to `time`, which an earlier run has generated: what comes before these have run again
    /// is for a later one.
    pub(crate) fn begins_after(&self, time: Time) {
        let mut state = self.state();
        state.last_allocated = state.last_allocated.max(Some(time));
    }

    /// Logs from now on, before the first block has come; takes over what an earlier run has logged.
    ///
    /// # Errors
    /// If the log can not be read, is damaged, or lacks `last`, which a checkpoint knows to be in it, or a block of a batch from
    /// `needed_from` on.
    pub(crate) fn recover(
        &self,
        log: Arc<BlockLog>,
        last: Option<&LogPosition>,
        needed_from: Time,
    ) -> Result<()> {
        let mut waiting: HashMap<(StreamId, LogPosition), usize> = HashMap::new();
        let mut added: Vec<Option<LoggedBlock>> = Vec::new();
        let mut allocated: Vec<(Time, Blocks)> = Vec::new();
        log.replay(last, needed_from, |event| {
            match event {
                BlockEvent::Added(block) => {
                    // Written twice if the first time seemed to have failed.
                    waiting.entry((block.id.stream, block.at.clone())).or_insert_with(|| {
                        added.push(Some(block));
                        added.len() - 1
                    });
                }
                BlockEvent::Allocated { batch, blocks } => {
                    let mut of_batch = Blocks::new();
                    for (stream, places) in blocks {
                        let of_stream: &mut Vec<_> = of_batch.entry(stream).or_default();
                        for place in places {
                            let key = (stream, place);
                            match waiting.get(&key) {
                                // Of those that are written twice, too, one has it.
                                Some(at) => of_stream
                                    .extend(added.get_mut(*at).and_then(Option::take).map(Tracked::Logged)),
                                None if batch >= needed_from => return Err(log.lacks(batch, &key.1)),
                                // Cleaned, with all batches that have it.
                                None => {}
                            }
                        }
                    }
                    allocated.push((batch, of_batch));
                }
            }
            Ok(())
        })?;
        let mut state = self.state();
        for (batch, blocks) in allocated {
            if !state.allocated.contains_key(&batch) {
                state.allocate(batch, blocks);
            }
        }
        for block in added.into_iter().flatten() {
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
