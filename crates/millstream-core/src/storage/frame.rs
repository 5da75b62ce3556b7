//! Blocks of records as bytes, with checksums: what object files and files of scratch directories are made of.
//!
//! A block is its length, its length before compression, its number of records and a CRC-32, each of four bytes (little
//! endian), then the records in postcard's encoding, compressed. A length of zero is no block: it can mark an end.

use std::io::{self, ErrorKind, Read, Write};

use serde::Serialize;

use crate::chunk::Chunk;
use crate::conf::Conf;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::settings;

/// A block of more bytes than this is cut; one that claims more is broken.
const MOST_OF_A_BLOCK: usize = 1 << 30;

/// As many bytes of records make a block.
pub(crate) const BLOCK: usize = 256 * 1024;

/// The length of a block without its records.
const HEAD: usize = 16;

/// How the records of a block are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Lz4,
    /// At a level.
    Zstd(i32),
}

impl Compression {
    /// Returns what `spark.io.compression.codec` names.
    pub(crate) fn of(conf: &Conf) -> Result<Self> {
        let name = conf.get(settings::IO_COMPRESSION_CODEC)?;
        if name.to_ascii_lowercase().contains("zstd") {
            return Ok(Compression::Zstd(conf.get(settings::IO_COMPRESSION_ZSTD_LEVEL)? as i32));
        }
        // Snappy and LZF are not here; LZ4 is as fast and packs as well.
        Ok(Compression::Lz4)
    }

    fn compress(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Compression::None => Ok(bytes.to_vec()),
            Compression::Lz4 => Ok(lz4_flex::block::compress(bytes)),
            Compression::Zstd(level) => zstd::bulk::compress(bytes, level),
        }
    }

    fn uncompress(self, bytes: Vec<u8>, len: usize) -> Result<Vec<u8>, String> {
        match self {
            Compression::None if bytes.len() == len => Ok(bytes),
            Compression::None => Err("its lengths differ".into()),
            Compression::Lz4 => lz4_flex::block::decompress(&bytes, len).map_err(|error| error.to_string()),
            Compression::Zstd(_) => zstd::bulk::decompress(&bytes, len).map_err(|error| error.to_string()),
        }
    }

    /// Returns the most bytes that as many can become.
    fn most(self, len: usize) -> usize {
        match self {
            Compression::None => len,
            Compression::Lz4 => lz4_flex::block::get_maximum_output_size(len),
            Compression::Zstd(_) => zstd::zstd_safe::compress_bound(len),
        }
    }
}

/// Gathers records and writes a block whenever there are enough.
pub(crate) struct BlockWriter {
    compression: Compression,
    bytes: Vec<u8>,
    count: u32,
    records: u64,
}

impl BlockWriter {
    pub(crate) fn new(compression: Compression) -> Self {
        BlockWriter { compression, bytes: Vec::new(), count: 0, records: 0 }
    }

    /// Returns how many records were taken.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Adds a record; `to` gets a block if it was the last one of it.
    pub(crate) fn push<T: Serialize>(&mut self, record: &T, to: &mut dyn Write) -> Result<()> {
        self.bytes = postcard::to_extend(record, std::mem::take(&mut self.bytes)).map_err(|error| {
            Error::Codec { what: format!("encoding a `{}`", type_name::<T>()), problem: error.to_string() }
        })?;
        self.count += 1;
        self.records += 1;
        if self.bytes.len() >= BLOCK || self.count == u32::MAX { self.flush(to) } else { Ok(()) }
    }

    /// Writes a block of the records that are there, if any are.
    pub(crate) fn flush(&mut self, to: &mut dyn Write) -> Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        let (bytes, count) = (&mut self.bytes, self.count);
        if bytes.len() > MOST_OF_A_BLOCK {
            let problem = format!(
                "a record has {} bytes; the most that can be written is {MOST_OF_A_BLOCK}",
                bytes.len()
            );
            return Err(Error::Codec { what: "encoding a record".into(), problem });
        }
        // Records without bytes would make a block without length.
        if bytes.is_empty() && self.compression == Compression::None {
            bytes.push(0);
        }
        let compressed = self.compression.compress(bytes).map_err(|error| Error::io("compressing", error))?;
        let len = bytes.len() as u32;
        let mut head = [0; HEAD];
        let numbers = [compressed.len() as u32, len, count, sum(len, count, &compressed)];
        for (place, number) in head.chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        to.write_all(&head).and_then(|()| to.write_all(&compressed)).map_err(crate::fs::write_failed)?;
        bytes.clear();
        self.count = 0;
        Ok(())
    }
}

