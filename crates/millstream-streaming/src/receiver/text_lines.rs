//! Lines of text as they came: no record is made of a line before a task reads it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use millstream_core::chunk::CHUNK;
use millstream_core::stream::{self, ChunkStream};
use millstream_core::{Data, Error as CoreError, Result};
use serde::de::IntoDeserializer;
use serde::de::value::{Error as NoLine, StrDeserializer};

/// How many bytes a buffer has that goes round.
pub(super) const BUFFER: usize = 256 * 1024;

/// How many buffers may wait to be used again whatever happens, since memory that is new costs as much as writing to it
/// does. As many as are in use may wait besides: what a batch gives back is what the next one takes.
const MOST_FREE: usize = 256;

/// Texts of fewer bytes are put together, so that the lines of a block do not lie in crumbs.
const SMALL: usize = 16 * 1024;

/// How many bytes are put together at most.
const TOGETHER: usize = 64 * 1024;

/// Buffers that go from a receiver to its blocks and, when these are no longer needed, back to it.
#[derive(Debug, Default)]
pub(super) struct TextBuffers(Mutex<Buffers>);

#[derive(Debug, Default)]
struct Buffers {
    in_use: usize,
    free: Vec<String>,
}

impl TextBuffers {
    /// Makes an empty text that will have about so many bytes.
    pub(super) fn text(self: &Arc<Self>, bytes: usize) -> Text {
        // One that stays half empty would take more memory than it saves work.
        if bytes < BUFFER / 2 {
            return Text { text: String::with_capacity(bytes), home: Weak::new() };
        }
        let mut buffers = self.buffers();
        buffers.in_use += 1;
        let mut text = buffers.free.pop().unwrap_or_default();
        drop(buffers);
        text.reserve(BUFFER.max(bytes));
        Text { text, home: Arc::downgrade(self) }
    }

    fn give_back(&self, mut text: String) {
        text.clear();
        let mut buffers = self.buffers();
        buffers.in_use -= 1;
        if text.capacity() <= 2 * BUFFER {
            buffers.free.push(text);
        }
        let most = MOST_FREE.max(buffers.in_use);
        let least = buffers.free.len().min(most);
        let given_up = buffers.free.split_off(least);
        drop(buffers);
        drop(given_up);
    }

    fn buffers(&self) -> MutexGuard<'_, Buffers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole lines, each with its `\n`, in a buffer that goes back where it came from.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) text: String,
    home: Weak<TextBuffers>,
}

impl Drop for Text {
    fn drop(&mut self) {
        if let Some(home) = self.home.upgrade() {
            home.give_back(std::mem::take(&mut self.text));
        }
    }
}

/// Lines of text, in order.
#[derive(Debug, Default)]
pub(crate) struct TextLines {
    texts: Vec<Text>,
    lines: u64,
}

impl TextLines {
    /// Makes lines of a text that has so many.
    pub(super) fn of(text: Text, lines: u64) -> Self {
        TextLines { texts: vec![text], lines }
    }

    /// Makes lines of a text of which each ends with a `\n`.
    pub(super) fn of_string(text: String) -> Self {
        let lines = memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64;
        Self::of(Text { text, home: Weak::new() }, lines)
    }

    /// Returns how many lines there are.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Returns how many bytes of memory they take.
    pub(super) fn bytes(&self) -> usize {
        self.texts.iter().map(|text| text.text.capacity()).sum()
    }

    /// Returns the text in the parts in which it lies.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| text.text.as_str())
    }

    /// Adds lines to the end.
    pub(super) fn append(&mut self, more: TextLines) {
        self.lines += more.lines;
        for more in more.texts {
            match self.texts.last_mut() {
                Some(last) if more.text.len() < SMALL && last.text.len() + more.text.len() <= TOGETHER => {
                    last.text.push_str(&more.text);
                }
                _ => self.texts.push(more),
            }
        }
    }

    /// Cuts the lines into some of at most `most` each, which is at least 1.
    pub(super) fn in_pieces(self, most: usize) -> Vec<TextLines> {
        if self.lines <= most as u64 {
            return vec![self];
        }
        let mut pieces = Vec::new();
        for text in self.texts {
            let mut rest = text.text.as_str();
            while !rest.is_empty() {
                let end = memchr::memchr_iter(b'\n', rest.as_bytes()).nth(most.max(1) - 1);
                let (piece, after) =
                    rest.split_at_checked(end.map_or(rest.len(), |end| end + 1)).unwrap_or((rest, ""));
                pieces.push(Self::of_string(piece.to_owned()));
                rest = after;
            }
        }
        pieces
    }

    /// Makes records of the lines, a chunk at a time; the stream holds the text.
    pub(super) fn stream<T: Data>(self: &Arc<Self>) -> ChunkStream<T> {
        let (lines, mut text, mut at) = (Arc::clone(self), 0, 0);
        stream::from_fn(move || {
            while let Some(Text { text: whole, .. }) = lines.texts.get(text) {
                let (chunk, length) = records(whole.get(at..).unwrap_or_default())?;
                at += length;
                if length > 0 {
                    return Ok(Some(chunk.into()));
                }
                (text, at) = (text + 1, 0);
            }
            Ok(None)
        })
    }
}

