//! The records of a block in the log: how they are written, and how a task reads them.

use std::fmt::Display;
use std::marker::PhantomData;
use std::sync::Arc;

use millstream_core::fs::ObjectBytes;
use millstream_core::storage::memory::{Claim, Memory, Owner};
use millstream_core::stream::{self, ChunkStream};
use millstream_core::{Data, Error as CoreError};

use super::block::BlockId;
use super::text_lines::TextLines;
use crate::error::{Error, Result};
use crate::recovery::block_log::{BlockLog, LoggedBlock};
use crate::recovery::write_ahead_log::Record;

/// What the bytes of a block begin with: whether its records were written one by one, came as bytes, or are lines.
const AS_RECORDS: u8 = 0;
const AS_BYTES: u8 = 1;
const AS_LINES: u8 = 2;

/// Writes records as bytes, in the vectors in which they came, into an empty buffer.
pub(super) fn encode_records<T: Data>(
    id: BlockId,
    chunks: &[Arc<Vec<T>>],
    mut to: Vec<u8>,
) -> Result<Vec<u8>> {
    to.push(AS_RECORDS);
    postcard::to_extend(chunks, to).map_err(|error| unreadable(id, &error).into())
}

impl<T: Data> Record for ObjectBytes<T> {
    fn parts(&self) -> Vec<&[u8]> {
        vec![&[AS_BYTES], self.bytes()]
    }
}

impl Record for TextLines {
    fn parts(&self) -> Vec<&[u8]> {
        let head: &[u8] = &[AS_LINES];
        std::iter::once(head).chain(self.texts().map(str::as_bytes)).collect()
    }
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
    pub(super) fn read<T: Data>(&self) -> millstream_core::Result<(FromLog<T>, Option<Claim>)> {
        let mut form = None;
        let bytes = self.log.read_from_byte(&self.block, |bytes| behind_form(bytes, &mut form));
        let bytes = bytes.map_err(|error| match error {
            Error::Core(error) => error,
            error => CoreError::user(error),
        })?;
        let claim = self.keep_in.as_ref().and_then(|memory| memory.take(bytes.len(), Owner::Received));
        Ok((FromLog::of(self.block.id, form, bytes)?, claim))
    }
}

/// What the log has of a block.
pub(super) enum FromLog<T> {
    Lines(Arc<TextLines>),
    Encoded(Encoded<T>),
}

impl<T: Data> FromLog<T> {
    fn of(id: BlockId, form: Option<u8>, bytes: Vec<u8>) -> millstream_core::Result<Self> {
        if form != Some(AS_LINES) {
            return Ok(FromLog::Encoded(Encoded { id, form, bytes: Arc::new(bytes), of: PhantomData }));
        }
        let text = String::from_utf8(bytes).map_err(|error| unreadable(id, &error))?;
        Ok(FromLog::Lines(Arc::new(TextLines::of_string(text))))
    }

    /// Makes the records, a part at a time; the stream holds what was read.
    pub(super) fn stream(&self) -> millstream_core::Result<ChunkStream<T>> {
        match self {
            FromLog::Lines(lines) => Ok(lines.stream()),
            FromLog::Encoded(encoded) => encoded.stream(),
        }
    }
}

/// Records of a block, as they were written to the log. Cloning is shallow.
pub(crate) struct Encoded<T> {
    id: BlockId,
    form: Option<u8>,
    bytes: Arc<Vec<u8>>,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Encoded<T> {
    fn clone(&self) -> Self {
        Encoded { id: self.id, form: self.form, bytes: Arc::clone(&self.bytes), of: PhantomData }
    }
}

impl<T: Data> Encoded<T> {
    /// Decodes the records, a vector at a time; the stream holds the bytes.
    pub(super) fn stream(&self) -> millstream_core::Result<ChunkStream<T>> {
        let Encoded { id, form, bytes, .. } = self.clone();
        let broken = move |error: &dyn Display| unreadable(id, error);
        match form {
            Some(AS_RECORDS) => {
                let (mut left, rest): (u64, &[u8]) =
                    postcard::take_from_bytes(&bytes).map_err(|error| broken(&error))?;
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
            Some(AS_BYTES) => ObjectBytes::check(bytes.to_vec())?.read(),
            Some(form) => {
                Err(broken(&format!("its records are in a form {form}, which this version does not know")))
            }
            None => Err(broken(&"it has no bytes")),
        }
    }
}

/// Notes the form of a block's records; returns where these begin, so that nothing has to be moved to have them alone.
fn behind_form(bytes: &[u8], form: &mut Option<u8>) -> usize {
    *form = bytes.first().copied();
    usize::from(form.is_some())
}

fn unreadable(id: BlockId, error: &dyn Display) -> CoreError {
    CoreError::Codec { what: format!("block {id}"), problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::StreamId;

    const ID: BlockId = BlockId { stream: StreamId(1), number: 5 };

    fn read<T: Data>(bytes: Vec<u8>) -> millstream_core::Result<Vec<T>> {
        let (mut form, mut records) = (None, Vec::new());
        let begin = behind_form(&bytes, &mut form);
        stream::drain(FromLog::of(ID, form, bytes[begin..].to_vec())?.stream()?, |chunk| {
            records.extend(chunk.into_vec());
            Ok(())
        })?;
        Ok(records)
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let chunks = [Arc::new(vec!["to".to_owned(), "be".to_owned()]), Arc::new(vec!["or not".to_owned()])];
        let bytes = encode_records(ID, &chunks, Vec::new()).unwrap();
        assert_eq!(read::<String>(bytes.clone()).unwrap(), ["to", "be", "or not"]);
        let error = read::<String>(bytes[..bytes.len() - 1].to_vec()).unwrap_err().to_string();
        assert!(error.contains("block input-1-5"), "{error}");
        let object = ObjectBytes::of(stream::from_vec(vec![7_u64, 8])).unwrap();
        assert_eq!(read::<u64>(object.parts().concat()).unwrap(), [7, 8]);
        assert!(read::<String>(object.parts().concat()).is_err());
        assert!(read::<u64>(Vec::new()).is_err());
    }

    #[test]
    fn lines_are_read_as_they_were_written_and_only_as_strings() {
        let mut lines = TextLines::of_string("to be\n\n".to_owned());
        lines.append(TextLines::of_string("größer\n".to_owned()));
        let bytes = lines.parts().concat();
        assert_eq!(read::<String>(bytes.clone()).unwrap(), ["to be", "", "größer"]);
        let error = read::<u64>(bytes.clone()).unwrap_err().to_string();
        assert!(error.contains("expected u64"), "{error}");
        let error = read::<String>(bytes[..bytes.len() - 4].to_vec()).unwrap_err().to_string();
        assert!(error.contains("block input-1-5") && error.contains("utf-8"), "{error}");
    }

    #[test]
    fn forms_that_were_ever_written_can_be_read_and_others_are_refused() {
        assert_eq!(
            read::<String>(b"\x00\x02\x02\x02to\x02be\x01\x03not".to_vec()).unwrap(),
            ["to", "be", "not"]
        );
        assert_eq!(read::<String>(b"\x02to be\nor not\n".to_vec()).unwrap(), ["to be", "or not"]);
        let error = read::<String>(vec![9, 1, 1]).unwrap_err().to_string();
        assert!(error.contains("form 9"), "{error}");
    }
}
