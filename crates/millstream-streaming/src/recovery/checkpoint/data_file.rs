//! Files of bytes that manifests name: compressed, with a checksum.

use std::io::{self, Read, Write};

use millstream_core::failpoint;
use millstream_core::fs::{FileSystem, FsPath, failed, is_not_found};

use super::manifest::SavedFile;
use crate::error::{Error, Result};
use crate::scheduler::Pace;

/// The last byte is the version of the format.
const MAGIC: [u8; 8] = *b"MSCHK\r\n\x01";

/// The magic, and the length before compression.
const HEAD: usize = 16;

/// The fastest level: a checkpoint must not hold up the batches.
const LEVEL: i32 = 1;

const CHANGED: &str = "the file is not as it was written: its length or checksum is wrong";

/// How many bytes are written at once.
const PIECE: usize = 64 << 10;

/// How many bytes are compressed at once: left to itself the encoder gathers 128 KiB, whose work would delay a batch.
const COMPRESSED: usize = 16 << 10;

/// A data file whose content comes in pieces; it is compressed as it comes.
pub(crate) struct DataFile {
    encoder: zstd::Encoder<'static, Vec<u8>>,
    length: u64,
    /// What the encoder has gathered.
    waiting: usize,
}

impl DataFile {
    /// Begins a file.
    ///
    /// # Errors
    /// If there is no memory to compress with.
    pub(crate) fn new() -> Result<Self> {
        let mut head = Vec::from(MAGIC);
        head.resize(HEAD, 0);
        Ok(DataFile {
            encoder: zstd::Encoder::new(head, LEVEL).map_err(uncompressed)?,
            length: 0,
            waiting: 0,
        })
    }

    /// Adds to the content.
    ///
    /// # Errors
    /// If it can not be compressed.
    pub(crate) fn push(&mut self, content: &[u8]) -> Result<()> {
        self.encoder.write_all(content).map_err(uncompressed)?;
        self.length += content.len() as u64;
        self.waiting += content.len();
        if self.waiting >= COMPRESSED {
            self.waiting = 0;
            self.encoder.flush().map_err(uncompressed)?;
        }
        Ok(())
    }

    /// Returns how long the content is.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Writes the file, in short pieces; it is visible as a whole or not at all.
    ///
    /// # Errors
    /// If it can not be written.
    pub(crate) fn publish(
        self,
        system: &dyn FileSystem,
        directory: &FsPath,
        name: &str,
        pace: &Pace,
    ) -> Result<SavedFile> {
        let path = directory.join(name);
        let mut bytes = self.encoder.finish().map_err(uncompressed)?;
        bytes.splice(MAGIC.len()..HEAD, self.length.to_le_bytes());
        failpoint::reach("state-before-write");
        let mut writer = system.create(&path)?;
        let mut checksum = crc32fast::Hasher::new();
        for piece in bytes.chunks(PIECE) {
            checksum.update(piece);
            writer.write_all(piece).map_err(|error| failed("writing", &path, error))?;
            pace.make_way();
        }
        failpoint::reach("state-before-publish");
        writer.publish()?;
        failpoint::reach("state-after-publish");
        Ok(SavedFile { name: name.to_owned(), bytes: bytes.len() as u64, crc32: checksum.finalize() })
    }
}

fn uncompressed(error: io::Error) -> Error {
    millstream_core::Error::io("compressing a file of a checkpoint", error).into()
}

/// Writes a data file; it is visible as a whole or not at all.
///
/// # Errors
/// If it can not be written.
pub(crate) fn write(
    system: &dyn FileSystem,
    directory: &FsPath,
    name: &str,
    content: &[u8],
) -> Result<SavedFile> {
    let mut file = DataFile::new()?;
    file.push(content)?;
    file.publish(system, directory, name, &Pace::AtOnce)
}

