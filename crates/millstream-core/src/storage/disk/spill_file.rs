//! A file of records in the scratch directory: written once, read as often as wanted, deleted when it is dropped.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::folder::Folders;
use super::{Counted, unwritable};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::storage::frame::{BLOCK, BlockWriter, Broken, Compression, push_chunk, read_block};
use crate::stream::{self, ChunkStream};

/// Writes records to a scratch file; what is dropped without `finish` leaves nothing behind.
pub struct SpillWriter {
    to: Counted,
    compression: Compression,
    /// Why nothing more can be written: the file ends in the middle of a block.
    broken: Option<Error>,
    disk_failed: bool,
    file: Scratch,
}

/// A file that is deleted when this is dropped.
struct Scratch {
    what: String,
    path: PathBuf,
    /// Held, not read: the directory goes after the last file.
    _folders: Arc<Folders>,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!("the scratch file {} can not be deleted: {error}", self.path.display());
            }
            _ => {}
        }
    }
}

/// Some records of a file that were written together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    offset: u64,
    bytes: u64,
    records: u64,
}

impl Segment {
    /// Returns how many bytes of the file it takes.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let mut file = context.disk().create("numbers")?;
    /// let segment = file.write(&[1_u64, 2, 3])?;
    /// assert!(segment.bytes() > 0);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.bytes
    }

    /// Returns how many records there are.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let mut file = context.disk().create("numbers")?;
    /// assert_eq!(file.write(&[1_u64, 2, 3])?.records(), 3);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn records(self) -> u64 {
        self.records
    }
}

impl SpillWriter {
    pub(super) fn new(
        what: String,
        path: PathBuf,
        file: File,
        compression: Compression,
        folders: Arc<Folders>,
    ) -> Self {
        let file_there = Scratch { what, path, _folders: folders };
        SpillWriter {
            to: Counted { file, written: 0 },
            compression,
            broken: None,
            disk_failed: false,
            file: file_there,
        }
    }

    /// Writes records as a segment of their own; many make several blocks, so that they are never read all at once.
    ///
    /// # Errors
    /// If a record can not be turned into bytes or the disk does not take them; the error says where and what to do.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let mut file = context.disk().create("numbers")?;
    /// let (first, second) = (file.write(&['a'])?, file.write(&['b', 'c'])?);
    /// let mut records = Vec::new();
    /// let file = file.finish()?;
    /// for segment in [second, first] {
    ///     millstream_core::stream::drain(file.read_segment::<char>(segment)?, |chunk| Ok(records.extend(chunk.into_vec())))?;
    /// }
    /// assert_eq!(records, ['b', 'c', 'a']);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn write<T: Serialize>(&mut self, records: &[T]) -> Result<Segment> {
        self.segment(|blocks, to| records.iter().try_for_each(|record| blocks.push(record, to)))
    }

    /// Writes the records of a stream as a segment, chunk by chunk.
    ///
    /// # Errors
    /// Those of the stream, and those of [`write`](SpillWriter::write).
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let mut file = context.disk().create("numbers")?;
    /// let segment = file.write_stream(millstream_core::stream::from_iter(0..5000_u64))?;
    /// assert_eq!(segment.records(), 5000);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn write_stream<T: Data>(&mut self, records: ChunkStream<T>) -> Result<Segment> {
        self.segment(|blocks, to| stream::drain(records, |chunk| push_chunk(blocks, &chunk, to)))
    }

    /// Writes blocks that are bytes already, compressed as this file's are.
    pub(crate) fn write_blocks(&mut self, blocks: &[u8]) -> Result<()> {
        self.segment(|_, to| to.write_all(blocks).map_err(crate::fs::write_failed)).map(drop)
    }

    /// Returns whether it was the disk that could not take what was written.
    pub(crate) fn disk_failed(&self) -> bool {
        self.disk_failed
    }

    fn segment(
        &mut self,
        write: impl FnOnce(&mut BlockWriter, &mut dyn Write) -> Result<()>,
    ) -> Result<Segment> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let offset = self.to.written;
        let mut blocks = BlockWriter::new(self.compression);
        let mut to = Failing { to: &mut self.to, failure: None };
        let written = write(&mut blocks, &mut to).and_then(|()| blocks.flush(&mut to));
        let failure = to.failure.take();
        if let Err(error) = written {
            self.disk_failed = failure.is_some();
            let error = match failure {
                Some(failure) => unwritable(&self.file.what, &self.file.path, failure),
                None => error,
            };
            self.broken = Some(error.clone());
            return Err(error);
        }
        Ok(Segment { offset, bytes: self.to.written - offset, records: blocks.records() })
    }

    /// Ends the file.
    ///
    /// # Errors
    /// If something could not be written before.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let file = context.disk().create("numbers")?.finish()?;
    /// let path = file.path().to_owned();
    /// assert!(path.exists());
    /// drop(file);
    /// assert!(!path.exists(), "it goes with its last reader");
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn finish(self) -> Result<Arc<SpillFile>> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        Ok(Arc::new(SpillFile { bytes: self.to.written, compression: self.compression, file: self.file }))
    }
}

