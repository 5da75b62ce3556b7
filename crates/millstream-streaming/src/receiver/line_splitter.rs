//! Cuts bytes into lines.

use std::mem;

/// Cuts a stream of bytes into lines that end with `\n` or `\r\n`.
///
/// Bytes that are not UTF-8 become U+FFFD. A line longer than the limit is skipped to its end, in bounded memory.
#[derive(Debug)]
pub(super) struct LineSplitter {
    max_line_bytes: usize,
    /// The beginning of a line whose end has not come; never longer than the limit and a `\r`.
    rest: Vec<u8>,
    /// Whether the line whose end has not come is too long.
    skipping: bool,
}

/// Lines, and what was wrong with some of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    /// The lines in order, without their ends.
    pub(super) lines: Vec<String>,
    /// The bytes of the lines.
    pub(super) bytes: usize,
    /// How many of the lines were not UTF-8.
    pub(super) repaired: u64,
    /// How many lines were too long and are missing.
    pub(super) skipped: u64,
}

impl Lines {
    fn push(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push(line);
    }

    /// Adds a line that may be too long or broken.
    fn push_bytes(&mut self, line: &[u8], max_line_bytes: usize) {
        let line = without_return(line);
        if line.len() > max_line_bytes {
            self.skipped += 1;
            return;
        }
        match str::from_utf8(line) {
            Ok(line) => self.push(line.to_owned()),
            Err(_) => {
                self.repaired += 1;
                self.push(String::from_utf8_lossy(line).into_owned());
            }
        }
    }

    /// Adds the lines of `text`, which ends with a line's end.
    fn push_text(&mut self, text: &str, max_line_bytes: usize) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', text.as_bytes()) {
            // An end of line is one byte and never part of a character, so the cuts lie between characters.
            let line = text.get(start..end).unwrap_or_default();
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.len() > max_line_bytes {
                self.skipped += 1;
            } else {
                self.push(line.to_owned());
            }
            start = end + 1;
        }
    }
}

/// What a line that was waited for may keep of its memory.
const KEEP: usize = 1 << 16;

impl LineSplitter {
    /// Makes a splitter for lines of at most `max_line_bytes`, without their ends.
    pub(super) fn new(max_line_bytes: usize) -> Self {
        LineSplitter { max_line_bytes, rest: Vec::new(), skipping: false }
    }

    /// Takes the next bytes and returns the lines that they end.
    pub(super) fn split(&mut self, bytes: &[u8]) -> Lines {
        let mut lines = Lines::default();
        let Some(last) = memchr::memrchr(b'\n', bytes) else {
            self.wait_for_more(bytes, &mut lines);
            return lines;
        };
        let (mut whole, rest) = bytes.split_at(last + 1);
        if (self.skipping || !self.rest.is_empty())
            && let Some(end) = memchr::memchr(b'\n', whole)
        {
            let (first, others) = whole.split_at(end + 1);
            self.end_line(first.strip_suffix(b"\n").unwrap_or(first), &mut lines);
            whole = others;
        }
        // Looking at all bytes at once is much faster than line by line, and broken lines are rare.
        match str::from_utf8(whole) {
            Ok(text) => lines.push_text(text, self.max_line_bytes),
            Err(_) => {
                let mut start = 0;
                for end in memchr::memchr_iter(b'\n', whole) {
                    lines.push_bytes(whole.get(start..end).unwrap_or_default(), self.max_line_bytes);
                    start = end + 1;
                }
            }
        }
        self.wait_for_more(rest, &mut lines);
        lines
    }

    /// Returns the last line if the bytes ended without a line's end.
    pub(super) fn finish(&mut self) -> Lines {
        let mut lines = Lines::default();
        if !self.rest.is_empty() {
            self.end_line(b"", &mut lines);
        }
        self.skipping = false;
        lines
    }

    /// Ends the line that was waited for.
    fn end_line(&mut self, bytes: &[u8], lines: &mut Lines) {
        if mem::take(&mut self.skipping) {
            return;
        }
        let mut line = mem::take(&mut self.rest);
        // A line that is too long need not be put together to be known as such.
        if line.len() + bytes.len() <= self.max_line_bytes.saturating_add(1) {
            line.extend_from_slice(bytes);
            lines.push_bytes(&line, self.max_line_bytes);
        } else {
            lines.skipped += 1;
        }
        if line.capacity() <= KEEP {
            line.clear();
            self.rest = line;
        }
    }

