//! Blocks: what was received in one block interval.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use millstream_core::{Data, Error as CoreError};
use serde::{Deserialize, Serialize};

use super::StreamId;
use super::backlog::{Backlog, Charge};
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
    fn num_records(&self) -> usize;

    /// Writes its records as bytes.
    fn encode(&self) -> Result<Vec<u8>>;

    /// Stops counting the block as backlog: a batch has processed it.
    fn processed(&self);

    /// Gives the block back as what it is, a [`ReceivedBlock<T>`].
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// A received block with records of type `T`.
///
/// The records lie as they were stored, so that none is copied. They count as backlog until they are processed, or
/// until the block is dropped.
pub(crate) struct ReceivedBlock<T> {
    id: BlockId,
    chunks: Vec<Arc<Vec<T>>>,
    num_records: usize,
    charge: Charge,
}

impl<T> ReceivedBlock<T> {
    /// Makes a block of the records that were stored, in order.
    pub(crate) fn new(id: BlockId, chunks: Vec<Vec<T>>, charge: Charge) -> Self {
        let num_records = chunks.iter().map(Vec::len).sum();
        ReceivedBlock { id, chunks: chunks.into_iter().map(Arc::new).collect(), num_records, charge }
    }

    /// Returns the records in order; none of the chunks is empty.
    pub(crate) fn chunks(&self) -> &[Arc<Vec<T>>] {
        &self.chunks
    }
}

impl<T: Data> ReceivedBlock<T> {
    /// Reads a block from what [`Block::encode`] has written; it is no backlog, since it was processed or is now.
    pub(crate) fn decode(id: BlockId, bytes: &[u8]) -> Result<Self> {
        let chunks = postcard::from_bytes(bytes).map_err(|error| codec_error(id, &error))?;
        Ok(ReceivedBlock::new(id, chunks, Charge::new(Backlog::new(1), 0)))
    }
}

fn codec_error(id: BlockId, error: &postcard::Error) -> Error {
    CoreError::Codec { what: format!("block {id}"), problem: error.to_string() }.into()
}

impl<T: Data> Block for ReceivedBlock<T> {
    fn id(&self) -> BlockId {
        self.id
    }

    fn num_records(&self) -> usize {
        self.num_records
    }

    fn encode(&self) -> Result<Vec<u8>> {
        postcard::to_stdvec(&self.chunks).map_err(|error| codec_error(self.id, &error))
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
    use super::*;
    use crate::clock::StopSignal;

    #[test]
    fn a_block_counts_as_backlog_until_it_is_processed_or_dropped() {
        let backlog = Backlog::new(100);
        let block = |number, bytes| {
            backlog.admit(bytes, &StopSignal::new());
            let id = BlockId { stream: StreamId(7), number };
            Arc::new(ReceivedBlock::new(
                id,
                vec![vec![1, 2], vec![3]],
                Charge::new(Arc::clone(&backlog), bytes),
            ))
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
        assert_eq!(
            typed.chunks().iter().flat_map(|chunk| chunk.iter().copied()).collect::<Vec<_>>(),
            [1, 2, 3]
        );
    }
}
