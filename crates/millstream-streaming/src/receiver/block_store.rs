//! Where a block is stored when it was cut: in memory as it is, in memory as bytes, or on disk.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use millstream_core::fs::ObjectBytes;
use millstream_core::storage::disk::{Disk, SpillFile};
use millstream_core::storage::memory::{Claim, Memory, Owner};
use millstream_core::{Chunk, Context, Data, Result, StorageLevel, stream};

use super::StreamId;
use super::backlog::Charge;
use super::block::{BlockId, Place, ReceivedBlock};

/// A block that was cut and is to be stored.
pub(crate) struct NewBlock<T> {
    pub(crate) id: BlockId,
    pub(crate) content: Content<T>,
    /// What the receiver said of it.
    pub(crate) metadata: Option<String>,
    pub(super) charge: Charge,
}

/// What was stored.
pub(crate) enum Content<T> {
    /// Records, in order; no vector is empty.
    Records(Vec<Vec<T>>),
    /// Records as bytes, which nobody has decoded.
    Bytes(ObjectBytes<T>),
}

/// The place where blocks are stored. Whatever must have happened before a block counts as received happens here.
///
/// One block at a time, in the order in which they were cut, on a thread that is not the receiver's.
pub(crate) trait ReceivedBlockHandler<T: Data>: Send + Sync {
    /// Stores a block.
    ///
    /// # Errors
    /// If it is not stored; a reliable receiver is told so.
    fn store_block(&self, block: NewBlock<T>) -> Result<Arc<ReceivedBlock<T>>>;

    /// Returns whether receivers must wait although their own backlog has room.
    fn is_full(&self) -> bool {
        false
    }

    /// Returns whether a block that is stored can leave memory at once.
    fn spills(&self) -> bool {
        false
    }
}

/// Where a receiver's blocks may lie, and how.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    pub(crate) level: StorageLevel,
    pub(crate) memory: Memory,
    pub(crate) disk: Disk,
    /// The receiver waits when its backlog is full, whatever the level: its source can be held back.
    pub(crate) holds_back: bool,
}

impl Storage {
    /// Returns what a context has, to be used as a level says.
    pub(crate) fn of(context: &Context, level: StorageLevel, holds_back: bool) -> Self {
        Storage { level, memory: context.memory().clone(), disk: context.disk().clone(), holds_back }
    }

    /// Returns whether records become bytes in memory: if that was asked for, and not by the default level.
    fn keeps_bytes(&self) -> bool {
        !self.level.deserialized() && self.level != StorageLevel::MEMORY_AND_DISK_SER_2
    }
}

/// Is told what could not be done as it was asked for, and why.
type Report = Box<dyn Fn(&str, &millstream_core::Error) + Send + Sync>;

/// Stores blocks in the memory of the context while there is room, and on disk if the level allows it.
///
/// Nothing is dropped: what has no room and can not go to disk stays in memory, and the receiver has to wait.
pub(crate) struct BlockStore {
    stream: StreamId,
    storage: Storage,
    report: Report,
    /// Blocks lie in memory for which there was no room.
    full: AtomicBool,
    /// The disk did not take the last block.
    failing: AtomicBool,
}

impl BlockStore {
    /// Makes a store that reports a disk that fails.
    pub(crate) fn new(
        stream: StreamId,
        storage: Storage,
        report: impl Fn(&str, &millstream_core::Error) + Send + Sync + 'static,
    ) -> Self {
        let (full, failing) = (AtomicBool::new(false), AtomicBool::new(false));
        BlockStore { stream, storage, report: Box::new(report), full, failing }
    }

    /// Takes memory for a block that is there already, whether there is room or not.
    fn force(&self, bytes: usize) -> Claim {
        let mut claim = self.storage.memory.take_none(Owner::Received);
        claim.force(bytes);
        self.full.store(true, Ordering::Release);
        claim
    }

    /// Turns records into bytes; those that can not be are kept as they are.
    fn encode<T: Data>(&self, chunks: &[Arc<Vec<T>>]) -> Option<ObjectBytes<T>> {
        let bytes = ObjectBytes::of(read(chunks));
        bytes.inspect_err(|error| (self.report)("A block is kept as records, not as bytes", error)).ok()
    }

