//! Cuts what a reader gives into lines.

use std::io::{self, ErrorKind, Read};

use memchr::memchr2;

/// What is read at a time.
const BUFFER: usize = 256 * 1024;

/// The lines of a reader, which end with `\n`, `\r\n` or `\r`, or with the reader.
pub(crate) struct Lines {
    from: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// What was read and not given out lies between these.
    start: usize,
    end: usize,
    ended: bool,
}

impl Lines {
    pub(crate) fn new(from: Box<dyn Read + Send>) -> Self {
        Lines { from, buffer: vec![0; BUFFER], start: 0, end: 0, ended: false }
    }

    /// Passes over the mark by which some programs begin UTF-8 files; returns its length.
    pub(crate) fn skip_byte_order_mark(&mut self) -> io::Result<u64> {
        while self.end - self.start < 3 && !self.ended {
            self.fill()?;
        }
        let there = self.buffer[self.start..self.end].starts_with(b"\xef\xbb\xbf");
        if there {
            self.start += 3;
        }
        Ok(if there { 3 } else { 0 })
    }

    /// Gives the next line, without its end, to `take`; returns what `take` made of it, and how many bytes the line
    /// and its end have.
    pub(crate) fn next<R>(&mut self, take: impl FnOnce(&[u8]) -> R) -> io::Result<Option<(R, u64)>> {
        let mut searched = 0;
        loop {
            let unread = &self.buffer[self.start..self.end];
            let end = memchr2(b'\n', b'\r', &unread[searched..]).map(|at| searched + at);
            let (line, length) = match end {
                Some(at) if unread[at] == b'\n' => (at, at + 1),
                Some(at) if at + 1 < unread.len() => (at, at + 1 + usize::from(unread[at + 1] == b'\n')),
                Some(at) if self.ended => (at, at + 1),
                // Whether an `\n` follows is not known yet.
                Some(at) => {
                    searched = at;
                    self.fill()?;
                    continue;
                }
                None if !self.ended => {
                    searched = unread.len();
                    self.fill()?;
                    continue;
                }
                None if unread.is_empty() => return Ok(None),
                None => (unread.len(), unread.len()),
            };
            let taken = take(&unread[..line]);
            self.start += length;
            return Ok(Some((taken, length as u64)));
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(2 * self.end, 0);
        }
        loop {
            match self.from.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }
}
