//! The splitting of lines at blanks.

use std::iter::FusedIterator;

use super::inline::{INLINE, Text, WINDOW};

/// How many bytes are searched for blanks at once: as many as a word has bits.
const BLOCK: usize = u64::BITS as usize;

/// Splits a line at blanks into its words, without touching the allocator for words of up to 23 bytes.
///
/// Only the blank `' '` separates; tabs and other white space belong to the words. Blanks at the start, at the end
/// and next to each other make no words, so no word is empty, and an empty line has none.
///
/// # Examples
/// ```
/// use millstream_core::text::words;
///
/// let found: Vec<_> = words("  to be  or not ").collect();
/// assert_eq!(found, ["to", "be", "or", "not"]);
/// assert_eq!(words("").count(), 0);
/// ```
#[inline(always)]
pub fn words(line: &str) -> Words<'_> {
    Words(Cut::new(line))
}

/// Splits a line at blanks into its words, by the rule of [`words`], and lends them.
///
/// The way to `String` records, at less than half the cost of `str::split`.
///
/// # Examples
/// ```
/// use millstream_core::text::word_slices;
///
/// let found: Vec<String> = word_slices("to be  or not").map(String::from).collect();
/// assert_eq!(found, ["to", "be", "or", "not"]);
/// ```
#[inline(always)]
pub fn word_slices(line: &str) -> WordSlices<'_> {
    WordSlices(Cut::new(line))
}

/// Splits a line at blanks as Java's and Scala's `split(" ")` does.
///
/// A blank at the start and two blanks in a row make empty words; empty words at the end are left out, so that a line
/// of nothing but blanks has no words at all; an empty line, however, has one word, the empty one.
///
/// # Examples
/// ```
/// use millstream_core::text::java_split;
///
/// let found: Vec<_> = java_split(" to  be ").collect();
/// assert_eq!(found, ["", "to", "", "be"]);
/// assert_eq!(java_split("").collect::<Vec<_>>(), [""]);
/// assert_eq!(java_split("  ").count(), 0);
/// ```
#[inline]
pub fn java_split(line: &str) -> JavaSplit<'_> {
    let rest = line.trim_end_matches(' ');
    JavaSplit { parts: Cut::new(rest), only_blanks: rest.len() < line.len() && rest.is_empty() }
}

/// The words of a line: see [`words`].
#[derive(Debug, Clone)]
pub struct Words<'a>(Cut<'a>);

/// The words of a line, lent: see [`word_slices`].
#[derive(Debug, Clone)]
pub struct WordSlices<'a>(Cut<'a>);

/// The words of a line by Java's rule: see [`java_split`].
#[derive(Debug, Clone)]
pub struct JavaSplit<'a> {
    parts: Cut<'a>,
    only_blanks: bool,
}

impl Iterator for Words<'_> {
    type Item = Text;

    #[inline(always)]
    fn next(&mut self) -> Option<Text> {
        let (start, end) = self.0.next_word()?;
        Some(self.0.text(start, end))
    }
}

impl<'a> Iterator for WordSlices<'a> {
    type Item = &'a str;

    #[inline(always)]
    fn next(&mut self) -> Option<&'a str> {
        let (start, end) = self.0.next_word()?;
        Some(self.0.slice(start, end))
    }
}

impl Iterator for JavaSplit<'_> {
    type Item = Text;

    #[inline]
    fn next(&mut self) -> Option<Text> {
        if self.only_blanks {
            return None;
        }
        let (start, end) = self.parts.next_part()?;
        Some(self.parts.text(start, end))
    }
}

impl FusedIterator for Words<'_> {}
impl FusedIterator for WordSlices<'_> {}
impl FusedIterator for JavaSplit<'_> {}

/// What lies between the blanks of a line.
#[derive(Debug, Clone)]
struct Cut<'a> {
    line: &'a str,
    /// Where the next part begins.
    start: usize,
    /// Where the block begins that `ends` is about.
    block: usize,
    /// A bit for each blank of the block that is still to come, and one for the end of the line.
    ends: u64,
    /// The last bytes of the line with room behind them, for windows that would reach beyond the line.
    tail: [u8; 2 * WINDOW],
}