    fn in_memory<T: Data>(&self, held: Held<T>, claim: Claim) -> Place<T> {
        match held {
            Held::Records(chunks) => Place::Records(chunks, claim),
            Held::Bytes(bytes) => Place::Bytes(bytes, claim),
        }
    }
}

/// A block's content, in the form in which it lies in memory.
enum Held<T> {
    Records(Vec<Arc<Vec<T>>>),
    Bytes(ObjectBytes<T>),
}

impl<T: Data> ReceivedBlockHandler<T> for BlockStore {
    fn store_block(&self, block: NewBlock<T>) -> Result<Arc<ReceivedBlock<T>>> {
        let NewBlock { id, content, metadata, charge } = block;
        let level = self.storage.level;
        let (held, records) = match content {
            Content::Bytes(bytes) => (Held::Bytes(bytes.clone()), bytes.records()),
            Content::Records(chunks) => {
                let records = chunks.iter().map(|chunk| chunk.len() as u64).sum();
                let chunks: Vec<_> = chunks.into_iter().map(Arc::new).collect();
                let bytes = if self.storage.keeps_bytes() { self.encode(&chunks) } else { None };
                (bytes.map_or(Held::Records(chunks), Held::Bytes), records)
            }
        };
        if let Held::Bytes(bytes) = &held {
            charge.shrink(bytes.bytes().len());
        }
        let bytes = charge.bytes();
        let crowded =
            level.use_disk() && (!level.use_memory() || (!self.storage.holds_back && charge.is_crowded()));
        let claim = if crowded { None } else { self.storage.memory.take(bytes, Owner::Received) };
        let place = match claim {
            Some(claim) => self.in_memory(held, claim),
            None if level.use_disk() => match self.storage.write(id, &held) {
                Ok(file) => {
                    self.failing.store(false, Ordering::Relaxed);
                    charge.release();
                    Place::Disk(file)
                }
                Err(error) => {
                    if !self.failing.swap(true, Ordering::Relaxed) {
                        let waits = "A block can not go to disk; the receiver waits for memory instead";
                        (self.report)(waits, &error);
                    }
                    self.in_memory(held, self.force(bytes))
                }
            },
            None => self.in_memory(held, self.force(bytes)),
        };
        let disk = level.use_disk().then(|| self.storage.disk.clone());
        Ok(ReceivedBlock::new(id, place, records, metadata, charge, disk))
    }

    fn is_full(&self) -> bool {
        // Looked at only after there was no room: the memory is behind a lock.
        if self.full.load(Ordering::Acquire) && self.storage.memory.used() < self.storage.memory.budget() {
            self.full.store(false, Ordering::Release);
        }
        self.full.load(Ordering::Acquire)
    }

    fn spills(&self) -> bool {
        self.storage.level.use_disk() && !self.storage.holds_back && !self.failing.load(Ordering::Relaxed)
    }
}

impl Storage {
    fn write<T: Data>(&self, id: BlockId, held: &Held<T>) -> Result<Arc<SpillFile>> {
        match held {
            Held::Records(chunks) => write(&self.disk, id, read(chunks)),
            Held::Bytes(bytes) => write(&self.disk, id, bytes.read()?),
        }
    }
}

/// Writes a block to a scratch file.
pub(super) fn write<T: Data>(
    disk: &Disk,
    id: BlockId,
    records: stream::ChunkStream<T>,
) -> Result<Arc<SpillFile>> {
    let mut writer = disk.create(format!("the block {id}"))?;
    writer.write_stream(records)?;
    writer.finish()
}

/// Reads records that lie in memory.
pub(super) fn read<T: Data>(chunks: &[Arc<Vec<T>>]) -> stream::ChunkStream<T> {
    let whole = |records: &Arc<Vec<T>>| Chunk::shared(Arc::clone(records), 0..records.len()).pieces();
    stream::from_chunks(chunks.iter().flat_map(whole).collect())
}

impl fmt::Debug for BlockStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockStore")
            .field("stream", &self.stream)
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}
