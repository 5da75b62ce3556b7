//! Blocks: what was received in one block interval.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use millstream_core::fs::ObjectBytes;
use millstream_core::storage::disk::{Disk, SpillFile};
use millstream_core::storage::memory::{Claim, Evictable, Memory, Owner};
use millstream_core::stream::ChunkStream;
use millstream_core::{Data, Error as CoreError, StoredPartition};
use serde::{Deserialize, Serialize};

use super::StreamId;
use super::backlog::{Backlog, Charge};
use super::block_store::{read, write};
use crate::error::{Error, Result};

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

    /// Writes its records as bytes.
    fn encode(&self) -> Result<Vec<u8>>;

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
    /// Where it goes when others need its memory; nowhere if its level knows no disk.
    disk: Option<Disk>,
}

/// Where a block lies.
pub(crate) enum Place<T> {
    /// As it was stored, so that no record is copied.
    Records(Vec<Arc<Vec<T>>>, Claim),
    Bytes(ObjectBytes<T>, Claim),
    Disk(Arc<SpillFile>),
}

impl<T: Data> ReceivedBlock<T> {
    /// Makes a block of what lies in its place; with a disk it leaves memory when others need it.
    pub(super) fn new(
        id: BlockId,
        place: Place<T>,
        num_records: u64,
        metadata: Option<String>,
        charge: Charge,
        disk: Option<Disk>,
    ) -> Arc<Self> {
        let leaves = disk.is_some();
        let place = Mutex::new(place);
        let block = Arc::new(ReceivedBlock { id, num_records, metadata, place, charge, disk });
        if let (true, Place::Records(_, claim) | Place::Bytes(_, claim)) = (leaves, &*block.place()) {
            let weak: Weak<Self> = Arc::downgrade(&block);
            claim.evict_by(weak);
        }
        block
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

impl<T: Data> ReceivedBlock<T> {
    /// Reads a block from what [`Block::encode`] has written; it is no backlog, since it was processed or is now.
    pub(crate) fn decode(id: BlockId, bytes: &[u8]) -> Result<Arc<Self>> {
        let claim = || Memory::new(0, 0).take_none(Owner::Received);
        let (place, records) = match bytes.split_first() {
            Some((&AS_RECORDS, bytes)) => {
                let chunks: Vec<Arc<Vec<T>>> =
                    postcard::from_bytes(bytes).map_err(|e| codec_error(id, &e))?;
                let records = chunks.iter().map(|chunk| chunk.len() as u64).sum();
                (Place::Records(chunks, claim()), records)
            }
            Some((_, bytes)) => {
                let bytes = ObjectBytes::check(bytes.to_vec())?;
                let records = bytes.records();
                (Place::Bytes(bytes, claim()), records)
            }
            None => return Err(codec_error(id, &postcard::Error::DeserializeUnexpectedEnd)),
        };
        Ok(ReceivedBlock::new(id, place, records, None, Charge::new(Backlog::new(1), 0), None))
    }
}

/// What the bytes of a block begin with that were encoded from its records; those that came as bytes begin otherwise.
const AS_RECORDS: u8 = 0;
const AS_BYTES: u8 = 1;

fn codec_error(id: BlockId, error: &postcard::Error) -> Error {
    CoreError::Codec { what: format!("block {id}"), problem: error.to_string() }.into()
}

impl<T: Data> StoredPartition<T> for ReceivedBlock<T> {
    fn read(&self) -> millstream_core::Result<ChunkStream<T>> {
        match &*self.place() {
            Place::Records(chunks, _) => Ok(read(chunks)),
            Place::Bytes(bytes, _) => bytes.read(),
            Place::Disk(file) => file.read(),
        }
    }
}

impl<T: Data> Evictable for ReceivedBlock<T> {
    fn evict(&self) -> bool {
        let Some(disk) = &self.disk else { return false };
        let mut place = self.place();
        let records = match &*place {
            Place::Records(chunks, _) => Ok(read(chunks)),
            Place::Bytes(bytes, _) => bytes.read(),
            Place::Disk(_) => return true,
        };
        match records.and_then(|records| write(disk, self.id, records)) {
            Ok(file) => {
                *place = Place::Disk(file);
                self.charge.release();
                true
            }
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

    fn encode(&self) -> Result<Vec<u8>> {
        let bytes = match &*self.place() {
            Place::Records(chunks, _) => {
                let encoded = postcard::to_extend(chunks, vec![AS_RECORDS]);
                return encoded.map_err(|error| codec_error(self.id, &error));
            }
            Place::Bytes(bytes, _) => bytes.clone(),
            Place::Disk(file) => ObjectBytes::of(file.read()?)?,
        };
        Ok([&[AS_BYTES], bytes.bytes()].concat())
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
