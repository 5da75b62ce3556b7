//! Reading: one record by its position, or all in order.

use std::collections::BTreeMap;
use std::io::Read;

use millstream_core::fs::{FsPath, failed, is_not_found};

use super::frame::{self, FRAME, Frame};
use super::segment::{Ended, HEAD, Head, read_head};
use super::{LogPosition, WriteAheadLog};
use crate::error::{Error, Result};
use crate::time::Time;

/// The bytes of a head, and a reader of what follows it.
type HeadAndRest = (Vec<u8>, Box<dyn Read + Send>);

impl WriteAheadLog {
    /// Reads one record.
    ///
    /// # Errors
    /// If its segment is gone or damaged.
    pub(crate) fn read(&self, at: &LogPosition) -> Result<Vec<u8>> {
        let path = self.directory.join(&at.segment);
        let mut bytes = Vec::new();
        let status = self.system.status(&path)?;
        let mut file = self.system.open(&status, at.offset)?.take((FRAME + at.length as usize) as u64);
        file.read_to_end(&mut bytes).map_err(|error| failed("reading", &path, error))?;
        match frame::read(&bytes) {
            Frame::Record(record) if record.len() == at.length as usize => Ok(record.to_vec()),
            Frame::Broken(problem) => Err(damaged(&path, at.offset, problem)),
            _ => Err(damaged(&path, at.offset, "the record is not whole")),
        }
    }

    /// Reads all records of this generation in order.
    ///
    /// What a run that was killed did not write to the end is passed over: no one was told that it is there. Segments that
    /// end before `needed_from` may be missing.
    ///
    /// # Errors
    /// If a segment can not be read or was changed, is shorter than it was, or is missing; or as `each` does.
    pub(crate) fn read_all(
        &self,
        needed_from: Time,
        mut each: impl FnMut(LogPosition, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut lengths = BTreeMap::new();
        let mut named = Vec::new();
        let mut broken = Vec::new();
        for (name, path) in self.segments()? {
            let Some((before, bytes)) = self.bytes_of_own(&path)? else { continue };
            named.extend(before);
            let mut offset = HEAD;
            loop {
                let rest = bytes.get(offset..).unwrap_or_default();
                match frame::read(rest) {
                    Frame::Record(record) => {
                        let length = record.len() as u32; // was read as four bytes
                        let segment = name.to_string();
                        each(LogPosition { segment, offset: offset as u64, length }, record)?;
                        offset += FRAME + record.len();
                    }
                    Frame::End => break,
                    Frame::Torn => {
                        let lost = rest.len();
                        tracing::info!(
                            "{path}: the last {lost} bytes were not written to the end; passed over"
                        );
                        break;
                    }
                    Frame::Broken(problem) => {
                        broken.push((name, problem));
                        break;
                    }
                }
            }
            lengths.insert(name, offset as u64);
        }
        for Ended { name, length } in &named {
            let path = self.directory.join(&name.to_string());
            match lengths.get(name) {
                Some(found) if found < length => {
                    return Err(damaged(&path, *found, "the segment is shorter than it was"));
                }
                None if name.stop >= needed_from => return Err(damaged(&path, 0, "the segment is missing")),
                _ => {}
            }
        }
        for (name, problem) in broken {
            let offset = lengths.get(&name).copied().unwrap_or_default();
            // Behind the end that the next segment names lies what could not be written, and could not be cut off either.
            if !named.iter().any(|ended| (ended.name, ended.length) == (name, offset)) {
                return Err(damaged(&self.directory.join(&name.to_string()), offset, problem));
            }
        }
        let last = lengths.last_key_value().map(|(name, length)| Ended { name: *name, length: *length });
        self.writing().goes_on_after(last);
        Ok(())
    }

    /// Returns whether a segment may be deleted by this generation: it is its own, or no one's, because it has no records.
    pub(super) fn is_own(&self, path: &FsPath) -> Result<bool> {
        let Some((head, _)) = self.head(path)? else { return Ok(false) };
        Ok(match read_head(&head) {
            Head::Of { generation, .. } => generation == self.config.generation,
            Head::Torn => true,
            Head::Broken => false,
        })
    }

    /// Reads a segment and what it says of the one before it; nothing if it is of another generation or has no records.
    fn bytes_of_own(&self, path: &FsPath) -> Result<Option<(Option<Ended>, Vec<u8>)>> {
        let Some((mut bytes, mut rest)) = self.head(path)? else { return Ok(None) };
        match read_head(&bytes) {
            Head::Of { generation, before } if generation == self.config.generation => {
                rest.read_to_end(&mut bytes).map_err(|error| failed("reading", path, error))?;
                Ok(Some((before, bytes)))
            }
            Head::Of { .. } | Head::Torn => Ok(None),
            Head::Broken => Err(damaged(path, 0, "the head of the segment has a wrong checksum")),
        }
    }

    /// Reads the head of a segment; returns what follows it too. Nothing if the segment was cleaned since the directory was read.
    fn head(&self, path: &FsPath) -> Result<Option<HeadAndRest>> {
        let status = match self.system.status(path) {
            Err(error) if is_not_found(&error) => return Ok(None),
            status => status?,
        };
        let mut head = Vec::new();
        let mut file = self.system.open(&status, 0)?;
        file.by_ref()
            .take(HEAD as u64)
            .read_to_end(&mut head)
            .map_err(|error| failed("reading", path, error))?;
        Ok(Some((head, file)))
    }
}

fn damaged(path: &FsPath, offset: u64, problem: &str) -> Error {
    Error::Damaged {
        file: path.to_string(),
        problem: format!("{problem} (at byte {offset})"),
        remedy: "bring the file back from a copy, or start anew in another directory".into(),
    }
}