/// Adds the records of a chunk to the blocks of a writer.
pub(crate) fn push_chunk<T: Data>(
    blocks: &mut BlockWriter,
    chunk: &Chunk<T>,
    to: &mut dyn Write,
) -> Result<()> {
    let mut pushed = Ok(());
    chunk.for_each(|record| {
        if pushed.is_ok() {
            pushed = blocks.push(record, to);
        }
    });
    pushed
}

fn sum(len: u32, count: u32, compressed: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&len.to_le_bytes());
    sum.update(&count.to_le_bytes());
    sum.update(compressed);
    sum.finalize()
}

/// Why a block can not be read.
pub(crate) enum Broken {
    /// The bytes end too early.
    CutOff,
    Io(io::Error),
    /// The bytes are not those that were written.
    Spoilt(String),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof => Broken::CutOff,
            _ => Broken::Io(error),
        }
    }
}

impl Broken {
    /// Makes an error of it, in words that say what was read.
    pub(crate) fn while_reading(self, what: &str) -> Error {
        match self {
            Broken::Io(error) => Error::io(format!("reading {what}"), error),
            Broken::CutOff => {
                Error::Codec { what: format!("reading {what}"), problem: "it was cut off".into() }
            }
            Broken::Spoilt(problem) => Error::Codec { what: format!("reading {what}"), problem },
        }
    }
}

/// Reads the records of the next block; nothing if a length of zero stands in its place.
pub(crate) fn read_block<T: Data>(
    from: &mut impl Read,
    compression: Compression,
) -> Result<Option<Vec<T>>, Broken> {
    let Some(Compressed { len, count, bytes }) = read_compressed(from, compression)? else { return Ok(None) };
    let bytes = compression
        .uncompress(bytes, len as usize)
        .map_err(|error| Broken::Spoilt(format!("a block can not be uncompressed: {error}")))?;
    decode(&bytes, count).map(Some)
}

/// Looks at the lengths and the checksum of the next block and returns how many records it has.
pub(crate) fn check_block(from: &mut impl Read, compression: Compression) -> Result<Option<u32>, Broken> {
    Ok(read_compressed(from, compression)?.map(|block| block.count))
}

/// A block whose checksum is right.
struct Compressed {
    /// Its length before compression.
    len: u32,
    count: u32,
    bytes: Vec<u8>,
}

fn read_compressed(from: &mut impl Read, compression: Compression) -> Result<Option<Compressed>, Broken> {
    let compressed = read_u32(from)? as usize;
    if compressed == 0 {
        return Ok(None);
    }
    let (len, count, written) = (read_u32(from)?, read_u32(from)?, read_u32(from)?);
    if len as usize > MOST_OF_A_BLOCK || compressed > compression.most(len as usize) {
        return Err(Broken::Spoilt("a block has an impossible length".into()));
    }
    let mut bytes = Vec::new();
    // Not allocated beforehand: a length that was spoilt must not take memory the file has no bytes for.
    if from.by_ref().take(compressed as u64).read_to_end(&mut bytes)? < compressed {
        return Err(Broken::CutOff);
    }
    if sum(len, count, &bytes) != written {
        return Err(Broken::Spoilt("the checksum of a block is wrong".into()));
    }
    Ok(Some(Compressed { len, count, bytes }))
}