/// Makes records of the first lines of a text; returns how many bytes these have.
fn records<T: Data>(text: &str) -> Result<(Vec<T>, usize)> {
    let mut records = Vec::new();
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', text.as_bytes()).take(CHUNK) {
        let line = text.get(start..end).unwrap_or_default();
        if records.is_empty() {
            records.reserve(CHUNK.min(text.len()));
        }
        // Those who store lines store them for a stream of `String`. That is known of the type only at the receiver; a
        // block that is read from the log may be asked for anything, and what is no string says so.
        let line: StrDeserializer<'_, NoLine> = line.into_deserializer();
        records.push(T::deserialize(line).map_err(|error| CoreError::Codec {
            what: "making a record of a line".into(),
            problem: error.to_string(),
        })?);
        start = end + 1;
    }
    Ok((records, start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> TextLines {
        TextLines::of_string(text.to_owned())
    }

    fn read<T: Data>(lines: TextLines) -> Vec<Vec<T>> {
        let mut chunks = Vec::new();
        stream::drain(Arc::new(lines).stream(), |chunk| {
            chunks.push(chunk.into_vec());
            Ok(())
        })
        .unwrap();
        chunks
    }

    #[test]
    fn records_are_the_lines_in_order_in_chunks() {
        let mut all = lines("a\n\nb c\n");
        all.append(lines(""));
        all.append(lines("d\r\n"));
        assert_eq!(all.lines(), 4);
        assert_eq!(read::<String>(all), [["a", "", "b c", "d\r"]]);
        assert_eq!(read::<String>(TextLines::default()), [[""; 0]; 0]);
        let many: Vec<String> = (0..2 * CHUNK + 1).map(|line| line.to_string()).collect();
        let chunks = read::<String>(lines(&(many.join("\n") + "\n")));
        assert_eq!(chunks.iter().map(Vec::len).collect::<Vec<_>>(), [CHUNK, CHUNK, 1]);
        assert_eq!(chunks.concat(), many);
    }

    #[test]
    fn small_texts_are_put_together_up_to_a_bound() {
        let line = "x".repeat(999) + "\n";
        let mut all = TextLines::default();
        (0..1000).for_each(|_| all.append(lines(&line)));
        let parts: Vec<usize> = all.texts().map(str::len).collect();
        assert!(parts.len() < 20 && parts.iter().all(|part| *part <= TOGETHER), "{parts:?}");
        all.append(lines(&line.repeat(20)));
        assert_eq!(all.texts().last().map(str::len), Some(20_000));
        assert_eq!(all.lines(), 1020);
    }

    #[test]
    fn pieces_have_as_many_lines_as_are_let_in_at_once() {
        let mut all = lines(&(0..25).map(|line| format!("{line}\n")).collect::<String>());
        all.append(lines(&"y\n".repeat(SMALL)));
        let pieces = all.in_pieces(10);
        assert!(pieces.iter().all(|piece| (1..=10).contains(&piece.lines())));
        let text: String = pieces.iter().flat_map(TextLines::texts).collect();
        assert_eq!(text, (0..25).map(|line| format!("{line}\n")).collect::<String>() + &"y\n".repeat(SMALL));
        assert_eq!(lines("a\nb\n").in_pieces(0).len(), 2);
        assert_eq!(lines("a\nb\n").in_pieces(2).len(), 1);
    }

    #[test]
    fn large_buffers_come_back_and_small_ones_do_not() {
        let buffers = Arc::new(TextBuffers::default());
        let free = || buffers.buffers().free.len();
        let mut large = buffers.text(BUFFER);
        let place = large.text.as_ptr();
        large.text.push_str("to be\n");
        drop((TextLines::of(large, 1), buffers.text(10)));
        assert_eq!(free(), 1);
        let again = buffers.text(BUFFER);
        assert_eq!((again.text.as_str(), again.text.as_ptr()), ("", place));
        let mut grown = buffers.text(BUFFER);
        grown.text.reserve(3 * BUFFER);
        drop((again, grown));
        assert_eq!((free(), buffers.buffers().in_use), (1, 0));
    }

    #[test]
    fn no_more_buffers_wait_than_are_in_use_but_for_some() {
        let buffers = Arc::new(TextBuffers::default());
        let mut all: Vec<Text> = (0..4 * MOST_FREE).map(|_| buffers.text(BUFFER)).collect();
        for (left, free) in [(3 * MOST_FREE, MOST_FREE), (2 * MOST_FREE, 2 * MOST_FREE), (0, MOST_FREE)] {
            all.truncate(left);
            let buffers = buffers.buffers();
            assert_eq!((buffers.in_use, buffers.free.len()), (left, free));
        }
    }
}
