//! `ObjectFormat`: records of any type, as an RDD has them.
//!
//! A file is a head (magic, version, the name of the record type), blocks, and an end that counts the records. A block is
//! its length, its length before compression, its number of records and a CRC-32, each of four bytes (little endian),
//! then the records in postcard's encoding, compressed by LZ4.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::format::{Cut, FileSplit, InputFormat, OutputFormat};
use super::{FileStatus, FileSystems, FsPath, failed, write_failed};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::stream::{self, ChunkStream};

/// The last byte is the version of the format.
const MAGIC: [u8; 8] = *b"MSOBJ\r\n\x01";

/// A block of more bytes than this is cut; one that claims more is broken.
const MOST_OF_A_BLOCK: usize = 1 << 30;

/// As many bytes of records make a block.
const BLOCK: usize = 256 * 1024;

/// Records of any type, in postcard's encoding, compressed and with checksums.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ObjectFormat<T>(PhantomData<fn() -> T>);

impl<T> Default for ObjectFormat<T> {
    fn default() -> Self {
        ObjectFormat(PhantomData)
    }
}

impl<T: Data> OutputFormat<T> for ObjectFormat<T> {
    fn extension(&self) -> String {
        String::new()
    }

    fn write(&self, records: ChunkStream<T>, to: &mut dyn Write) -> Result<()> {
        let name = type_name::<T>();
        to.write_all(&MAGIC).map_err(write_failed)?;
        to.write_all(&(name.len() as u32).to_le_bytes()).map_err(write_failed)?;
        to.write_all(name.as_bytes()).map_err(write_failed)?;
        let (mut bytes, mut count, mut total) = (Vec::new(), 0, 0_u64);
        stream::drain(records, |chunk| {
            let mut broken = None;
            chunk.for_each(|record| {
                if broken.is_some() {
                    return;
                }
                match postcard::to_extend(record, std::mem::take(&mut bytes)) {
                    Ok(longer) => (bytes, count, total) = (longer, count + 1, total + 1),
                    Err(error) => broken = Some(codec_error::<T>("encoding", error.to_string())),
                }
                if bytes.len() >= BLOCK {
                    broken = broken.take().or(write_block(to, &mut bytes, &mut count).err());
                }
            });
            broken.map_or(Ok(()), Err)
        })?;
        if count > 0 {
            write_block(to, &mut bytes, &mut count)?;
        }
        // A block of no bytes is the end.
        to.write_all(&[0; 4]).and_then(|()| to.write_all(&total.to_le_bytes())).map_err(write_failed)
    }
}

fn write_block(to: &mut dyn Write, bytes: &mut Vec<u8>, count: &mut u32) -> Result<()> {
    if bytes.len() > MOST_OF_A_BLOCK {
        let problem =
            format!("a record has {} bytes; the most an object file takes is {MOST_OF_A_BLOCK}", bytes.len());
        return Err(Error::Codec { what: "encoding a record".into(), problem });
    }
    let compressed = lz4_flex::block::compress(bytes);
    let mut sum = crc32fast::Hasher::new();
    sum.update(&(bytes.len() as u32).to_le_bytes());
    sum.update(&count.to_le_bytes());
    sum.update(&compressed);
    let head = [compressed.len() as u32, bytes.len() as u32, *count, sum.finalize()];
    for number in head {
        to.write_all(&number.to_le_bytes()).map_err(write_failed)?;
    }
    to.write_all(&compressed).map_err(write_failed)?;
    bytes.clear();
    *count = 0;
    Ok(())
}

impl<T: Data> InputFormat for ObjectFormat<T> {
    type Record = T;

    fn cut(&self, _: &FileStatus) -> Result<Cut> {
        Ok(Cut::Whole)
    }

    fn read(&self, files: &FileSystems, split: &FileSplit) -> Result<ChunkStream<T>> {
        let path = split.file.path.clone();
        let opened = files.of(&path)?.open(&split.file, 0)?;
        let mut from = BufReader::with_capacity(BLOCK, opened);
        read_head::<T>(&mut from, &path)?;
        let (mut seen, mut ended) = (0_u64, false);
        Ok(stream::from_fn(move || {
            if ended {
                return Ok(None);
            }
            match read_block(&mut from, &path)? {
                Block::Records(bytes, count) => {
                    seen += u64::from(count);
                    decode::<T>(&bytes, count, &path).map(|records| Some(records.into()))
                }
                Block::End(total) if total == seen => {
                    ended = true;
                    Ok(None)
                }
                Block::End(total) => Err(spoilt(&path, &format!("{seen} of {total} records are there"))),
            }
        }))
    }
}

fn read_head<T>(from: &mut impl Read, path: &FsPath) -> Result<()> {
    let mut magic = [0; MAGIC.len()];
    from.read_exact(&mut magic).map_err(|error| cut_off(path, error))?;
    let [version_there, version_here] = [magic, MAGIC].map(|magic| magic[MAGIC.len() - 1]);
    if magic[..MAGIC.len() - 1] != MAGIC[..MAGIC.len() - 1] {
        return Err(spoilt(path, "it is no object file; only what `save_as_object_file` wrote can be read"));
    }
    if version_there != version_here {
        let problem = format!(
            "it has version {version_there} of the format, this program reads version {version_here}"
        );
        return Err(spoilt(path, &problem));
    }
    let mut name = vec![0; read_u32(from, path)?.min(64 * 1024) as usize];
    from.read_exact(&mut name).map_err(|error| cut_off(path, error))?;
    let (there, here) = (String::from_utf8_lossy(&name), type_name::<T>());
    if there != here {
        let problem =
            format!("it holds records of type `{there}`, not `{here}`; read it as `object_file::<{there}>`");
        return Err(spoilt(path, &problem));
    }
    Ok(())
}