fn decode<T: Data>(mut bytes: &[u8], count: u32) -> Result<Vec<T>, Broken> {
    let mut records = Vec::new();
    let len = bytes.len();
    for _ in 0..count {
        let (record, rest) = postcard::take_from_bytes(bytes)
            .map_err(|error| Broken::Spoilt(format!("a record is no `{}`: {error}", type_name::<T>())))?;
        records.push(record);
        bytes = rest;
    }
    // Records without bytes have one in common.
    if bytes.is_empty() || (len == 1 && bytes.len() == 1) {
        return Ok(records);
    }
    Err(Broken::Spoilt(format!("its records are no `{}`", type_name::<T>())))
}

pub(crate) fn read_u32(from: &mut impl Read) -> Result<u32, Broken> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// The name of a type without the modules it lies in: these change more easily than what a record is.
pub(crate) fn type_name<T>() -> String {
    let full = std::any::type_name::<T>();
    let mut name = String::with_capacity(full.len());
    let mut word = 0;
    for c in full.chars() {
        if c == ':' {
            name.truncate(word);
            continue;
        }
        name.push(c);
        if !(c.is_alphanumeric() || c == '_') {
            word = name.len();
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::ObjectFormat;

    #[test]
    fn types_are_named_without_their_modules() {
        assert_eq!(type_name::<(String, Vec<Option<u32>>)>(), "(String, Vec<Option<u32>>)");
        assert_eq!(type_name::<ObjectFormat<i64>>(), "ObjectFormat<i64>");
        assert_eq!(type_name::<[u8; 3]>(), "[u8; 3]");
    }

    fn blocks<T: Data>(records: &[T], compression: Compression) -> Vec<u8> {
        let (mut writer, mut to) = (BlockWriter::new(compression), Vec::new());
        records.iter().for_each(|record| writer.push(record, &mut to).unwrap());
        writer.flush(&mut to).unwrap();
        assert_eq!(writer.records(), records.len() as u64);
        to
    }

    fn read<T: Data>(mut bytes: &[u8], compression: Compression) -> Result<Vec<T>, Broken> {
        let mut records = Vec::new();
        while !bytes.is_empty() {
            records.extend(read_block::<T>(&mut bytes, compression)?.unwrap_or_default());
        }
        Ok(records)
    }

    #[test]
    fn blocks_are_read_as_they_were_written_or_not_at_all() {
        for compression in [Compression::None, Compression::Lz4, Compression::Zstd(1)] {
            let lines: Vec<String> = (0..40).map(|n| format!("line {n}")).collect();
            let bytes = blocks(&lines, compression);
            assert!(read::<String>(&bytes, compression).is_ok_and(|read| read == lines));
            for at in 0..bytes.len() {
                let mut spoilt = bytes.clone();
                spoilt[at] ^= 0x11;
                assert!(read::<String>(&spoilt, compression).is_err(), "{compression:?}, byte {at}");
                assert!(at == 0 || read::<String>(&bytes[..at], compression).is_err());
            }
        }
    }

    #[test]
    fn many_records_make_several_blocks() {
        let large: Vec<String> = (0..10).map(|n| n.to_string().repeat(BLOCK / 3)).collect();
        let bytes = blocks(&large, Compression::None);
        assert!(bytes.len() > 10 * BLOCK / 3 + 2 * HEAD);
        assert!(read::<String>(&bytes, Compression::None).is_ok_and(|read| read == large));
    }

    #[test]
    fn records_without_bytes_can_be_written() {
        let bytes = blocks(&[(), (), ()], Compression::Lz4);
        assert!(read::<()>(&bytes, Compression::Lz4).is_ok_and(|read| read.len() == 3));
    }

    #[test]
    fn codecs_are_found_by_their_names() {
        let of = |name: &str| Compression::of(&Conf::empty().set("spark.io.compression.codec", name));
        assert_eq!(Compression::of(&Conf::empty()).unwrap(), Compression::Lz4);
        assert_eq!(of("org.apache.spark.io.ZStdCompressionCodec").unwrap(), Compression::Zstd(1));
        assert_eq!(of("snappy").unwrap(), Compression::Lz4);
        let error = of("brotli").unwrap_err().to_string();
        assert!(error.contains("`brotli`") && error.contains("lz4"), "{error}");
    }
}
