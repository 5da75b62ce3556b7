//! Writes the records of a partition into a file.

use std::cell::Cell;
use std::io::{self, BufWriter, Write};

use super::{FileWriter, FsPath, OutputFormat, failed};
use crate::data::Data;
use crate::error::Result;
use crate::stream::ChunkStream;

/// Writes records by a format into a file that was begun, and counts its bytes as they come; it is whole then, and not yet published.
pub(crate) fn write_file<T: Data>(
    mut file: Box<dyn FileWriter>,
    path: &FsPath,
    format: &impl OutputFormat<T>,
    records: ChunkStream<T>,
    bytes: &Cell<u64>,
) -> Result<Box<dyn FileWriter>> {
    let mut noting = Noting { to: &mut *file, failure: None };
    let mut buffer = BufWriter::with_capacity(256 * 1024, &mut noting);
    let written = format
        .write(records, &mut Counting { to: &mut buffer, bytes })
        .and_then(|()| buffer.flush().map_err(|error| failed("writing", path, error)));
    drop(buffer.into_parts());
    match (written, noting.failure) {
        (Ok(()), None) => Ok(file),
        (_, Some(error)) => Err(failed("writing", path, error)),
        (Err(error), None) => Err(error),
    }
}

/// Counts what a format writes.
struct Counting<'a, W> {
    to: &'a mut W,
    bytes: &'a Cell<u64>,
}

impl<W: Write> Write for Counting<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.bytes.set(self.bytes.get() + written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Keeps the failure of a file, which formats and codecs pass on in words of their own.
struct Noting<'a> {
    to: &'a mut dyn Write,
    failure: Option<io::Error>,
}

impl Noting<'_> {
    fn noted<R>(&mut self, result: io::Result<R>) -> io::Result<R> {
        result.inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                let copy = error.raw_os_error().map(io::Error::from_raw_os_error);
                self.failure.get_or_insert_with(|| {
                    copy.unwrap_or_else(|| io::Error::new(error.kind(), error.to_string()))
                });
            }
        })
    }
}

impl Write for Noting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.to.write(bytes);
        self.noted(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.to.flush();
        self.noted(result)
    }
}
