//! The records of a block in the log: how they are written, and how a task reads them.

use std::marker::PhantomData;
use std::sync::Arc;

use millstream_core::fs::ObjectBytes;
use millstream_core::storage::memory::{Claim, Memory, Owner};
use millstream_core::stream::{self, ChunkStream};
use millstream_core::{Data, Error as CoreError};

use super::block::BlockId;
use crate::error::{Error, Result};
use crate::recovery::block_log::{BlockLog, LoggedBlock};

/// What the bytes of a block begin with: whether its records were written one by one, or came as bytes.
const AS_RECORDS: u8 = 0;
const AS_BYTES: u8 = 1;

/// Writes records as bytes, in the vectors in which they came, into an empty buffer.
pub(super) fn encode_records<T: Data>(
    id: BlockId,
    chunks: &[Arc<Vec<T>>],
    mut to: Vec<u8>,
) -> Result<Vec<u8>> {
    to.push(AS_RECORDS);
    postcard::to_extend(chunks, to).map_err(|error| unreadable(id, &error).into())
}

/// Writes records that are bytes, into an empty buffer.
pub(super) fn encode_bytes<T: Data>(bytes: &ObjectBytes<T>, mut to: Vec<u8>) -> Vec<u8> {
    to.push(AS_BYTES);
    to.extend_from_slice(bytes.bytes());
    to
}

/// Where the records of a block lie in the log.
#[derive(Clone)]
pub(crate) struct InLog {
    pub(crate) log: Arc<BlockLog>,
    pub(crate) block: LoggedBlock,
    /// The memory they may be kept in, as bytes, once they were read.
    pub(crate) keep_in: Option<Memory>,
}

impl InLog {
    /// Reads the bytes, with what they take of the memory if they may be kept and there is room.
    pub(super) fn read<T: Data>(&self) -> millstream_core::Result<(Encoded<T>, Option<Claim>)> {
        let bytes = self.log.read(&self.block).map_err(|error| match error {
            Error::Core(error) => error,
            error => CoreError::user(error),
        })?;
        let claim = self.keep_in.as_ref().and_then(|memory| memory.take(bytes.len(), Owner::Received));
        Ok((Encoded { id: self.block.id, bytes: Arc::new(bytes), of: PhantomData }, claim))
    }
}

/// Records of a block, as they were written to the log. Cloning is shallow.
pub(crate) struct Encoded<T> {
    id: BlockId,
    bytes: Arc<Vec<u8>>,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Encoded<T> {
    fn clone(&self) -> Self {
        Encoded { id: self.id, bytes: Arc::clone(&self.bytes), of: PhantomData }
    }
}

impl<T: Data> Encoded<T> {
    /// Decodes the records, a vector at a time; the stream holds the bytes.
    pub(super) fn stream(&self) -> millstream_core::Result<ChunkStream<T>> {
        let Encoded { id, bytes, .. } = self.clone();
        let broken = move |error: &postcard::Error| unreadable(id, error);
        match bytes.split_first() {
            Some((&AS_RECORDS, records)) => {
                let (mut left, rest): (u64, &[u8]) =
                    postcard::take_from_bytes(records).map_err(|error| broken(&error))?;
                let mut at = bytes.len() - rest.len();
                Ok(stream::from_fn(move || {
                    if left == 0 {
                        return Ok(None);
                    }
                    left -= 1;
                    let rest = bytes.get(at..).unwrap_or_default();
                    let (chunk, rest): (Vec<T>, &[u8]) =
                        postcard::take_from_bytes(rest).map_err(|error| broken(&error))?;
                    at = bytes.len() - rest.len();
                    Ok(Some(chunk.into()))
                }))
            }
            Some((&AS_BYTES, object)) => ObjectBytes::check(object.to_vec())?.read(),
            _ => Err(broken(&postcard::Error::DeserializeUnexpectedEnd)),
        }
    }
}

fn unreadable(id: BlockId, error: &postcard::Error) -> CoreError {
    CoreError::Codec { what: format!("block {id}"), problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::StreamId;

    fn read<T: Data>(bytes: Vec<u8>) -> millstream_core::Result<Vec<T>> {
        let id = BlockId { stream: StreamId(1), number: 5 };
        let encoded = Encoded { id, bytes: Arc::new(bytes), of: PhantomData };
        let mut records = Vec::new();
        stream::drain(encoded.stream()?, |chunk| {
            records.extend(chunk.into_vec());
            Ok(())
        })?;
        Ok(records)
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let id = BlockId { stream: StreamId(1), number: 5 };
        let chunks = [Arc::new(vec!["to".to_owned(), "be".to_owned()]), Arc::new(vec!["or not".to_owned()])];
        let bytes = encode_records(id, &chunks, Vec::new()).unwrap();
        assert_eq!(read::<String>(bytes.clone()).unwrap(), ["to", "be", "or not"]);
        let error = read::<String>(bytes[..bytes.len() - 1].to_vec()).unwrap_err().to_string();
        assert!(error.contains("block input-1-5"), "{error}");
        let object = ObjectBytes::of(stream::from_vec(vec![7_u64, 8])).unwrap();
        assert_eq!(read::<u64>(encode_bytes(&object, Vec::new())).unwrap(), [7, 8]);
        assert!(read::<String>(encode_bytes(&object, Vec::new())).is_err());
        assert!(read::<u64>(Vec::new()).is_err());
    }
}
