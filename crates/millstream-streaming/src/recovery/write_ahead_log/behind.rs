//! `read_behind`: the records that a log has behind the last one that is known.

use std::io::Read;

use millstream_core::fs::{FileStatus, FsPath, failed};

use super::frame::{self, FRAME, Frame};
use super::segment::{Ended, HEAD, Head, SegmentName, read_head};
use super::{LogPosition, WriteAheadLog};
use crate::error::Result;
use crate::time::Time;

impl WriteAheadLog {
    /// Reads the records of this generation that lie behind one, or all if there is none, in order; what is not whole is passed over.
    /// Segments that end up to `after` are not looked at. What is written next lies behind all of them.
    ///
    /// # Errors
    /// If a segment can not be read; or as `each` does.
    pub(crate) fn read_behind(
        &self,
        last: Option<&LogPosition>,
        after: Option<Time>,
        mut each: impl FnMut(LogPosition, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let last = last.and_then(Ended::with);
        let segments = self.segments()?;
        for (name, file) in segments.iter().rev() {
            if self.own_head(&file.path)?.is_some() {
                self.writing().begins_behind(*name);
                break;
            }
        }
        let mut rest = &segments[..];
        while let Some(((name, file), later)) = rest.split_first() {
            rest = later;
            let begin = match last {
                Some(last) if *name < last.name => continue,
                Some(last) if *name == last.name => last.length,
                _ => HEAD as u64,
            };
            let is_over = begin >= file.len || after.is_some_and(|after| name.stop <= after);
            if is_over || self.own_head(&file.path)?.is_none() {
                continue;
            }
            // Behind it lies what could not be written, and could not be cut off either: it was written again.
            let end = self.end_of(*name, later)?.unwrap_or(u64::MAX);
            self.read_from(file, begin, |offset, record| {
                let length = record.len() as u32; // was read as four bytes
                let at = LogPosition { segment: name.to_string(), offset, length };
                if offset < end { each(at, record) } else { Ok(()) }
            })?;
        }
        Ok(())
    }

    /// Reads the records of a segment from a place on, up to the first that is not whole.
    fn read_from(
        &self,
        file: &FileStatus,
        mut offset: u64,
        mut each: impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut opened = self.system.open(file, offset)?;
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let mut more = |bytes: &mut Vec<u8>, length: u64| {
                let read = opened.by_ref().take(length).read_to_end(bytes);
                read.map_err(|error| failed("reading", &file.path, error))
            };
            more(&mut bytes, FRAME as u64)?;
            if let Some(length) = frame::length(&bytes) {
                more(&mut bytes, u64::from(length))?;
            }
            let Frame::Record(record) = frame::read(&bytes) else { return Ok(()) };
            each(offset, record)?;
            offset += bytes.len() as u64;
        }
    }

    /// Returns where a segment has ended, as the one after it says.
    fn end_of(&self, name: SegmentName, later: &[(SegmentName, FileStatus)]) -> Result<Option<u64>> {
        for (_, file) in later {
            if let Some(before) = self.own_head(&file.path)? {
                return Ok(before.filter(|before| before.name == name).map(|before| before.length));
            }
        }
        Ok(None)
    }

    /// Returns what a segment of this generation says of the one before it.
    fn own_head(&self, path: &FsPath) -> Result<Option<Option<Ended>>> {
        let Some((head, _)) = self.head(path)? else { return Ok(None) };
        Ok(match read_head(&head) {
            Head::Of { generation, before } if generation == self.config.generation => Some(before),
            _ => None,
        })
    }
}
