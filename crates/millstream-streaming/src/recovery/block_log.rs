//! The log of received blocks: their records under `receivedData/<log>/`, what became of them under
//! `receivedBlockMetadata/`.

mod copy_to;
mod head;
mod numbers;
mod untold;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millstream_core::fs::{FileSystem, FsPath};
use millstream_core::{Conf, Error as CoreError, settings};
use serde::{Deserialize, Serialize};

use self::head::{Head, WithHead};
pub(crate) use self::numbers::{LogNumbers, OwnReceiver, SavedReceiver};
use super::list::list;
use super::write_ahead_log::{LogConfig, LogPosition, Record, WriteAheadLog};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::receiver::{BlockId, StreamId};
use crate::time::Time;

pub(super) const DATA: &str = "receivedData";
pub(super) const METADATA: &str = "receivedBlockMetadata";

/// A block that is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LoggedBlock {
    pub(crate) id: BlockId,
    pub(crate) records: u64,
    /// What the receiver said of it.
    pub(crate) metadata: Option<String>,
    /// Where its records are, in the log of its stream.
    pub(crate) at: LogPosition,
    /// When it was logged.
    pub(crate) time: Time,
}

/// The blocks that a batch is given, by stream and in order; their places name them.
pub(crate) type Allocation = BTreeMap<StreamId, Vec<LogPosition>>;

/// What the log of metadata says, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum BlockEvent {
    /// A block was received, and no batch has it.
    Added(LoggedBlock),
    /// A batch was given blocks.
    Allocated { batch: Time, blocks: Allocation },
}

/// Logs received blocks, and which batch has which.
pub(crate) struct BlockLog {
    clock: Arc<dyn Clock>,
    system: Arc<dyn FileSystem>,
    directory: FsPath,
    numbers: LogNumbers,
    data_config: LogConfig,
    /// By the number of the log.
    data: Mutex<BTreeMap<StreamId, Arc<WriteAheadLog>>>,
    metadata: WriteAheadLog,
    last: Mutex<Option<LogPosition>>,
}

impl BlockLog {
    /// Makes the logs of a generation in a checkpoint directory.
    ///
    /// # Errors
    /// If a setting can not be used.
    pub(crate) fn new(
        conf: &Conf,
        clock: Arc<dyn Clock>,
        system: Arc<dyn FileSystem>,
        directory: FsPath,
        generation: u64,
        numbers: LogNumbers,
    ) -> Result<Self> {
        let data_config = LogConfig {
            generation,
            rolling_interval: conf.get(settings::RECEIVER_LOG_ROLLING_INTERVAL)?,
            close_file_after_write: conf.get(settings::RECEIVER_LOG_CLOSE_FILE_AFTER_WRITE)?,
            max_failures: conf.get(settings::RECEIVER_LOG_MAX_FAILURES)?,
            group_commit: true,
        };
        let metadata_config = LogConfig {
            generation,
            rolling_interval: conf.get(settings::DRIVER_LOG_ROLLING_INTERVAL)?,
            close_file_after_write: conf.get(settings::DRIVER_LOG_CLOSE_FILE_AFTER_WRITE)?,
            max_failures: conf.get(settings::DRIVER_LOG_MAX_FAILURES)?,
            group_commit: conf.get(settings::DRIVER_LOG_ALLOW_BATCHING)?,
        };
        let metadata = WriteAheadLog::new(Arc::clone(&system), directory.join(METADATA), metadata_config);
        let (data, last) = (Mutex::default(), Mutex::default());
        Ok(BlockLog { clock, system, directory, numbers, data_config, data, metadata, last })
    }

    /// Deletes what a program has left of this generation that died before it had published a checkpoint of it: the blocks
    /// that it had copied from elsewhere are copied once more.
    ///
    /// # Errors
    /// If it can not be deleted.
    pub(crate) fn begin_anew(&self) -> Result<()> {
        for log in list(&*self.system, &self.directory.join(DATA))? {
            if let Ok(number) = log.path.name().parse() {
                self.data(StreamId(number)).clear()?;
            }
        }
        self.metadata.clear()
    }

