//! Where a block is stored when it was cut: in the log if there is one, and in memory as it is, in memory as bytes, or on disk.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use millstream_core::fs::ObjectBytes;
use millstream_core::storage::disk::{Disk, SpillFile};
use millstream_core::storage::memory::{Claim, Memory, Owner};
use millstream_core::{Chunk, Context, Data, StorageLevel, stream};

use super::StreamId;
use super::backlog::Charge;
use super::block::{BlockId, Outside, Place, ReceivedBlock};
use super::logged_records::{InLog, encode_records};
use super::text_lines::TextLines;
use crate::error::Result;
use crate::recovery::block_log::{BlockLog, LoggedBlock};

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
    /// Lines, of which nobody has made records.
    Lines(TextLines),
}

/// The place where blocks are stored. Whatever must have happened before a block counts as received happens here.
///
/// One block at a time, in the order in which they were cut, on a thread that is not the receiver's.
pub(crate) trait ReceivedBlockHandler<T: Data>: Send + Sync {
    /// Stores a block.
    ///
    /// # Errors
    /// If it can not be logged; a reliable receiver is told so, and no batch is given anything any more.
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

    /// Returns where a block lies that is in the log, and whether it may be kept in memory besides.
    pub(crate) fn in_log(&self, log: &Arc<BlockLog>, block: LoggedBlock) -> InLog {
        let keep_in = self.level.use_memory().then(|| self.memory.clone());
        InLog { log: Arc::clone(log), block, keep_in }
    }

    /// Returns whether records become bytes in memory: if that was asked for, and not by the default level.
    fn keeps_bytes(&self) -> bool {
        !self.level.deserialized() && self.level != StorageLevel::MEMORY_AND_DISK_SER_2
    }
}

/// A buffer that is larger is not kept for the next block.
const SPARE: usize = 64 << 20;

/// Is told what could not be done as it was asked for, and why.
type Report = Box<dyn Fn(&str, &millstream_core::Error) + Send + Sync>;

/// Stores blocks in the memory of the context while there is room, and on disk if the level allows it.
///
/// With a log a block is in it before all else, and needs no other place. Nothing is dropped: what has no room and can not go
/// to disk either stays in memory, and the receiver has to wait.
pub(crate) struct BlockStore {
    stream: StreamId,
    storage: Storage,
    log: Option<Arc<BlockLog>>,
    /// What the last block was written into: memory that is new costs as much as writing does.
    spare: Mutex<Vec<u8>>,
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
        log: Option<Arc<BlockLog>>,
        report: impl Fn(&str, &millstream_core::Error) + Send + Sync + 'static,
    ) -> Self {
        let (full, failing) = (AtomicBool::new(false), AtomicBool::new(false));
        BlockStore { stream, storage, log, spare: Mutex::default(), report: Box::new(report), full, failing }
    }

    /// Returns whether blocks need not lie in memory: on disk, or in the log, whatever the level.
    fn can_leave(&self) -> bool {
        self.storage.level.use_disk() || self.log.is_some()
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
            Held::Lines(lines) => Place::Lines(lines, claim),
        }
    }

    /// Writes a block to the log.
    fn log<T: Data>(
        &self,
        log: &BlockLog,
        id: BlockId,
        records: u64,
        metadata: Option<String>,
        held: &Held<T>,
    ) -> Result<LoggedBlock> {
        let chunks = match held {
            Held::Lines(lines) => return log.store(id, records, metadata, Arc::clone(lines) as _),
            Held::Bytes(bytes) => return log.store(id, records, metadata, Arc::new(bytes.clone())),
            Held::Records(chunks) => chunks,
        };
        let mut spare = std::mem::take(&mut *self.spare.lock().unwrap_or_else(PoisonError::into_inner));
        spare.clear();
        let encoded = Arc::new(encode_records(id, chunks, spare)?);
        let logged = log.store(id, records, metadata, Arc::clone(&encoded) as _)?;
        if let Some(encoded) = Arc::into_inner(encoded).filter(|bytes| bytes.capacity() <= SPARE) {
            *self.spare.lock().unwrap_or_else(PoisonError::into_inner) = encoded;
        }
        Ok(logged)
    }
}

/// A block's content, in the form in which it lies in memory.
enum Held<T> {
    Records(Vec<Arc<Vec<T>>>),
    Bytes(ObjectBytes<T>),
    Lines(Arc<TextLines>),
}

