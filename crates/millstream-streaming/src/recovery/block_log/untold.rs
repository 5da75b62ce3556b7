//! `untold`: blocks that are in the log and that no event tells of.

use std::collections::{BTreeMap, HashSet};

use super::{BlockLog, LoggedBlock, head};
use crate::error::Result;
use crate::receiver::{BlockId, StreamId};
use crate::recovery::write_ahead_log::LogPosition;
use crate::time::Time;

impl BlockLog {
    /// Reads the blocks whose records are logged and that are not among those that events tell of; events of up to `cleaned` may have
    /// been cleaned.
    ///
    /// The end of the log of metadata may be lost, and with it that they have come. Of each receiver it may also be the one that was
    /// being stored when the program died: whoever sent it was not told that it is there, so it may come once more.
    ///
    /// # Errors
    /// If the log can not be read.
    pub(crate) fn untold<'a>(
        &self,
        told: impl Iterator<Item = &'a LoggedBlock>,
        cleaned: Option<Time>,
    ) -> Result<Vec<LoggedBlock>> {
        let mut last: BTreeMap<StreamId, &LogPosition> = BTreeMap::new();
        // A block is written twice if the first time seemed to have failed.
        let mut seen = HashSet::new();
        for LoggedBlock { id, at, time, .. } in told {
            seen.insert((*id, *time));
            let last = last.entry(id.stream).or_insert(at);
            if at.is_behind(last) {
                *last = at;
            }
        }
        let mut untold = Vec::new();
        for stream in self.numbers.streams() {
            let last = last.get(&stream).copied();
            // Those of a stream are stored and told of one after the other.
            self.data_of(stream).read_behind(last, cleaned, |at, record| {
                let Some((head, _)) = head::of(record) else { return Ok(()) };
                let head::Head { number, records, metadata, time } = head;
                let id = BlockId { stream, number };
                // A block of before has been processed.
                if cleaned.is_none_or(|cleaned| time > cleaned) && seen.insert((id, time)) {
                    untold.push(LoggedBlock { id, records, metadata, at, time });
                }
                Ok(())
            })?;
        }
        Ok(untold)
    }
}