    /// Keeps the beginning of a line, unless it is too long already.
    fn wait_for_more(&mut self, bytes: &[u8], lines: &mut Lines) {
        if self.skipping || bytes.is_empty() {
            return;
        }
        // One more than the limit may be a `\r` that does not count.
        if self.rest.len() + bytes.len() > self.max_line_bytes.saturating_add(1) {
            lines.skipped += 1;
            self.skipping = true;
            self.rest = Vec::new();
        } else {
            self.rest.extend_from_slice(bytes);
        }
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits bytes that come in pieces.
    fn split<'a>(max: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> Lines {
        let mut splitter = LineSplitter::new(max);
        let mut all = Lines::default();
        let mut add = |lines: Lines| {
            all.bytes += lines.bytes;
            all.repaired += lines.repaired;
            all.skipped += lines.skipped;
            all.lines.extend(lines.lines);
        };
        for piece in pieces {
            add(splitter.split(piece));
            assert!(splitter.rest.len() <= max + 1);
        }
        add(splitter.finish());
        all
    }

    fn lines_of(pieces: &[&str]) -> Vec<String> {
        split(1000, pieces.iter().map(|piece| piece.as_bytes())).lines
    }

    #[test]
    fn ends_of_lines() {
        assert_eq!(lines_of(&["a\nb\r\n\nc d\n"]), ["a", "b", "", "c d"]);
        assert_eq!(lines_of(&["a\n", "b", "c\r", "\n", "d"]), ["a", "bc", "d"]);
        assert_eq!(lines_of(&["a\r\r\nb\rc\n", "d\r"]), ["a\r", "b\rc", "d"]);
        assert_eq!(lines_of(&["", "\n", "\r\n"]), ["", ""]);
        assert_eq!(lines_of(&[]), [""; 0]);
        assert_eq!(split(9, [&b"abc\nde"[..]]).bytes, 5);
    }

    #[test]
    fn broken_characters_are_replaced_and_counted() {
        let lines =
            split(100, [&b"gr\xc3\xbc\xc3\x9fe\nab\xffcd\n\xe2\x82\n\xe2\x82"[..], b"\xac\n", b"ok\n\xc3"]);
        assert_eq!(lines.lines, ["grüße", "ab\u{fffd}cd", "\u{fffd}", "€", "ok", "\u{fffd}"]);
        assert_eq!((lines.repaired, lines.skipped), (3, 0));
    }

    #[test]
    fn lines_above_the_limit_are_skipped_and_counted() {
        let lines =
            split(3, [&b"abc\nabcd\nabc\r\nabcd\r\nab"[..], b"c\r\nab", b"cdefg", b"hi\nx\nabcdefg", b"h"]);
        assert_eq!(lines.lines, ["abc", "abc", "abc", "x"]);
        assert_eq!((lines.repaired, lines.skipped), (0, 4));
        assert_eq!(split(3, [&b"abc"[..], b"\r"]).lines, ["abc"]);
        assert_eq!(split(3, [&b"abc"[..], b"d"]).skipped, 1);
        assert_eq!(split(3, [&b"a"[..], b"bcd\n"]).skipped, 1);
    }

    /// Splits as plainly as it can be done.
    fn model(bytes: &[u8], max: usize) -> Lines {
        let mut expected = Lines::default();
        let mut all: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        all.pop_if(|last| last.is_empty());
        for line in all {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.len() > max {
                expected.skipped += 1;
                continue;
            }
            expected.repaired += u64::from(str::from_utf8(line).is_err());
            let line = String::from_utf8_lossy(line).into_owned();
            expected.bytes += line.len();
            expected.lines.push(line);
        }
        expected
    }

    #[test]
    fn it_does_not_matter_how_the_bytes_come_in_pieces() {
        let mut state = 1_u64;
        let mut below = |limit: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % limit
        };
        const BYTES: &[u8] = b"\n\n\r a\xc3\xbc\xffz";
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..below(100)).map(|_| BYTES[below(BYTES.len())]).collect();
            let mut cuts: Vec<usize> = (0..below(8)).map(|_| below(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let max = 1 + below(12);
            let pieces = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
            assert_eq!(split(max, pieces), model(&bytes, max), "{cuts:?} of {}", bytes.escape_ascii());
        }
    }
}
