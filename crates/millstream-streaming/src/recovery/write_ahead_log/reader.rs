//! Reading: one record by its position, or all in order.

use std::collections::BTreeMap;
use std::io::Read;

use millstream_core::fs::{FsPath, failed, is_not_found};

use super::frame::{self, FRAME, Frame};
use super::segment::{Ended, HEAD, Head, SegmentName, read_head};
use super::{LogPosition, WriteAheadLog};
use crate::error::{Error, Result};
use crate::time::Time;

/// A segment that was read.
struct Found {
    /// Up to where there are records, one after the other; 0 if it is not known whose they are.
    length: u64,
    /// What is wrong with what lies there.
    problem: Option<&'static str>,
}

/// The bytes of a head, and a reader of what follows it.
type HeadAndRest = (Vec<u8>, Box<dyn Read + Send>);

impl WriteAheadLog {
    /// Reads one record.
    ///
    /// # Errors
    /// If its segment is gone or damaged.
    pub(crate) fn read(&self, at: &LogPosition) -> Result<Vec<u8>> {
        self.read_from_byte(at, |_| 0)
    }

    /// Reads one record from the byte on that `begin` tells of it: what lies before that is not copied.
    ///
    /// # Errors
    /// If its segment is gone or damaged.
    pub(crate) fn read_from_byte(
        &self,
        at: &LogPosition,
        begin: impl FnOnce(&[u8]) -> usize,
    ) -> Result<Vec<u8>> {
        let path = self.directory.join(&at.segment);
        let mut bytes = Vec::new();
        let mut file = self.open(&path, at.offset)?.take((FRAME + at.length as usize) as u64);
        file.read_to_end(&mut bytes).map_err(|error| failed("reading", &path, error))?;
        match frame::read(&bytes) {
            Frame::Record(record) if record.len() == at.length as usize => {
                Ok(record.get(begin(record)..).unwrap_or_default().to_vec())
            }
            Frame::Broken(problem) => Err(damaged(&path, at.offset, problem)),
            _ => Err(damaged(&path, at.offset, "the record is not whole")),
        }
    }

    /// Reads all records of this generation in order; `last` is known to be there. Returns up to when records may have been cleaned.
    ///
    /// Segments that end before `needed_from` may be missing. What lies behind `last` at the end of the last segment may be
    /// anything: a run that was killed, or whose machine was, may not have written it to the end, and in whatever order a disk
    /// writes. Whether someone was told that it is there can not be told from this log alone.
    ///
    /// # Errors
    /// If a segment can not be read or was changed, is shorter than it was, or is missing; or as `each` does.
    pub(crate) fn read_all(
        &self,
        last: Option<&LogPosition>,
        needed_from: Time,
        mut each: impl FnMut(LogPosition, &[u8]) -> Result<()>,
    ) -> Result<Option<Time>> {
        let mut found: BTreeMap<SegmentName, Found> = BTreeMap::new();
        // As long as they are at least; what was written after one names it.
        let mut named: Vec<Ended> = last.and_then(Ended::with).into_iter().collect();
        for (name, file) in self.segments()? {
            let path = &file.path;
            let Some((mut bytes, mut rest)) = self.head(path)? else { continue };
            match read_head(&bytes) {
                Head::Of { generation, before } if generation == self.config.generation => {
                    named.extend(before)
                }
                Head::Of { .. } | Head::Torn => continue,
                Head::Broken => {
                    found.insert(
                        name,
                        Found { length: 0, problem: Some("the head of the segment has a wrong checksum") },
                    );
                    continue;
                }
            }
            rest.read_to_end(&mut bytes).map_err(|error| failed("reading", path, error))?;
            let mut offset = HEAD;
            let problem = loop {
                let rest = bytes.get(offset..).unwrap_or_default();
                match frame::read(rest) {
                    Frame::Record(record) => {
                        let length = record.len() as u32; // was read as four bytes
                        let segment = name.to_string();
                        each(LogPosition { segment, offset: offset as u64, length }, record)?;
                        offset += FRAME + record.len();
                    }
                    Frame::End => break None,
                    Frame::Torn => {
                        let lost = rest.len();
                        tracing::info!(
                            "{path}: the last {lost} bytes were not written to the end; passed over"
                        );
                        break None;
                    }
                    Frame::Broken(problem) => break Some(problem),
                }
            };
            found.insert(name, Found { length: offset as u64, problem });
        }
        let own = found.iter().rev().find(|(_, found)| found.length > 0);
        let end = own.map(|(name, found)| Ended { name: *name, length: found.length });
        self.check(&found, &named, needed_from, end)?;
        self.writing().goes_on_after(end);
        let cleaned = named.iter().filter(|ended| !found.contains_key(&ended.name));
        Ok(cleaned.map(|ended| ended.name.stop).max())
    }

    /// Makes sure that segments hold what those after them, or whoever relies on one, say that they do.
    fn check(
        &self,
        found: &BTreeMap<SegmentName, Found>,
        named: &[Ended],
        needed_from: Time,
        end: Option<Ended>,
    ) -> Result<()> {
        let damaged = |name: &SegmentName, offset, problem| {
            Err(damaged(&self.directory.join(&name.to_string()), offset, problem))
        };
        for Ended { name, length } in named {
            match found.get(name) {
                Some(found) if found.length < *length => {
                    let problem = found.problem.unwrap_or("the segment is shorter than it was");
                    return damaged(name, found.length, problem);
                }
                None if name.stop >= needed_from => return damaged(name, 0, "the segment is missing"),
                _ => {}
            }
        }
        for (name, found) in found {
            let Some(problem) = found.problem else { continue };
            let at = Ended { name: *name, length: found.length };
            if end == Some(at) {
                tracing::warn!(
                    "{}: {problem} (at byte {}); what lies behind it was not written to the end, and is passed over",
                    self.directory.join(&name.to_string()),
                    found.length
                );
            // Behind the end that the next segment names lies what an earlier run has passed over, or what could not be written, and
            // could not be cut off either. One whose head is broken and that none names is another generation's, or was passed over.
            } else if found.length > 0 && !named.contains(&at) {
                return damaged(name, found.length, problem);
            }
        }
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

    /// Reads the head of a segment; returns what follows it too. Nothing if the segment was cleaned since the directory was read.
    pub(super) fn head(&self, path: &FsPath) -> Result<Option<HeadAndRest>> {
        let mut file = match self.open(path, 0) {
            Err(error) if is_not_found(&error) => return Ok(None),
            opened => opened?,
        };
        let mut head = Vec::new();
        file.by_ref()
            .take(HEAD as u64)
            .read_to_end(&mut head)
            .map_err(|error| failed("reading", path, error))?;
        Ok(Some((head, file)))
    }

    /// Opens a segment as it is now.
    ///
    /// One that is written to may have changed between the look at it and the opening, which is refused then; a system notes that a
    /// file is being changed before it is longer.
    fn open(&self, path: &FsPath, offset: u64) -> millstream_core::Result<Box<dyn Read + Send>> {
        let mut status = self.system.status(path)?;
        loop {
            let error = match self.system.open(&status, offset) {
                Err(error) => error,
                opened => return opened,
            };
            let now = self.system.status(path)?;
            if now == status {
                return Err(error);
            }
            status = now;
        }
    }
}

fn damaged(path: &FsPath, offset: u64, problem: &str) -> Error {
    Error::Damaged {
        file: path.to_string(),
        problem: format!("{problem} (at byte {offset})"),
        remedy: "bring the file back from a copy, or start anew in another directory".into(),
    }
}