impl<'a> Cut<'a> {
    #[inline(always)]
    fn new(line: &'a str) -> Self {
        let bytes = line.as_bytes();
        let mut tail = [0; 2 * WINDOW];
        match bytes.last_chunk::<WINDOW>() {
            Some(last) => tail[..WINDOW].copy_from_slice(last),
            None => tail[WINDOW - bytes.len()..WINDOW].copy_from_slice(bytes),
        }
        Cut { line, start: 0, block: 0, ends: ends(bytes, 0).unwrap_or(0), tail }
    }

    /// Returns where the next part begins and ends, be it empty or not.
    #[inline(always)]
    fn next_part(&mut self) -> Option<(usize, usize)> {
        while self.ends == 0 {
            let next = self.block + BLOCK;
            self.ends = ends(self.line.as_bytes(), next)?;
            self.block = next;
        }
        let end = self.block + self.ends.trailing_zeros() as usize;
        self.ends &= self.ends - 1;
        let start = std::mem::replace(&mut self.start, end + 1);
        Some((start, end))
    }

    #[inline(always)]
    fn next_word(&mut self) -> Option<(usize, usize)> {
        loop {
            let (start, end) = self.next_part()?;
            if start < end {
                return Some((start, end));
            }
        }
    }

    #[inline(always)]
    fn slice(&self, start: usize, end: usize) -> &'a str {
        &self.line[start..end]
    }

    #[inline(always)]
    fn text(&self, start: usize, end: usize) -> Text {
        let bytes = self.line.as_bytes();
        let from_start = &bytes[start..];
        let from_start = match from_start.first_chunk::<WINDOW>() {
            Some(window) => window.as_slice(),
            None => &self.tail[WINDOW - from_start.len()..],
        };
        match from_start.first_chunk::<WINDOW>() {
            Some(window) if end - start <= INLINE => Text::from_window(window, end - start),
            _ => self.slice(start, end).into(),
        }
    }
}

/// Finds the blanks of the block at `at`, and the end of the line, if it is there, as one more of them.
///
/// Returns nothing if the line has ended before.
#[inline(always)]
fn ends(line: &[u8], at: usize) -> Option<u64> {
    let rest = line.get(at..)?;
    if let Some(block) = rest.first_chunk::<BLOCK>() {
        return Some(blanks(block));
    }
    let len = rest.len();
    // Few and foreseeable branches: what follows a line's length costs a wrong guess per line.
    let found = if let Some(last) = line.last_chunk::<BLOCK>() {
        blanks(last).unbounded_shr((BLOCK - len) as u32)
    } else {
        let mut block = [0; BLOCK];
        if let (Some(first), Some(last)) = (rest.first_chunk::<32>(), rest.last_chunk::<32>()) {
            block[..32].copy_from_slice(first);
            block[len - 32..len].copy_from_slice(last);
        } else if let (Some(first), Some(last)) = (rest.first_chunk::<16>(), rest.last_chunk::<16>()) {
            block[..16].copy_from_slice(first);
            block[len - 16..len].copy_from_slice(last);
        } else {
            block[..len].copy_from_slice(rest);
        }
        blanks(&block)
    };
    Some(found | 1 << len)
}

/// Returns a bit for each byte of the block that is a blank, the lowest for the first.
#[cfg(target_feature = "sse2")]
#[inline(always)]
fn blanks(block: &[u8; BLOCK]) -> u64 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8};
    let (parts, _) = block.as_chunks::<16>();
    parts.iter().rev().fold(0, |found, part| {
        // SAFETY: the instructions exist (the function is compiled only for targets that have them), the load takes any
        // address, and 16 bytes are there.
        let bits = unsafe {
            let part = _mm_loadu_si128(part.as_ptr().cast());
            _mm_movemask_epi8(_mm_cmpeq_epi8(part, _mm_set1_epi8(b' ' as i8)))
        };
        found << 16 | u64::from(bits as u16)
    })
}

