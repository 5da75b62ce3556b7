//! Records in the order of their arrival, in blocks that never move.

use crate::chunk::Chunk;
use crate::data::Data;
use crate::error::Result;
use crate::storage::disk::{Segment, SpillWriter};

/// As many bytes of records make a block, at most.
const BLOCK: usize = 32 * 1024;

/// Records in the order of their arrival.
///
/// Unlike a vector it copies nothing when it grows, and frees its memory bit by bit while it is read.
#[derive(Debug, Clone)]
pub(crate) struct Blocks<T> {
    full: Vec<Vec<T>>,
    open: Vec<T>,
}

impl<T> Default for Blocks<T> {
    fn default() -> Self {
        Blocks { full: Vec::new(), open: Vec::new() }
    }
}

impl<T> From<Vec<T>> for Blocks<T> {
    fn from(records: Vec<T>) -> Self {
        Blocks { full: vec![records], open: Vec::new() }
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
        let most = (BLOCK / size_of::<T>().max(1)).max(8);
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

    /// Writes the records as a segment; nothing if there are none.
    pub(crate) fn write(&self, to: &mut SpillWriter) -> Result<Option<Segment>> {
        let records: Vec<&T> = self.blocks().flatten().collect();
        if records.is_empty() { Ok(None) } else { to.write(&records).map(Some) }
    }
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