    /// Logs the records of a block; when this returns they are on disk, and nobody knows of them.
    ///
    /// # Errors
    /// If they can not be written.
    pub(crate) fn store(
        &self,
        id: BlockId,
        records: u64,
        metadata: Option<String>,
        encoded: Arc<dyn Record>,
    ) -> Result<LoggedBlock> {
        self.store_as_of(self.clock.now(), id, records, metadata, encoded)
    }

    /// Logs the records of a block as if that were at a time.
    fn store_as_of(
        &self,
        time: Time,
        id: BlockId,
        records: u64,
        metadata: Option<String>,
        encoded: Arc<dyn Record>,
    ) -> Result<LoggedBlock> {
        let head = Head { number: id.number, records, metadata, time };
        let at = self.data_of(id.stream).write(Arc::new(WithHead::new(&head, encoded)?), time)?;
        Ok(LoggedBlock { id, records, metadata: head.metadata, at, time })
    }

    /// Logs that a block has come whose records are logged; when this returns it will be given to a batch.
    ///
    /// # Errors
    /// If it can not be written.
    pub(crate) fn add(&self, block: LoggedBlock) -> Result<()> {
        // Not before other events, if the block was logged long ago.
        let time = self.clock.now().max(block.time);
        self.log(BlockEvent::Added(block), time)
    }

    /// Logs that a batch is given blocks; when this returns it has them for good.
    ///
    /// # Errors
    /// If it can not be written.
    pub(crate) fn allocate(&self, batch: Time, blocks: Allocation) -> Result<()> {
        self.log(BlockEvent::Allocated { batch, blocks }, self.clock.now())
    }

    /// Reads the records of a block, encoded as they were.
    ///
    /// # Errors
    /// If they are gone or damaged.
    pub(crate) fn read(&self, block: &LoggedBlock) -> Result<Vec<u8>> {
        self.read_from_byte(block, |_| 0)
    }

    /// Reads them from the byte on that `begin` tells of them: what lies before that is not copied.
    ///
    /// # Errors
    /// If they are gone or damaged.
    pub(crate) fn read_from_byte(
        &self,
        block: &LoggedBlock,
        begin: impl FnOnce(&[u8]) -> usize,
    ) -> Result<Vec<u8>> {
        let behind_head = |record: &[u8]| {
            let head = head::of(record).map_or(0, |(_, length)| length);
            head + begin(record.get(head..).unwrap_or_default())
        };
        self.data_of(block.id.stream).read_from_byte(&block.at, behind_head)
    }

    /// Reads what happened; `last` is what a checkpoint knows to be in the log, and the log is complete for the batches from
    /// `needed_from` on. Returns up to when events may have been cleaned.
    ///
    /// What lies behind `last` may be lost: of events of that time only those that blocks have come matter, and these have their
    /// blocks to tell of them ([`untold`](BlockLog::untold)).
    ///
    /// # Errors
    /// If the log is damaged, or lacks what the checkpoint knows; or as `each` does.
    pub(crate) fn replay(
        &self,
        last: Option<&LogPosition>,
        needed_from: Time,
        each: impl FnMut(BlockEvent) -> Result<()>,
    ) -> Result<Option<Time>> {
        let cleaned = self.events(last, needed_from, each)?;
        *self.last() = last.cloned();
        Ok(cleaned)
    }

    /// Reads what happened, as [`replay`](BlockLog::replay) does, in a log that may be written to meanwhile.
    fn events(
        &self,
        last: Option<&LogPosition>,
        needed_from: Time,
        mut each: impl FnMut(BlockEvent) -> Result<()>,
    ) -> Result<Option<Time>> {
        if let Some(last) = last {
            self.metadata.read(last)?;
        }
        self.metadata.read_all(last, needed_from, |_, record| {
            self.numbers.of_streams(Self::event(record)?).map_or(Ok(()), &mut each)
        })
    }