impl<T: Data> ReceivedBlockHandler<T> for BlockStore {
    fn store_block(&self, block: NewBlock<T>) -> Result<Arc<ReceivedBlock<T>>> {
        let NewBlock { id, content, metadata, charge } = block;
        let level = self.storage.level;
        let (held, records) = match content {
            Content::Bytes(bytes) => (Held::Bytes(bytes.clone()), bytes.records()),
            Content::Lines(lines) => {
                let records = lines.lines();
                (Held::Lines(Arc::new(lines)), records)
            }
            Content::Records(chunks) => {
                let records = chunks.iter().map(|chunk| chunk.len() as u64).sum();
                let chunks: Vec<_> = chunks.into_iter().map(Arc::new).collect();
                let bytes = if self.storage.keeps_bytes() { self.encode(&chunks) } else { None };
                (bytes.map_or(Held::Records(chunks), Held::Bytes), records)
            }
        };
        match &held {
            Held::Records(_) => {}
            Held::Bytes(bytes) => charge.shrink(bytes.bytes().len()),
            Held::Lines(lines) => charge.shrink(lines.bytes()),
        }
        let bytes = charge.bytes();
        let crowded =
            self.can_leave() && (!level.use_memory() || (!self.storage.holds_back && charge.is_crowded()));
        let outside = match &self.log {
            Some(log) => {
                let block = self.log(log, id, records, metadata.clone(), &held)?;
                Outside::Log(self.storage.in_log(log, block))
            }
            None if level.use_disk() => Outside::Disk(self.storage.disk.clone()),
            None => Outside::Nowhere,
        };
        let claim = if crowded { None } else { self.storage.memory.take(bytes, Owner::Received) };
        let place = match claim {
            Some(claim) => self.in_memory(held, claim),
            None if self.can_leave() => match self.put_outside(id, &held, &outside) {
                Ok(place) => {
                    self.failing.store(false, Ordering::Relaxed);
                    charge.release();
                    place
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
        Ok(ReceivedBlock::new(id, place, records, metadata, charge, outside))
    }

    fn is_full(&self) -> bool {
        // Looked at only after there was no room: the memory is behind a lock.
        if self.full.load(Ordering::Acquire) && self.storage.memory.used() < self.storage.memory.budget() {
            self.full.store(false, Ordering::Release);
        }
        self.full.load(Ordering::Acquire)
    }

    fn spills(&self) -> bool {
        self.can_leave() && !self.storage.holds_back && !self.failing.load(Ordering::Relaxed)
    }
}

impl BlockStore {
    fn put_outside<T: Data>(
        &self,
        id: BlockId,
        held: &Held<T>,
        outside: &Outside,
    ) -> millstream_core::Result<Place<T>> {
        let records = match (outside, held) {
            (Outside::Log(_), _) => return Ok(Place::Log),
            (_, Held::Records(chunks)) => read(chunks),
            (_, Held::Bytes(bytes)) => bytes.read()?,
            (_, Held::Lines(lines)) => lines.stream(),
        };
        write(&self.storage.disk, id, records).map(Place::Disk)
    }
}

/// Writes a block to a scratch file.
pub(super) fn write<T: Data>(
    disk: &Disk,
    id: BlockId,
    records: stream::ChunkStream<T>,
) -> millstream_core::Result<Arc<SpillFile>> {
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

#[cfg(test)]
mod tests {
    use millstream_core::fs::{FsPath, LocalFs};
    use millstream_core::shuffle::hash::pinned_hash;
    use millstream_core::storage::memory::Evictable;
    use millstream_core::{Conf, Context};

    use super::super::backlog::Backlog;
    use super::super::block::Block;
    use super::super::test_storage;
    use super::*;
    use crate::clock::{ManualClock, StopSignal};
    use crate::recovery::block_log::LogNumbers;

    fn store_in(storage: Storage, log: Option<Arc<BlockLog>>) -> BlockStore {
        BlockStore::new(StreamId(1), storage, log, |message, error| panic!("{message}: {error}"))
    }

    fn store<T: Data>(store: &BlockStore, content: Content<T>, bytes: usize) -> Arc<ReceivedBlock<T>> {
        let backlog = Backlog::new(1 << 20);
        backlog.admit(bytes, &StopSignal::new());
        let charge = Charge::new(backlog, bytes);
        let id = BlockId { stream: StreamId(1), number: 5 };
        store.store_block(NewBlock { id, content, metadata: None, charge }).unwrap()
    }

    fn log_in(directory: &std::path::Path) -> Arc<BlockLog> {
        let (clock, system) = (Arc::new(ManualClock::new(0)), Arc::new(LocalFs));
        let directory = FsPath::from_path(directory).unwrap();
        let log = BlockLog::new(&Conf::empty(), clock, system, directory, 1, LogNumbers::default());
        Arc::new(log.unwrap())
    }

    /// Levels and numbers of records of Spark's ReceivedBlockHandlerSuite, with and without a log.
    #[test]
    fn blocks_of_every_form_and_level_have_their_records_and_are_counted() {
        const BLOCKS: [(StorageLevel, usize); 8] = [
            (StorageLevel::MEMORY_ONLY, 25),
            (StorageLevel::MEMORY_ONLY_SER, 25),
            (StorageLevel::DISK_ONLY, 50),
            (StorageLevel::MEMORY_AND_DISK, 75),
            (StorageLevel::MEMORY_ONLY, 100),
            (StorageLevel::MEMORY_ONLY_SER, 100),
            (StorageLevel::DISK_ONLY, 125),
            (StorageLevel::MEMORY_AND_DISK, 150),
        ];
        let directory = std::env::temp_dir().join(format!("block-store-{}", std::process::id()));
        for log in [None, Some(log_in(&directory))] {
            for (level, count) in BLOCKS {
                let numbers: Vec<String> = (0..count).map(|n| n.to_string()).collect();
                let halves = numbers.chunks(count.div_ceil(2)).map(<[String]>::to_vec).collect();
                let bytes = ObjectBytes::of(stream::from_vec(numbers.clone())).unwrap();
                let lines = TextLines::of_string(numbers.iter().map(|n| format!("{n}\n")).collect());
                let handler = store_in(test_storage(level), log.clone());
                for content in [Content::Records(halves), Content::Bytes(bytes), Content::Lines(lines)] {
                    let block = store(&handler, content, 10 * count);
                    assert_eq!(block.num_records(), count as u64, "{level}");
                    assert_eq!(block.file().is_some(), log.is_none() && level == StorageLevel::DISK_ONLY);
                    let records =
                        || block.chunks().iter().flat_map(|chunk| chunk.to_vec()).collect::<Vec<_>>();
                    assert_eq!(records(), numbers, "{level}");
                    // What leaves memory is read from the disk or the log.
                    assert_eq!(block.evict(0), log.is_some() || level.use_disk(), "{level}");
                    assert_eq!(records(), numbers, "{level}");
                }
            }
        }
        std::fs::remove_dir_all(directory).unwrap();
    }

    /// A block of Spark's suite that is larger than the memory: nothing is dropped, where Spark fails.
    #[test]
    fn a_block_without_room_goes_to_disk_or_the_log_or_makes_the_receiver_wait() {
        let directory = std::env::temp_dir().join(format!("block-store-full-{}", std::process::id()));
        let log = log_in(&directory);
        for (level, log, waits) in [
            (StorageLevel::MEMORY_ONLY, None, true),
            (StorageLevel::MEMORY_AND_DISK, None, false),
            (StorageLevel::MEMORY_ONLY, Some(Arc::clone(&log)), false),
            (StorageLevel::MEMORY_ONLY_SER, Some(Arc::clone(&log)), false),
            (StorageLevel::MEMORY_AND_DISK, Some(log), false),
        ] {
            let conf = Conf::empty().set("spark.driver.memory", "4800b").set("spark.memory.fraction", "1");
            let context = Context::new(conf).unwrap();
            let handler = store_in(Storage::of(&context, level, false), log.clone());
            // Of bytes that no compression makes smaller than the memory.
            let byte = |at: u64| u8::try_from(pinned_hash(&at) % 256).unwrap();
            let record = |n: u64| (100 * n..100 * n + 100).map(byte).collect();
            let records: Vec<Vec<u8>> = (0..70).map(record).collect();
            let block = store(&handler, Content::Records(vec![records.clone()]), 7000);
            assert_eq!(block.num_records(), 70);
            // It lies in the log once the store has returned, and takes no memory.
            let logged = block.logged().map(|logged| log.as_ref().unwrap().read(logged).unwrap().len());
            assert_eq!(logged.is_some_and(|bytes| bytes > 7000), log.is_some(), "{level}");
            assert_eq!(context.memory().used() > 0, waits, "{level}");
            assert_eq!(ReceivedBlockHandler::<Vec<u8>>::is_full(&handler), waits, "{level}");
            assert_eq!(block.file().is_some(), log.is_none() && level.use_disk(), "{level}");
            assert_eq!(block.chunks().iter().flat_map(|chunk| chunk.to_vec()).collect::<Vec<_>>(), records);
        }
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn lines_take_the_memory_of_their_text_and_go_to_disk_when_others_need_it() {
        let store = store_in(test_storage(StorageLevel::MEMORY_AND_DISK_SER), None);
        let backlog = Backlog::new(1000);
        backlog.admit(500, &StopSignal::new());
        let block = store.store_block(NewBlock::<String> {
            id: BlockId { stream: StreamId(1), number: 5 },
            content: Content::Lines(TextLines::of_string("to be\nor not\n".to_owned())),
            metadata: None,
            charge: Charge::new(Arc::clone(&backlog), 500),
        });
        let block = block.unwrap();
        assert_eq!(backlog.held(), 13);
        for on_disk in [false, true] {
            assert_eq!(block.file().is_some(), on_disk);
            assert_eq!(*block.chunks()[0], ["to be", "or not"]);
            assert!(block.evict(0));
        }
        assert_eq!(backlog.held(), 0);
    }
}
