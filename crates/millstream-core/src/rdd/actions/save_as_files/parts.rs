//! Writes a partition to one file, or to several of a certain length.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::chunk::Chunk;
use crate::data::Data;
use crate::error::Result;
use crate::failpoint;
use crate::fs::{FileSystem, FsPath, OutputFormat, write_file};
use crate::stream::{self, ChunkStream};

/// A file that an attempt has written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Written {
    pub(super) path: FsPath,
    pub(super) records: u64,
}

/// A partition that is being written.
struct Source<T> {
    records: ChunkStream<T>,
    /// A chunk that was read to see whether there is one.
    next: Option<Chunk<T>>,
    /// How many records the file at hand has, and how many bytes.
    count: u64,
    bytes: Rc<Cell<u64>>,
}

impl<T: Data> Source<T> {
    fn next(&mut self) -> Result<Option<Chunk<T>>> {
        let next = match self.next.take() {
            Some(chunk) => Some(chunk),
            None => self.records.next_chunk()?,
        };
        self.count += next.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Ok(next)
    }

    /// Returns whether there are more records; notes the first of them for the next file.
    fn has_more(&mut self) -> Result<bool> {
        while self.next.is_none() {
            match self.records.next_chunk()? {
                Some(chunk) if !chunk.is_empty() => self.next = Some(chunk),
                Some(_) => {}
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// Writes the records of a partition; `path` names its files by their number.
pub(super) fn write<T: Data>(
    system: &dyn FileSystem,
    path: impl Fn(usize) -> FsPath,
    format: &impl OutputFormat<T>,
    records: ChunkStream<T>,
    max_bytes: Option<u64>,
) -> Result<Vec<Written>> {
    let bytes = Rc::new(Cell::new(0));
    let source = Source { records, next: None, count: 0, bytes: Rc::clone(&bytes) };
    let source = Rc::new(RefCell::new(source));
    let mut written = Vec::new();
    loop {
        bytes.set(0);
        source.borrow_mut().count = 0;
        let of_file = Rc::clone(&source);
        let records = stream::from_fn(move || {
            let mut source = of_file.borrow_mut();
            // What a format writes before the first record fills no file: there would be files without records, and no end.
            let is_full = max_bytes.is_some_and(|max| source.count > 0 && source.bytes.get() >= max);
            if is_full { Ok(None) } else { source.next() }
        });
        let path = path(written.len());
        failpoint::reach("part-before-write");
        write_file(system.create(&path)?, &path, format, records, &bytes)?.publish()?;
        failpoint::reach("part-after-write");
        written.push(Written { path, records: source.borrow().count });
        if max_bytes.is_none() || !source.borrow_mut().has_more()? {
            return Ok(written);
        }
    }
}