/// Returns a bit for each byte of the block that is a blank, the lowest for the first.
#[cfg(any(test, not(target_feature = "sse2")))]
#[inline(always)]
fn blanks_by_words(block: &[u8; BLOCK]) -> u64 {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    let (parts, _) = block.as_chunks::<8>();
    parts.iter().rev().fold(0, |found, part| {
        let other = u64::from_le_bytes(*part) ^ 0x2020_2020_2020_2020;
        // The high bit of each byte that is zero; no carry leaves its byte.
        let zero = !(((other & LOW) + LOW) | other | LOW);
        // The multiplication gathers the eight high bits in the highest byte.
        found << 8 | (zero >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    })
}

#[cfg(not(target_feature = "sse2"))]
use blanks_by_words as blanks;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The rule of Java's `String.split(" ")`, word for word: cut everywhere, drop empty ones at the end, and give the line
    /// itself back if nothing was cut.
    fn by_java(line: &str) -> Vec<&str> {
        let mut parts: Vec<_> = line.split(' ').collect();
        if parts.len() > 1 {
            while parts.last().is_some_and(|part| part.is_empty()) {
                parts.pop();
            }
        }
        parts
    }

    fn check(line: &str) {
        let expected: Vec<_> = line.split(' ').filter(|word| !word.is_empty()).collect();
        assert_eq!(words(line).collect::<Vec<_>>(), expected, "{line:?}");
        assert_eq!(word_slices(line).collect::<Vec<_>>(), expected, "{line:?}");
        assert_eq!(java_split(line).collect::<Vec<_>>(), by_java(line), "{line:?}");
    }

    #[test]
    fn lines_of_every_length_are_split_anywhere() {
        for len in 0..200 {
            check(&"x".repeat(len));
            check(&" ".repeat(len));
            for at in 0..len {
                let mut line = "abcdefghijklmnopqrstuvwxyz".repeat(8)[..len].to_owned();
                line.replace_range(at..=at, " ");
                check(&line);
            }
        }
    }

    #[test]
    fn only_the_blank_separates() {
        for line in ["a\tb\u{a0}c d\n", "Grüße aus Köln", "\0 \0\0", "\u{2003} \u{1F980} x"] {
            check(line);
        }
    }

    #[test]
    fn javas_rule() {
        for (line, expected) in [
            ("", &[""] as &[&str]),
            (" ", &[]),
            ("   ", &[]),
            ("a", &["a"]),
            (" a", &["", "a"]),
            ("a ", &["a"]),
            ("  a  b  ", &["", "", "a", "", "b"]),
        ] {
            assert_eq!(java_split(line).collect::<Vec<_>>(), expected, "{line:?}");
        }
    }

    #[test]
    fn an_iterator_that_has_ended_stays_so() {
        let (mut all, mut java) = (words("a b"), java_split("a b"));
        assert_eq!((all.by_ref().count(), java.by_ref().count()), (2, 2));
        assert_eq!((all.next(), all.next(), java.next(), java.next()), (None, None, None, None));
    }

    proptest! {
        #[test]
        fn words_are_what_is_between_blanks(line in "[ ab\u{e4}\u{1F980}]{0,150}") {
            check(&line);
        }

        #[test]
        fn blocks_are_searched_byte_by_byte(bytes in prop::collection::vec(
            prop_oneof![Just(b' '), any::<u8>(), Just(b' ' | 0x80), Just(b' ' ^ 1), Just(0)],
            BLOCK
        )) {
            let block = bytes.first_chunk().unwrap();
            let expected = (0..BLOCK).filter(|at| block[*at] == b' ').fold(0, |found, at| found | 1 << at);
            prop_assert_eq!(blanks(block), expected);
            prop_assert_eq!(blanks_by_words(block), expected);
        }
    }
}
