//! Finds the lines in bytes.

use std::borrow::Cow;
use std::mem;

/// Makes text of a stream of bytes: whole lines, which ended with `\n` or `\r\n` and end with `\n`.
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

/// How many lines were found, and what was wrong with some of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) lines: u64,
    /// How many of the lines were not UTF-8.
    pub(super) repaired: u64,
    /// How many lines were too long and are missing.
    pub(super) skipped: u64,
}

impl Found {
    /// Adds a line that may be too long or broken to a text.
    fn push(&mut self, line: &[u8], max_line_bytes: usize, to: &mut String) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > max_line_bytes {
            self.skipped += 1;
            return;
        }
        let text = String::from_utf8_lossy(line);
        self.repaired += u64::from(matches!(text, Cow::Owned(_)));
        self.lines += 1;
        to.push_str(&text);
        to.push('\n');
    }

    /// Adds whole lines to a text.
    fn push_all(&mut self, lines: &[u8], max_line_bytes: usize, to: &mut String) {
        // Looking at all bytes at once is much faster than line by line, and what needs more is rare.
        if lines.len() <= max_line_bytes
            && memchr::memchr(b'\r', lines).is_none()
            && let Ok(text) = str::from_utf8(lines)
        {
            self.lines += memchr::memchr_iter(b'\n', lines).count() as u64;
            to.push_str(text);
            return;
        }
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', lines) {
            self.push(lines.get(start..end).unwrap_or_default(), max_line_bytes, to);
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

    /// Returns how many bytes wait for the end of their line.
    pub(super) fn waiting(&self) -> usize {
        self.rest.len()
    }

    /// Takes the next bytes and adds the lines that they end to a text, each with a `\n`.
    pub(super) fn split(&mut self, bytes: &[u8], to: &mut String) -> Found {
        let mut found = Found::default();
        let Some(last) = memchr::memrchr(b'\n', bytes) else {
            self.wait_for_more(bytes, &mut found);
            return found;
        };
        let (mut whole, rest) = bytes.split_at(last + 1);
        if (self.skipping || !self.rest.is_empty())
            && let Some(end) = memchr::memchr(b'\n', whole)
        {
            let (first, others) = whole.split_at(end + 1);
            self.end_line(first.strip_suffix(b"\n").unwrap_or(first), &mut found, to);
            whole = others;
        }
        found.push_all(whole, self.max_line_bytes, to);
        self.wait_for_more(rest, &mut found);
        found
    }

    /// Adds the last line to a text if the bytes ended without a line's end.
    pub(super) fn finish(&mut self, to: &mut String) -> Found {
        let mut found = Found::default();
        if !self.rest.is_empty() {
            self.end_line(b"", &mut found, to);
        }
        self.skipping = false;
        found
    }

    /// Ends the line that was waited for.
    fn end_line(&mut self, bytes: &[u8], found: &mut Found, to: &mut String) {
        if mem::take(&mut self.skipping) {
            return;
        }
        let mut line = mem::take(&mut self.rest);
        // A line that is too long need not be put together to be known as such.
        if line.len() + bytes.len() <= self.max_line_bytes.saturating_add(1) {
            line.extend_from_slice(bytes);
            found.push(&line, self.max_line_bytes, to);
        } else {
            found.skipped += 1;
        }
        if line.capacity() <= KEEP {
            line.clear();
            self.rest = line;
        }
    }

    /// Keeps the beginning of a line, unless it is too long already.
    fn wait_for_more(&mut self, bytes: &[u8], found: &mut Found) {
        if self.skipping || bytes.is_empty() {
            return;
        }
        // One more than the limit may be a `\r` that does not count.
        if self.rest.len() + bytes.len() > self.max_line_bytes.saturating_add(1) {
            found.skipped += 1;
            self.skipping = true;
            self.rest = Vec::new();
        } else {
            self.rest.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits bytes that come in pieces.
    fn split<'a>(max: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, Found) {
        let mut splitter = LineSplitter::new(max);
        let mut text = String::new();
        let mut all = Found::default();
        let mut add = |found: Found| {
            all.lines += found.lines;
            all.repaired += found.repaired;
            all.skipped += found.skipped;
        };
        for piece in pieces {
            add(splitter.split(piece, &mut text));
            assert!(splitter.waiting() <= max + 1);
            assert!(text.is_empty() || text.ends_with('\n'));
        }
        add(splitter.finish(&mut text));
        let lines: Vec<String> = text.split_terminator('\n').map(str::to_owned).collect();
        assert_eq!(lines.len() as u64, all.lines);
        (lines, all)
    }

    fn lines_of(pieces: &[&str]) -> Vec<String> {
        split(1000, pieces.iter().map(|piece| piece.as_bytes())).0
    }

    #[test]
    fn ends_of_lines() {
        assert_eq!(lines_of(&["a\nb\r\n\nc d\n"]), ["a", "b", "", "c d"]);
        assert_eq!(lines_of(&["a\n", "b", "c\r", "\n", "d"]), ["a", "bc", "d"]);
        assert_eq!(lines_of(&["a\r\r\nb\rc\n", "d\r"]), ["a\r", "b\rc", "d"]);
        assert_eq!(lines_of(&["", "\n", "\r\n"]), ["", ""]);
        assert_eq!(lines_of(&[]), [""; 0]);
    }

    #[test]
    fn broken_characters_are_replaced_and_counted() {
        let (lines, found) =
            split(100, [&b"gr\xc3\xbc\xc3\x9fe\nab\xffcd\n\xe2\x82\n\xe2\x82"[..], b"\xac\n", b"ok\n\xc3"]);
        assert_eq!(lines, ["grüße", "ab\u{fffd}cd", "\u{fffd}", "€", "ok", "\u{fffd}"]);
        assert_eq!((found.repaired, found.skipped), (3, 0));
    }

    #[test]
    fn lines_above_the_limit_are_skipped_and_counted() {
        let (lines, found) =
            split(3, [&b"abc\nabcd\nabc\r\nabcd\r\nab"[..], b"c\r\nab", b"cdefg", b"hi\nx\nabcdefg", b"h"]);
        assert_eq!(lines, ["abc", "abc", "abc", "x"]);
        assert_eq!((found.repaired, found.skipped), (0, 4));
        assert_eq!(split(3, [&b"abc"[..], b"\r"]).0, ["abc"]);
        assert_eq!(split(3, [&b"abc"[..], b"d"]).1.skipped, 1);
        assert_eq!(split(3, [&b"a"[..], b"bcd\n"]).1.skipped, 1);
    }

    /// Splits as plainly as it can be done.
    fn model(bytes: &[u8], max: usize) -> (Vec<String>, Found) {
        let (mut lines, mut found) = (Vec::new(), Found::default());
        let mut all: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        all.pop_if(|last| last.is_empty());
        for line in all {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.len() > max {
                found.skipped += 1;
                continue;
            }
            found.lines += 1;
            found.repaired += u64::from(str::from_utf8(line).is_err());
            lines.push(String::from_utf8_lossy(line).into_owned());
        }
        (lines, found)
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
