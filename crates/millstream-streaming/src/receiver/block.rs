//! Blocks: what was received in one block interval.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use millstream_core::fs::ObjectBytes;
use millstream_core::storage::disk::{Disk, SpillFile};
use millstream_core::storage::memory::{Claim, Evictable};
use millstream_core::stream::ChunkStream;
use millstream_core::{Data, StoredPartition};
use serde::{Deserialize, Serialize};

use super::StreamId;
use super::backlog::{Backlog, Charge};
use super::block_store::{read, write};
use super::logged_records::{Encoded, FromLog, InLog};
use super::text_lines::TextLines;
use crate::recovery::block_log::LoggedBlock;

/// Names a received block; prints `input-<stream>-<number>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct BlockId {
    /// The stream it was received for.
    pub(crate) stream: StreamId,
    /// Larger than that of all earlier blocks of the stream; usually the time in milliseconds at which it began.
    pub(crate) number: i64,
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "input-{}-{}", self.stream, self.number)
    }
}

/// A received block, whatever its records are.
pub(crate) trait Block: fmt::Debug + Send + Sync {
    /// Returns the block's name.
    fn id(&self) -> BlockId;

    /// Returns how many records it has.
    fn num_records(&self) -> u64;

    /// Returns what the receiver said of it.
    fn metadata(&self) -> Option<&str>;

    /// Returns what the log has of it, if it is logged.
    fn logged(&self) -> Option<&LoggedBlock>;

    /// Stops counting the block as backlog: a batch has processed it.
    fn processed(&self);

    /// Gives the block back as what it is, a [`ReceivedBlock<T>`].
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// A received block with records of type `T`.
///
/// It counts as backlog until it is processed, leaves memory, or is dropped.
pub(crate) struct ReceivedBlock<T> {
    id: BlockId,
    num_records: u64,
    metadata: Option<String>,
    place: Mutex<Place<T>>,
    charge: Charge,
    outside: Outside,
    /// Itself, for whoever tells it to leave memory.
    me: Weak<ReceivedBlock<T>>,
}

/// Where a block goes when others need its memory.
pub(crate) enum Outside {
    /// Its level knows no disk.
    Nowhere,
    Disk(Disk),
    /// It is there already.
    Log(InLog),
}

/// Where a block lies.
pub(crate) enum Place<T> {
    /// As it was stored, so that no record is copied.
    Records(Vec<Arc<Vec<T>>>, Claim),
    Bytes(ObjectBytes<T>, Claim),
    /// Of which a reader makes its records.
    Lines(Arc<TextLines>, Claim),
    /// Read from the log.
    Encoded(Encoded<T>, Claim),
    Disk(Arc<SpillFile>),
    /// Only in the log.
    Log,
}

impl<T> Place<T> {
    fn claim(&self) -> Option<&Claim> {
        match self {
            Place::Records(_, claim)
            | Place::Bytes(_, claim)
            | Place::Lines(_, claim)
            | Place::Encoded(_, claim) => Some(claim),
            Place::Disk(_) | Place::Log => None,
        }
    }
}

impl<T: Data> ReceivedBlock<T> {
    /// Makes a block of what lies in its place; unless there is nowhere else, it leaves memory when others need it.
    pub(super) fn new(
        id: BlockId,
        place: Place<T>,
        num_records: u64,
        metadata: Option<String>,
        charge: Charge,
        outside: Outside,
    ) -> Arc<Self> {
        let place = Mutex::new(place);
        let block = Arc::new_cyclic(|me| {
            let me = Weak::clone(me);
            ReceivedBlock { id, num_records, metadata, place, charge, outside, me }
        });
        if let Some(claim) = block.place().claim() {
            block.may_leave(claim);
        }
        block
    }

    /// Makes a block of before a restart: it is no backlog, and its records are read by the tasks that need them.
    pub(crate) fn recovered(in_log: InLog) -> Arc<Self> {
        let LoggedBlock { id, records, metadata, .. } = in_log.block.clone();
        let charge = Charge::new(Backlog::new(1), 0);
        Self::new(id, Place::Log, records, metadata, charge, Outside::Log(in_log))
    }

    fn may_leave(&self, claim: &Claim) {
        if !matches!(self.outside, Outside::Nowhere) {
            let me: Weak<Self> = Weak::clone(&self.me);
            claim.evict_by(me);
        }
    }

    fn place(&self) -> MutexGuard<'_, Place<T>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the records as they lie in memory, or in one vector.
    #[cfg(test)]
    pub(crate) fn chunks(&self) -> Vec<Arc<Vec<T>>> {
        if let Place::Records(chunks, _) = &*self.place() {
            return chunks.clone();
        }
        let mut records = Vec::new();
        let read = StoredPartition::read(self).unwrap();
        millstream_core::stream::drain(read, |chunk| {
            records.extend(chunk.into_vec());
            Ok(())
        })
        .unwrap();
        vec![Arc::new(records)]
    }

