//! What was stored since the last block was cut.

use super::block_store::Content;
use super::text_lines::TextLines;

/// Vectors of fewer records are put together, so that the records of a block do not lie in crumbs.
const SMALL: usize = 256;

/// How many records are put together at most.
const TOGETHER: usize = 1024;

/// What was stored since the last block was cut: records or lines, since a block holds one of both.
pub(super) enum Gathered<T> {
    Records {
        chunks: Vec<Vec<T>>,
        /// Whether records may be put to the last chunk.
        open: bool,
    },
    Lines(TextLines),
}

impl<T> Default for Gathered<T> {
    fn default() -> Self {
        Gathered::Records { chunks: Vec::new(), open: false }
    }
}

impl<T> Gathered<T> {
    /// Takes all of it, if there is anything.
    pub(super) fn take(&mut self) -> Option<Content<T>> {
        match std::mem::take(self) {
            Gathered::Records { chunks, .. } if chunks.is_empty() => None,
            Gathered::Records { chunks, .. } => Some(Content::Records(chunks)),
            Gathered::Lines(lines) => Some(Content::Lines(lines)),
        }
    }

    /// Adds a record; returns lines that came before it, which are a block of their own.
    pub(super) fn add(&mut self, record: T) -> Option<Content<T>> {
        let lines = self.take_lines();
        if let Gathered::Records { chunks, open } = self {
            match chunks.last_mut() {
                Some(last) if *open && last.len() < TOGETHER => last.push(record),
                _ => {
                    chunks.push(vec![record]);
                    *open = true;
                }
            }
        }
        lines
    }

    /// Adds records; returns lines that came before them, which are a block of their own.
    pub(super) fn add_many(&mut self, mut records: Vec<T>) -> Option<Content<T>> {
        let lines = self.take_lines();
        if let Gathered::Records { chunks, open } = self {
            let small = records.len() < SMALL;
            match chunks.last_mut() {
                Some(last) if small && *open && last.len() + records.len() <= TOGETHER => {
                    last.append(&mut records);
                }
                _ => {
                    chunks.push(records);
                    *open = small;
                }
            }
        }
        lines
    }

    /// Adds lines; returns records that came before them, which are a block of their own.
    pub(super) fn add_lines(&mut self, more: TextLines) -> Option<Content<T>> {
        if let Gathered::Lines(lines) = self {
            lines.append(more);
            return None;
        }
        let records = self.take();
        *self = Gathered::Lines(more);
        records
    }

    fn take_lines(&mut self) -> Option<Content<T>> {
        if matches!(self, Gathered::Lines(_)) { self.take() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(content: Option<Content<u64>>) -> Vec<Vec<u64>> {
        match content {
            Some(Content::Records(chunks)) => chunks,
            _ => panic!("no records"),
        }
    }

    fn lines(content: Option<Content<u64>>) -> String {
        match content {
            Some(Content::Lines(lines)) => lines.texts().collect(),
            _ => panic!("no lines"),
        }
    }

    #[test]
    fn small_vectors_are_put_together_and_large_ones_stay_as_they_are() {
        let mut gathered = Gathered::default();
        assert!(gathered.add(1).is_none());
        assert!(gathered.add_many(vec![2, 3]).is_none());
        assert!(gathered.add_many((0..SMALL as u64).collect()).is_none());
        assert!(gathered.add(4).is_none());
        let lengths: Vec<usize> = records(gathered.take()).iter().map(Vec::len).collect();
        assert_eq!(lengths, [3, SMALL, 1]);
        assert!(gathered.take().is_none());
    }

    #[test]
    fn lines_and_records_are_blocks_of_their_own_in_their_order() {
        let text = |text: &str| TextLines::of_string(text.to_owned());
        let mut gathered = Gathered::default();
        assert!(gathered.add_lines(text("a\n")).is_none());
        assert!(gathered.add_lines(text("b\n")).is_none());
        assert_eq!(lines(gathered.add(1)), "a\nb\n");
        assert_eq!(records(gathered.add_lines(text("c\n"))), [[1]]);
        assert_eq!(lines(gathered.add_many(vec![2, 3])), "c\n");
        assert_eq!(records(gathered.take()), [[2, 3]]);
    }
}
