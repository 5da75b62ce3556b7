//! `ObjectFormat`: records of any type, as an RDD has them.
//!
//! A file is a head (magic, version, the name of the record type), blocks (`storage/frame.rs` says what one is) that are
//! compressed by LZ4, and an end that counts the records.

use std::io::{BufReader, Read, Write};
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::format::{Cut, FileSplit, InputFormat, OutputFormat};
use super::{FileStatus, FileSystems, FsPath, failed, write_failed};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::storage::frame::{
    BLOCK, BlockWriter, Broken, Compression, push_chunk, read_block, read_u32, type_name,
};
use crate::stream::{self, ChunkStream};

/// The last byte is the version of the format.
const MAGIC: [u8; 8] = *b"MSOBJ\r\n\x01";

pub(super) const COMPRESSION: Compression = Compression::Lz4;

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
        let mut blocks = BlockWriter::new(COMPRESSION);
        stream::drain(records, |chunk| push_chunk(&mut blocks, &chunk, to))?;
        blocks.flush(to)?;
        // A block of no bytes is the end.
        let total = blocks.records().to_le_bytes();
        to.write_all(&[0; 4]).and_then(|()| to.write_all(&total)).map_err(write_failed)
    }
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
        read_head::<T>(&mut from).map_err(|broken| failing(&path, broken))?;
        let (mut seen, mut ended) = (0_u64, false);
        Ok(stream::from_fn(move || {
            if ended {
                return Ok(None);
            }
            if let Some(records) =
                read_block::<T>(&mut from, COMPRESSION).map_err(|broken| failing(&path, broken))?
            {
                seen += records.len() as u64;
                return Ok(Some(records.into()));
            }
            ended = true;
            read_end(&mut from, seen).map_err(|broken| failing(&path, broken))?;
            Ok(None)
        }))
    }
}

pub(super) fn read_head<T>(from: &mut impl Read) -> Result<(), Broken> {
    let spoilt = |problem: String| Err(Broken::Spoilt(problem));
    let mut magic = [0; MAGIC.len()];
    from.read_exact(&mut magic)?;
    let [version_there, version_here] = [magic, MAGIC].map(|magic| magic[MAGIC.len() - 1]);
    if magic[..MAGIC.len() - 1] != MAGIC[..MAGIC.len() - 1] {
        return spoilt("it is no object file; only what `save_as_object_file` wrote can be read".into());
    }
    if version_there != version_here {
        return spoilt(format!(
            "it has version {version_there} of the format, this program reads version {version_here}"
        ));
    }
    let mut name = vec![0; read_u32(from)?.min(64 * 1024) as usize];
    from.read_exact(&mut name)?;
    let (there, here) = (String::from_utf8_lossy(&name), type_name::<T>());
    if there != here {
        return spoilt(format!(
            "it holds records of type `{there}`, not `{here}`; read it as `object_file::<{there}>`"
        ));
    }
    Ok(())
}

pub(super) fn read_end(from: &mut impl Read, seen: u64) -> Result<(), Broken> {
    let mut total = [0; 8];
    from.read_exact(&mut total)?;
    let total = u64::from_le_bytes(total);
    if total == seen { Ok(()) } else { Err(Broken::Spoilt(format!("{seen} of {total} records are there"))) }
}

fn failing(path: &FsPath, broken: Broken) -> Error {
    match broken {
        Broken::Io(error) => failed("reading", path, error),
        other => other.while_reading(&format!("the object file {path}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written<T: Data>(records: Vec<T>) -> Vec<u8> {
        let mut file = Vec::new();
        ObjectFormat::default().write(stream::from_vec(records), &mut file).unwrap();
        file
    }

    fn read<T: Data>(file: &[u8]) -> Result<Vec<T>> {
        let mut from = file;
        let mut read = || {
            read_head::<T>(&mut from)?;
            let mut records = Vec::new();
            while let Some(more) = read_block::<T>(&mut from, COMPRESSION)? {
                records.extend(more);
            }
            read_end(&mut from, records.len() as u64)?;
            Ok(records)
        };
        read().map_err(|broken| failing(&FsPath::parse("/f").unwrap(), broken))
    }

    #[test]
    fn a_file_spoilt_anywhere_is_an_error() {
        let records: Vec<(String, u64)> = (0..200).map(|n| (format!("record {n}"), n)).collect();
        let file = written(records.clone());
        assert_eq!(read::<(String, u64)>(&file).unwrap(), records);
        for at in 0..file.len() {
            let mut spoilt = file.clone();
            spoilt[at] ^= 0x11;
            assert!(read::<(String, u64)>(&spoilt).is_err(), "byte {at}");
            assert!(read::<(String, u64)>(&file[..at]).is_err(), "cut at {at}");
        }
        let error = read::<(String, i64)>(&file).unwrap_err().to_string();
        assert!(error.contains("records of type `(String, u64)`, not `(String, i64)`"), "{error}");
    }
}