    /// Returns whether it lies on disk, and where.
    #[cfg(test)]
    pub(crate) fn file(&self) -> Option<std::path::PathBuf> {
        if let Place::Disk(file) = &*self.place() { Some(file.path().to_owned()) } else { None }
    }
}

impl<T: Data> StoredPartition<T> for ReceivedBlock<T> {
    fn read(&self) -> millstream_core::Result<ChunkStream<T>> {
        match &*self.place() {
            Place::Records(chunks, _) => return Ok(read(chunks)),
            Place::Bytes(bytes, _) => return bytes.read(),
            Place::Lines(lines, _) => return Ok(lines.stream()),
            Place::Encoded(encoded, _) => return encoded.stream(),
            Place::Disk(file) => return file.read(),
            Place::Log => {}
        }
        self.read_log()
    }
}

impl<T: Data> ReceivedBlock<T> {
    /// Reads from the log; what there is room for is kept, since a window reads its blocks again.
    fn read_log(&self) -> millstream_core::Result<ChunkStream<T>> {
        let Outside::Log(in_log) = &self.outside else { return Ok(read(&[])) };
        // Without the lock: others may have to leave memory for it.
        let (read, claim) = in_log.read::<T>()?;
        let records = read.stream()?;
        if let Some(claim) = claim {
            let mut place = self.place();
            if matches!(*place, Place::Log) {
                self.may_leave(&claim);
                *place = match read {
                    FromLog::Lines(lines) => Place::Lines(lines, claim),
                    FromLog::Encoded(encoded) => Place::Encoded(encoded, claim),
                };
            }
        }
        Ok(records)
    }

    /// Writes what lies in memory to disk.
    fn write(&self, disk: &Disk, place: &Place<T>) -> millstream_core::Result<Option<Arc<SpillFile>>> {
        let records = match place {
            Place::Records(chunks, _) => read(chunks),
            Place::Bytes(bytes, _) => bytes.read()?,
            Place::Lines(lines, _) => lines.stream(),
            Place::Encoded(encoded, _) => encoded.stream()?,
            Place::Disk(_) | Place::Log => return Ok(None),
        };
        write(disk, self.id, records).map(Some)
    }
}

impl<T: Data> Evictable for ReceivedBlock<T> {
    fn evict(&self, _: usize) -> bool {
        let mut place = self.place();
        let outside = match &self.outside {
            Outside::Nowhere => return false,
            Outside::Log(_) => Ok(Some(Place::Log)),
            Outside::Disk(disk) => self.write(disk, &place).map(|file| file.map(Place::Disk)),
        };
        match outside {
            Ok(Some(outside)) => {
                *place = outside;
                self.charge.release();
                true
            }
            Ok(None) => true,
            Err(error) => {
                tracing::warn!("the block {} stays in memory: {error}", self.id);
                false
            }
        }
    }
}

impl<T: Data> Block for ReceivedBlock<T> {
    fn id(&self) -> BlockId {
        self.id
    }

    fn num_records(&self) -> u64 {
        self.num_records
    }

    fn logged(&self) -> Option<&LoggedBlock> {
        match &self.outside {
            Outside::Log(in_log) => Some(&in_log.block),
            Outside::Nowhere | Outside::Disk(_) => None,
        }
    }

    fn metadata(&self) -> Option<&str> {
        self.metadata.as_deref()
    }

    fn processed(&self) {
        self.charge.release();
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl<T> fmt::Debug for ReceivedBlock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} records)", self.id, self.num_records)
    }
}

#[cfg(test)]
mod tests {
    use super::super::backlog::Backlog;
    use super::super::test_block_of;
    use super::*;
    use crate::clock::StopSignal;

    #[test]
    fn a_block_counts_as_backlog_until_it_is_processed_or_dropped() {
        let backlog = Backlog::new(100);
        let block = |number, bytes| {
            backlog.admit(bytes, &StopSignal::new());
            let id = BlockId { stream: StreamId(7), number };
            test_block_of(id, vec![vec![1, 2], vec![3]], Charge::new(Arc::clone(&backlog), bytes))
        };
        let (first, second) = (block(1_700_000_000_000, 30), block(1_700_000_000_001, 12));
        assert_eq!(backlog.held(), 42);
        first.processed();
        assert_eq!(backlog.held(), 12);
        drop(second);
        drop(first.clone());
        assert_eq!(backlog.held(), 0);
        assert_eq!(first.id().to_string(), "input-7-1700000000000");
        assert_eq!(first.num_records(), 3);
        let erased: Arc<dyn Block> = first;
        let typed = erased.into_any().downcast::<ReceivedBlock<i32>>().unwrap();
        assert_eq!(typed.chunks().iter().flat_map(|chunk| chunk.to_vec()).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
