//! Records in the order of their arrival, in blocks that never move.

use crate::chunk::Chunk;
use crate::data::Data;
use crate::error::Result;
use crate::storage::disk::{Segment, SpillWriter};

/// As many bytes of records make a block as a rule, at most.
const BLOCK: usize = 32 * 1024;
/// The same where very many lists of records grow side by side.
const SMALL_BLOCK: usize = BLOCK / 2;

/// Records in the order of their arrival.
///
/// Unlike a vector it copies nothing when it grows, and frees its memory bit by bit while it is read.
#[derive(Debug, Clone)]
pub(crate) struct Blocks<T> {
    full: Vec<Vec<T>>,
    open: Vec<T>,
    /// As many records make a block, at most.
    most: usize,
}

impl<T> Default for Blocks<T> {
    fn default() -> Self {
        Blocks { full: Vec::new(), open: Vec::new(), most: fit(BLOCK, size_of::<T>()) }
    }
}

/// Returns how many records make a block.
fn fit(block: usize, record: usize) -> usize {
    (block / record.max(1)).max(8)
}

impl<T> From<Vec<T>> for Blocks<T> {
    fn from(records: Vec<T>) -> Self {
        Blocks { full: vec![records], ..Blocks::default() }
    }
}

impl<T> Blocks<T> {
    #[inline(always)]
    pub(crate) fn push(&mut self, record: T) {
        if self.open.len() == self.open.capacity() {
            self.make_room();
        }
        self.open.push(record);
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self) {
        let most = self.most;
        let room = self.open.capacity();
        if room < most {
            self.open.reserve_exact(room.clamp(4, most - room.min(most - 4)));
        } else {
            self.full.push(std::mem::replace(&mut self.open, Vec::with_capacity(most)));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.blocks().map(<[T]>::len).sum()
    }

    /// Returns the records that came last.
    pub(crate) fn latest(&self) -> &[T] {
        &self.open
    }

    /// Makes room for one of many lists that will each have some blocks: small ones, and a whole one now.
    pub(super) fn among_many() -> Self {
        let most = fit(SMALL_BLOCK, size_of::<T>());
        Blocks { full: Vec::new(), open: Vec::with_capacity(most), most }
    }

    fn blocks(&self) -> impl Iterator<Item = &[T]> {
        self.full.iter().chain([&self.open]).map(Vec::as_slice)
    }

    /// Returns the records, some at a time.
    pub(crate) fn into_blocks(self) -> impl Iterator<Item = Vec<T>> {
        self.full.into_iter().chain([self.open]).filter(|block| !block.is_empty())
    }
}

impl<T: Data> Blocks<T> {
    /// Returns the records, some at a time, as chunks.
    pub(crate) fn into_chunks(self) -> impl Iterator<Item = Chunk<T>> {
        self.into_blocks().map(Chunk::from)
    }

    /// Adds the records of another behind these.
    pub(super) fn append(&mut self, other: Self) {
        self.full.push(std::mem::take(&mut self.open));
        self.full.extend(other.full);
        self.open = other.open;
    }
}

/// Writes records as one segment; nothing if there are none.
pub(super) fn write<T: Data>(records: &[Blocks<T>], to: &mut SpillWriter) -> Result<Option<Segment>> {
    let mut all: Vec<&T> = Vec::new();
    for blocks in records {
        blocks.blocks().for_each(|block| all.extend(block));
    }
    if all.is_empty() { Ok(None) } else { to.write(&all).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_in_their_order() {
        for len in [0, 1, 4, 5, 4095, 4096, 4097, 20_000] {
            let mut blocks = Blocks::default();
            (0..len).for_each(|n: u64| blocks.push(n));
            assert_eq!(blocks.len() as u64, len);
            assert!(blocks.clone().into_blocks().all(|block| block.len() <= 4096));
            assert!(blocks.into_blocks().flatten().eq(0..len));
        }
        for (first, second) in [(0, 3), (5, 0), (9_000, 2), (2, 9_000)] {
            let mut blocks = Blocks::among_many();
            (0..first).for_each(|n: u64| blocks.push(n));
            let mut more = Blocks::default();
            (first..first + second).for_each(|n| more.push(n));
            blocks.append(more);
            assert!(blocks.into_blocks().flatten().eq(0..first + second));
        }
        let mut nothings = Blocks::default();
        (0..9).for_each(|_| nothings.push(()));
        assert_eq!(nothings.into_blocks().flatten().count(), 9);
    }

    #[test]
    fn large_records_have_blocks_of_eight() {
        let mut blocks = Blocks::default();
        (0..20_u8).for_each(|n| blocks.push([n; 32 * 1024]));
        assert!(blocks.into_blocks().map(|block| block.len()).eq([8, 8, 4]));
    }
}
