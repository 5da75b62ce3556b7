//! `copy_to`: what a log holds, for a savepoint and from one.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Allocation, BlockEvent, BlockLog, LoggedBlock};
use crate::error::Result;
use crate::receiver::StreamId;
use crate::recovery::write_ahead_log::LogPosition;
use crate::time::Time;

impl BlockLog {
    /// Copies to another log what batches from `needed_from` on have, and what no batch has; `last` is what is known to be
    /// in this one.
    ///
    /// # Errors
    /// If one can not be read or the other not be written.
    pub(crate) fn copy_to(&self, to: &BlockLog, last: Option<&LogPosition>, needed_from: Time) -> Result<()> {
        let mut events = Vec::new();
        self.events(last, needed_from, |event| {
            events.push(event);
            Ok(())
        })?;
        // The last counts: what a batch was given that was never run is given to another one.
        let mut batches: HashMap<(StreamId, LogPosition), Time> = HashMap::new();
        for event in &events {
            if let BlockEvent::Allocated { batch, blocks } = event {
                for (stream, places) in blocks {
                    batches.extend(places.iter().map(|at| ((*stream, at.clone()), *batch)));
                }
            }
        }
        let unneeded =
            |key: &(StreamId, LogPosition)| batches.get(key).is_some_and(|batch| *batch < needed_from);
        let mut copied: HashMap<(StreamId, LogPosition), LogPosition> = HashMap::new();
        for event in events {
            match event {
                BlockEvent::Added(block) => {
                    let key = (block.id.stream, block.at.clone());
                    if unneeded(&key) || copied.contains_key(&key) {
                        continue;
                    }
                    let encoded = Arc::new(self.read(&block)?);
                    let LoggedBlock { id, records, metadata, time, .. } = block;
                    let there = to.store_as_of(time, id, records, metadata, encoded)?;
                    copied.insert(key, there.at.clone());
                    to.log(BlockEvent::Added(there), time)?;
                }
                BlockEvent::Allocated { batch, .. } if batch < needed_from => {}
                BlockEvent::Allocated { batch, blocks } => {
                    let mut there = Allocation::new();
                    for (stream, places) in blocks {
                        let there = there.entry(stream).or_default();
                        for place in places {
                            let key = (stream, place);
                            let at = copied.get(&key).ok_or_else(|| self.lacks(batch, &key.1))?;
                            there.push(at.clone());
                        }
                    }
                    to.allocate(batch, there)?;
                }
            }
        }
        Ok(())
    }
}
