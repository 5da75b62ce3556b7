//! Stdin in pieces that end where a line does.

use std::io::{self, ErrorKind, Read};

/// How many bytes are read at once.
const PIECE: usize = 64 * 1024;

/// A line that is longer than this is handed out in parts.
const MOST: usize = 1024 * 1024;

/// Reads whatever is there, up to the last end of a line in it.
#[derive(Debug)]
pub(super) struct LineChunks<R> {
    input: R,
    /// Up to `handed_out` the chunk of the last call; behind it the beginning of a line whose end has not come.
    buffer: Vec<u8>,
    handed_out: usize,
}

impl<R: Read> LineChunks<R> {
    pub(super) fn new(input: R) -> Self {
        LineChunks { input, buffer: Vec::new(), handed_out: 0 }
    }

    /// Waits for the next lines; what follows the last end of a line comes when the input has ended. `None` at the end.
    pub(super) fn next_chunk(&mut self) -> io::Result<Option<&[u8]>> {
        self.buffer.drain(..self.handed_out);
        self.handed_out = 0;
        loop {
            let old = self.buffer.len();
            self.buffer.resize(old + PIECE, 0);
            let read = self.input.read(self.buffer.get_mut(old..).unwrap_or_default());
            self.buffer.truncate(old + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => self.handed_out = self.buffer.len(),
                Ok(_) => {
                    let new = self.buffer.get(old..).unwrap_or_default();
                    self.handed_out = match memchr::memrchr(b'\n', new) {
                        Some(at) => old + at + 1,
                        None if self.buffer.len() >= MOST => self.buffer.len(),
                        None => continue,
                    };
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(self.buffer.get(..self.handed_out).filter(|chunk| !chunk.is_empty()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Input that comes in the given pieces.
    struct Pieces<'a>(std::slice::Iter<'a, &'a str>);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(piece) = self.0.next() else { return Ok(0) };
            buffer[..piece.len()].copy_from_slice(piece.as_bytes());
            Ok(piece.len())
        }
    }

    fn chunks(pieces: &[&str]) -> Vec<String> {
        let mut input = LineChunks::new(Pieces(pieces.iter()));
        let mut found = Vec::new();
        while let Some(chunk) = input.next_chunk().unwrap() {
            found.push(String::from_utf8(chunk.to_vec()).unwrap());
        }
        found
    }

    #[test]
    fn chunks_end_where_lines_end() {
        assert_eq!(chunks(&["a\n", "b\nc\nd", "e", "f\n\n", "g"]), ["a\n", "b\nc\n", "def\n\n", "g"]);
        assert_eq!(chunks(&["a\n"]), ["a\n"]);
        assert_eq!(chunks(&[]), [""; 0]);
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let mut input = LineChunks::new(io::repeat(b'x'));
        for _ in 0..3 {
            assert_eq!(input.next_chunk().unwrap().unwrap().len(), MOST);
            assert!(input.buffer.len() <= MOST + PIECE);
        }
    }
}