    /// Says that a batch was given a block of which the log does not say that it has come.
    pub(crate) fn lacks(&self, batch: Time, at: &LogPosition) -> Error {
        Error::Damaged {
            file: self.directory.join(METADATA).to_string(),
            problem: format!(
                "batch {batch} has the block at {} of {}, which never came",
                at.offset, at.segment
            ),
            remedy: "bring the files back from a copy, or start anew in another directory".into(),
        }
    }

    /// Reads an event from its record.
    pub(super) fn event(record: &[u8]) -> Result<BlockEvent> {
        postcard::from_bytes(record).map_err(|error| broken("reading", &error))
    }

    /// Returns the last event's place, for a checkpoint.
    pub(crate) fn last_position(&self) -> Option<LogPosition> {
        self.last().clone()
    }

    /// Returns which log is whose, for a checkpoint.
    pub(crate) fn numbers(&self) -> &LogNumbers {
        &self.numbers
    }

    /// Deletes what was logged before `threshold`; what can not be deleted costs room only.
    pub(crate) fn clean(&self, threshold: Time) {
        // Of receivers that are gone, too.
        let data: Vec<_> = self.numbers.saved().iter().map(|saved| self.data(saved.log)).collect();
        for log in data.iter().map(|log| &**log).chain([&self.metadata]) {
            if let Err(error) = log.clean(threshold) {
                tracing::warn!("an old segment of a log is left over: {error}");
            }
        }
    }

    fn log(&self, event: BlockEvent, time: Time) -> Result<()> {
        let record =
            postcard::to_stdvec(&self.numbers.logged(event)).map_err(|error| broken("writing", &error))?;
        let at = self.metadata.write(Arc::new(record), time)?;
        self.note(at);
        Ok(())
    }

    /// Notes what a checkpoint is to know of: of several that were written at the same time any will do, as long as none that lies
    /// before is noted after it.
    fn note(&self, at: LogPosition) {
        let mut last = self.last();
        if last.as_ref().is_none_or(|last| at.is_behind(last)) {
            *last = Some(at);
        }
    }

    fn data_of(&self, stream: StreamId) -> Arc<WriteAheadLog> {
        self.data(self.numbers.log_of(stream))
    }

    fn data(&self, log: StreamId) -> Arc<WriteAheadLog> {
        let make = || {
            let directory = self.directory.join(&format!("{DATA}/{log}"));
            Arc::new(WriteAheadLog::new(Arc::clone(&self.system), directory, self.data_config.clone()))
        };
        Arc::clone(lock(&self.data).entry(log).or_insert_with(make))
    }

    fn last(&self) -> MutexGuard<'_, Option<LogPosition>> {
        lock(&self.last)
    }
}

impl std::fmt::Debug for BlockLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockLog").field("directory", &self.directory).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn broken(doing: &str, error: &postcard::Error) -> Error {
    let what = format!("{doing} the log of received blocks");
    CoreError::Codec { what, problem: error.to_string() }.into()
}

#[cfg(test)]
mod tests {
    use millstream_core::fs::LocalFs;

    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn what_lies_behind_is_noted_in_whatever_order_those_who_wrote_come_to_it() {
        let directory = FsPath::parse("/no/such/directory").unwrap();
        let (clock, system) = (Arc::new(ManualClock::new(0)), Arc::new(LocalFs));
        let log = BlockLog::new(&Conf::empty(), clock, system, directory, 1, LogNumbers::default()).unwrap();
        let at = |segment: &str, offset| LogPosition { segment: segment.into(), offset, length: 8 };
        let (before, last) = (at("log-9000-69000", 500), at("log-70000-130000", 44));
        for noted in [&before, &last, &before, &at("log-9000-69000", 900)] {
            log.note(noted.clone());
        }
        assert_eq!(log.last_position(), Some(last));
        log.note(at("log-70000-130000", 90));
        assert_eq!(log.last_position(), Some(at("log-70000-130000", 90)));
    }
}