/// Remembers what the disk answered, so that the error can be told from those of the records.
struct Failing<'a> {
    to: &'a mut Counted,
    failure: Option<std::io::Error>,
}

impl Write for Failing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.to.write(bytes).inspect_err(|error| {
            if error.kind() != ErrorKind::Interrupted {
                self.failure = Some(copy(error));
            }
        })
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

fn copy(error: &std::io::Error) -> std::io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), std::io::Error::from_raw_os_error)
}

/// A scratch file of records. It is deleted when its last handle is dropped.
pub struct SpillFile {
    bytes: u64,
    compression: Compression,
    file: Scratch,
}

impl SpillFile {
    /// Returns the file's length in bytes.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let mut file = context.disk().create("numbers")?;
    /// file.write(&[1_u64, 2, 3])?;
    /// let file = file.finish()?;
    /// assert_eq!(std::fs::metadata(file.path()).map(|file| file.len()).ok(), Some(file.bytes()));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns where the file lies.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let file = context.disk().create("numbers")?.finish()?;
    /// assert!(file.path().exists());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Returns whether the file is there, at its full length.
    pub(crate) fn is_there(&self) -> bool {
        fs::metadata(&self.file.path).is_ok_and(|there| there.len() == self.bytes)
    }

    /// Reads all records, a block at a time; the stream holds the file.
    ///
    /// # Errors
    /// If the file can not be opened; the stream fails if it was changed, cut off, or holds other records.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let mut file = context.disk().create("numbers")?;
    /// file.write(&[1_u64, 2, 3])?;
    /// let mut sum = 0;
    /// millstream_core::stream::drain(file.finish()?.read::<u64>()?, |chunk| {
    ///     chunk.for_each(|n| sum += n);
    ///     Ok(())
    /// })?;
    /// assert_eq!(sum, 6);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn read<T: Data>(self: &Arc<Self>) -> Result<ChunkStream<T>> {
        self.read_range(0, self.bytes)
    }

    /// Reads the records of a segment, a block at a time; the stream holds the file.
    ///
    /// # Errors
    /// Those of [`read`](SpillFile::read).
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let mut file = context.disk().create("letters")?;
    /// file.write(&['a'])?;
    /// let second = file.write(&['b', 'c'])?;
    /// let mut letters = Vec::new();
    /// millstream_core::stream::drain(file.finish()?.read_segment::<char>(second)?, |chunk| Ok(letters.extend(chunk.into_vec())))?;
    /// assert_eq!(letters, ['b', 'c']);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn read_segment<T: Data>(self: &Arc<Self>, segment: Segment) -> Result<ChunkStream<T>> {
        self.read_range(segment.offset, segment.bytes)
    }

    fn read_range<T: Data>(self: &Arc<Self>, offset: u64, bytes: u64) -> Result<ChunkStream<T>> {
        let opened = File::open(&self.file.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            Ok(file)
        });
        let opened = opened.map_err(|error| self.broken(Broken::Io(error)))?;
        let mut from = BufReader::with_capacity(BLOCK, opened).take(bytes);
        let file = Arc::clone(self);
        Ok(stream::from_fn(move || {
            if from.limit() == 0 {
                return Ok(None);
            }
            let broken = match read_block::<T>(&mut from, file.compression) {
                Ok(Some(records)) => return Ok(Some(records.into())),
                Ok(None) => Broken::Spoilt("a block has no length".into()),
                Err(broken) => broken,
            };
            Err(file.broken(broken))
        }))
    }

    fn broken(&self, broken: Broken) -> Error {
        let name = format!("{} from the scratch file {}", self.file.what, self.file.path.display());
        const REMEDY: &str =
            "it was changed by others or the disk is broken: run the job again, and look after the disk";
        match broken.while_reading(&name) {
            Error::Io { what, source } => {
                Error::io(what, std::io::Error::new(source.kind(), format!("{source}; {REMEDY}")))
            }
            Error::Codec { what, problem } => Error::Codec { what, problem: format!("{problem}; {REMEDY}") },
            other => other,
        }
    }
}

impl std::fmt::Debug for SpillFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SpillFile").field(&self.file.path).finish()
    }
}

impl std::fmt::Debug for SpillWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SpillWriter").field(&self.file.path).finish()
    }
}

#[cfg(test)]
mod tests;