/// Says what is wrong with a data file that a manifest names, if it is not as it was written; it is not unpacked.
///
/// # Errors
/// If it can not be read; that it is missing is what is wrong.
pub(crate) fn problem(
    system: &dyn FileSystem,
    directory: &FsPath,
    saved: &SavedFile,
) -> Result<Option<&'static str>> {
    let path = directory.join(&saved.name);
    let status = match system.status(&path) {
        Err(error) if is_not_found(&error) => return Ok(Some("the file is missing")),
        status => status?,
    };
    let mut file = system.open(&status, 0)?;
    let (mut hasher, mut length) = (crc32fast::Hasher::new(), 0);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = file.read(&mut buffer).map_err(|error| failed("reading", &path, error))?;
        if read == 0 {
            break;
        }
        length += read as u64;
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
    let is_whole = length == saved.bytes && hasher.finalize() == saved.crc32;
    Ok((!is_whole).then_some(CHANGED))
}

/// Reads a data file that a manifest names.
///
/// # Errors
/// If it is missing, can not be read, or is not as it was written.
pub(crate) fn read(system: &dyn FileSystem, directory: &FsPath, saved: &SavedFile) -> Result<Vec<u8>> {
    let path = directory.join(&saved.name);
    let mut bytes = Vec::new();
    let mut file = system.open(&system.status(&path)?, 0)?;
    file.read_to_end(&mut bytes).map_err(|error| failed("reading", &path, error))?;
    let damaged = |problem: &str| Error::Damaged {
        file: path.to_string(),
        problem: problem.to_owned(),
        remedy: "bring the file back from a copy, or start from another savepoint".into(),
    };
    if bytes.len() as u64 != saved.bytes || crc32fast::hash(&bytes) != saved.crc32 {
        return Err(damaged(CHANGED));
    }
    let Some((head, compressed)) = bytes.split_at_checked(HEAD) else {
        return Err(damaged("the file is too short to be one of a checkpoint"));
    };
    if head[..MAGIC.len()] != MAGIC {
        return Err(damaged("the file is none of a checkpoint, or of another version"));
    }
    let length = head.get(MAGIC.len()..).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
    let length = usize::try_from(length.unwrap_or_default()).unwrap_or(usize::MAX);
    let mut content = Vec::new();
    let unpacked = zstd::Decoder::new(compressed)
        .and_then(|decoder| decoder.take(length as u64).read_to_end(&mut content))
        .and_then(|read| if read == length { Ok(()) } else { Err(io::Error::other("too short")) });
    unpacked.map_err(|error| damaged(&format!("the file can not be unpacked: {error}")))?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use millstream_core::fs::LocalFs;

    use super::*;

    #[test]
    fn is_read_as_it_was_written_and_told_when_it_was_changed() {
        let place = std::env::temp_dir().join(format!("data-file-{}", std::process::id()));
        let directory = FsPath::from_path(&place).unwrap();
        let content = b"to be or not to be, ".repeat(100);
        let saved = write(&LocalFs, &directory, "state/one", &content).unwrap();
        assert!(saved.bytes < 100);
        assert_eq!(read(&LocalFs, &directory, &saved).unwrap(), content);
        let empty = write(&LocalFs, &directory, "state/empty", &[]).unwrap();
        assert_eq!(read(&LocalFs, &directory, &empty).unwrap(), b"");
        let bytes = std::fs::read(place.join("state/one")).unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            std::fs::write(place.join("state/one"), &flipped).unwrap();
            let error = read(&LocalFs, &directory, &saved).unwrap_err().to_string();
            assert!(error.contains("state/one: the file is not as it was written"), "{error}");
            assert_eq!(problem(&LocalFs, &directory, &saved).unwrap(), Some(CHANGED));
        }
        std::fs::write(place.join("state/one"), &bytes).unwrap();
        assert_eq!(problem(&LocalFs, &directory, &saved).unwrap(), None);
        std::fs::remove_dir_all(&place).unwrap();
        assert!(read(&LocalFs, &directory, &saved).is_err());
        assert_eq!(problem(&LocalFs, &directory, &saved).unwrap(), Some("the file is missing"));
    }
}