enum Block {
    Records(Vec<u8>, u32),
    End(u64),
}

fn read_block(from: &mut impl Read, path: &FsPath) -> Result<Block> {
    let compressed = read_u32(from, path)? as usize;
    if compressed == 0 {
        let mut total = [0; 8];
        from.read_exact(&mut total).map_err(|error| cut_off(path, error))?;
        return Ok(Block::End(u64::from_le_bytes(total)));
    }
    let (len, count, sum) = (read_u32(from, path)?, read_u32(from, path)?, read_u32(from, path)?);
    if len as usize > MOST_OF_A_BLOCK || compressed > lz4_flex::block::get_maximum_output_size(len as usize) {
        return Err(spoilt(path, "a block has an impossible length"));
    }
    let mut bytes = Vec::new();
    // Not allocated beforehand: a length that was spoilt must not take memory the file has no bytes for.
    let read = from
        .by_ref()
        .take(compressed as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| cut_off(path, error))?;
    if read < compressed {
        return Err(cut_off(path, ErrorKind::UnexpectedEof.into()));
    }
    let mut found = crc32fast::Hasher::new();
    found.update(&len.to_le_bytes());
    found.update(&count.to_le_bytes());
    found.update(&bytes);
    if found.finalize() != sum {
        return Err(spoilt(path, "the checksum of a block is wrong"));
    }
    let bytes = lz4_flex::block::decompress(&bytes, len as usize)
        .map_err(|error| spoilt(path, &format!("a block can not be uncompressed: {error}")))?;
    Ok(Block::Records(bytes, count))
}

fn decode<T: Data>(mut bytes: &[u8], count: u32, path: &FsPath) -> Result<Vec<T>> {
    let mut records = Vec::new();
    for _ in 0..count {
        let (record, rest) = postcard::take_from_bytes(bytes)
            .map_err(|error| spoilt(path, &format!("a record is no `{}`: {error}", type_name::<T>())))?;
        records.push(record);
        bytes = rest;
    }
    if !bytes.is_empty() {
        return Err(spoilt(path, &format!("its records are no `{}`", type_name::<T>())));
    }
    Ok(records)
}

fn read_u32(from: &mut impl Read, path: &FsPath) -> Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes).map_err(|error| cut_off(path, error))?;
    Ok(u32::from_le_bytes(bytes))
}

fn cut_off(path: &FsPath, error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::UnexpectedEof => spoilt(path, "it was cut off"),
        _ => failed("reading", path, error),
    }
}

fn spoilt(path: &FsPath, problem: &str) -> Error {
    Error::Codec { what: format!("reading the object file {path}"), problem: problem.to_owned() }
}

fn codec_error<T>(doing: &str, problem: String) -> Error {
    Error::Codec { what: format!("{doing} a `{}`", type_name::<T>()), problem }
}

/// The name of a type without the modules it lies in: these change more easily than what a record is.
fn type_name<T>() -> String {
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

    #[test]
    fn types_are_named_without_their_modules() {
        assert_eq!(type_name::<(String, Vec<Option<u32>>)>(), "(String, Vec<Option<u32>>)");
        assert_eq!(type_name::<ObjectFormat<i64>>(), "ObjectFormat<i64>");
        assert_eq!(type_name::<[u8; 3]>(), "[u8; 3]");
    }

    fn written<T: Data>(records: Vec<T>) -> Vec<u8> {
        let mut file = Vec::new();
        ObjectFormat::default().write(stream::from_vec(records), &mut file).unwrap();
        file
    }

    fn read<T: Data>(file: &[u8]) -> Result<Vec<T>> {
        let path = FsPath::parse("/f").unwrap();
        let mut from = file;
        read_head::<T>(&mut from, &path)?;
        let mut records = Vec::new();
        loop {
            match read_block(&mut from, &path)? {
                Block::Records(bytes, count) => records.extend(decode::<T>(&bytes, count, &path)?),
                Block::End(_) => return Ok(records),
            }
        }
    }

    #[test]
    fn a_file_spoilt_anywhere_is_an_error_or_the_same() {
        let records: Vec<(String, u64)> = (0..200).map(|n| (format!("record {n}"), n)).collect();
        let file = written(records.clone());
        assert_eq!(read::<(String, u64)>(&file).unwrap(), records);
        for at in 0..file.len() - 8 {
            let mut spoilt = file.clone();
            spoilt[at] ^= 0x11;
            assert!(read::<(String, u64)>(&spoilt).is_err(), "byte {at}");
            assert!(read::<(String, u64)>(&file[..at]).is_err(), "cut at {at}");
        }
        let error = read::<(String, i64)>(&file).unwrap_err().to_string();
        assert!(error.contains("records of type `(String, u64)`, not `(String, i64)`"), "{error}");
    }
}
