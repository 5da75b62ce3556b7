//! `WholeFormat`: a record a file; `FixedFormat`: records of one length.

use std::io::{self, Read, Write};
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::format::{Cut, FileSplit, InputFormat, OutputFormat};
use super::{Codec, FileStatus, FileSystems, failed, write_failed};
use crate::chunk::Chunk;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::stream::{self, ChunkStream};

/// What the bytes of a whole file are read as.
pub trait Content: Data {
    /// Returns how the file is compressed, if that is to be looked at.
    ///
    /// # Errors
    /// If files of its name can not be read.
    fn codec(file: &FileStatus) -> Result<Codec>;

    /// Makes the content of the bytes.
    fn of(bytes: Vec<u8>) -> Self;
}

/// Text is uncompressed; bytes that are not UTF-8 are read as U+FFFD.
impl Content for String {
    fn codec(file: &FileStatus) -> Result<Codec> {
        Codec::of(&file.path)
    }

    fn of(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

/// Bytes are those of the file, compressed or not.
impl Content for Vec<u8> {
    fn codec(_: &FileStatus) -> Result<Codec> {
        Ok(Codec::None)
    }

    fn of(bytes: Vec<u8>) -> Self {
        bytes
    }
}

/// The path and the content of each file: `WholeFormat<String>`, `WholeFormat<Vec<u8>>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WholeFormat<C>(PhantomData<fn() -> C>);

impl<C> Default for WholeFormat<C> {
    fn default() -> Self {
        WholeFormat(PhantomData)
    }
}

impl<C: Content> InputFormat for WholeFormat<C> {
    type Record = (String, C);

    fn cut(&self, file: &FileStatus) -> Result<Cut> {
        C::codec(file).map(|_| Cut::Packed)
    }

    fn read(&self, files: &FileSystems, split: &FileSplit) -> Result<ChunkStream<(String, C)>> {
        let path = &split.file.path;
        let codec = C::codec(&split.file)?;
        let opened = files.of(path)?.open(&split.file, 0)?;
        let mut bytes = Vec::new();
        let read = codec.reader(opened).and_then(|mut from| from.read_to_end(&mut bytes));
        read.map_err(|error| failed("reading", path, error))?;
        Ok(stream::from_chunks(vec![Chunk::from(vec![(path.to_string(), C::of(bytes))])]))
    }
}

/// Records of one length in bytes, one behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedFormat {
    /// The length of a record in bytes.
    pub record_len: usize,
}

/// As many bytes of records make a chunk.
const CHUNK_BYTES: usize = 64 * 1024;

impl InputFormat for FixedFormat {
    type Record = Vec<u8>;

    fn check(&self, operator: &str) -> Result<()> {
        if self.record_len > 0 {
            return Ok(());
        }
        Err(Error::Argument {
            operator: operator.to_owned(),
            problem: "a record can not have 0 bytes".into(),
            remedy: "give the length the records have".into(),
        })
    }

    fn cut(&self, _: &FileStatus) -> Result<Cut> {
        Ok(Cut::Records(self.record_len as u64))
    }

    fn read(&self, files: &FileSystems, split: &FileSplit) -> Result<ChunkStream<Vec<u8>>> {
        let path = split.file.path.clone();
        let mut from = files.of(&path)?.open(&split.file, split.start)?;
        let record = self.record_len.max(1);
        let most = (CHUNK_BYTES / record).max(1) as u64;
        let mut left = (split.end - split.start) / record as u64;
        Ok(stream::from_fn(move || {
            let count = left.min(most);
            left -= count;
            let mut bytes = vec![0; count as usize * record];
            from.read_exact(&mut bytes).map_err(|error| failed("reading", &path, error))?;
            let records: Vec<Vec<u8>> = bytes.chunks_exact(record).map(<[u8]>::to_vec).collect();
            Ok((count > 0).then(|| records.into()))
        }))
    }
}

/// What is written as the bytes of a record: bytes, nothing, or the one after the other.
pub trait FixedBytes: Data {
    /// Returns how many bytes it has.
    fn length(&self) -> usize;

    /// Writes its bytes.
    ///
    /// # Errors
    /// Those of `to`.
    fn write(&self, to: &mut dyn Write) -> io::Result<()>;
}

impl FixedBytes for Vec<u8> {
    fn length(&self) -> usize {
        self.len()
    }

    fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        to.write_all(self)
    }
}

/// The key or value of a pair of which only the other one is written.
impl FixedBytes for () {
    fn length(&self) -> usize {
        0
    }

    fn write(&self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

impl<K: FixedBytes, V: FixedBytes> FixedBytes for (K, V) {
    fn length(&self) -> usize {
        self.0.length() + self.1.length()
    }

    fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        self.0.write(to)?;
        self.1.write(to)
    }
}

/// Only records of the format's length can be written; of a pair, the key's bytes and then the value's.
impl<R: FixedBytes> OutputFormat<R> for FixedFormat {
    fn extension(&self) -> String {
        String::new()
    }

    fn write(&self, records: ChunkStream<R>, to: &mut dyn Write) -> Result<()> {
        stream::drain(records, |chunk| {
            let mut written = Ok(());
            chunk.for_each(|record| {
                if written.is_err() {
                    return;
                }
                written = if record.length() == self.record_len {
                    record.write(to).map_err(write_failed)
                } else {
                    let problem =
                        format!("a record has {} bytes instead of {}", record.length(), self.record_len);
                    Err(Error::Codec { what: "writing records of one length".into(), problem })
                };
            });
            written
        })
    }
}
