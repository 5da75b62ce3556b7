//! The table of everything by key, written out when memory runs short.

use std::mem;

use super::combine_table::CombineTable;
use super::held::Held;
use super::runs::Runs;
use super::sorter::held_until_read;
use crate::chunk::{CHUNK, Cursor};
use crate::data::{Data, Key};
use crate::error::Result;
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

/// Keys and what is combined for them, in a table; when there is no room for it, in runs on disk that are sorted by hash.
pub(crate) struct Gatherer<K: Key, C: Data> {
    /// To be filled; then [`merged`](Gatherer::merged) or [`collected`](Gatherer::collected) is to be called.
    pub(crate) table: CombineTable<K, C>,
    size: TableSize,
    values: usize,
    held: Held,
    runs: Runs<(u64, K, C)>,
}

impl<K: Key, C: Data> Gatherer<K, C> {
    pub(crate) fn new(what: &'static str, task: &TaskContext) -> Self {
        Gatherer {
            table: CombineTable::new(),
            size: TableSize::default(),
            values: 0,
            held: Held::nothing(&task.space().memory),
            runs: Runs::new(what, task),
        }
    }

    /// Takes note that some values were merged into the table.
    pub(crate) fn merged(&mut self, values: usize) -> Result<()> {
        let bytes = self.size.after(values, &self.table);
        self.settle(bytes)
    }

    /// Takes note that values of some bytes in all lie in the table now.
    pub(crate) fn collected(&mut self, bytes: usize) -> Result<()> {
        // Vectors have room for half as much again, on average.
        self.values += bytes + bytes / 2;
        self.settle(self.table.allocated() + self.values)
    }

    fn settle(&mut self, bytes: usize) -> Result<()> {
        if self.held.hold(bytes) { Ok(()) } else { self.write_out() }
    }

    fn write_out(&mut self) -> Result<()> {
        let mut entries = mem::take(&mut self.table).into_entries();
        entries.sort_unstable_by_key(|(hash, ..)| *hash);
        self.runs.add(&entries)?;
        drop(entries);
        (self.size, self.values) = (TableSize::default(), 0);
        self.held.keep(0);
        Ok(())
    }

    /// Returns each key with what was combined for it; `merge` combines what lies in two runs, the earlier one first.
    pub(crate) fn finish(mut self, merge: impl Fn(C, C) -> C + 'static) -> Result<ChunkStream<(K, C)>> {
        if self.runs.is_empty() {
            return Ok(held_until_read(self.table.into_pairs(), self.held));
        }
        if !self.table.is_empty() {
            self.write_out()?;
        }
        let mut merged = self.runs.merge(|(a, ..), (b, ..)| a.cmp(b))?;
        let mut same_hash: (u64, Vec<(K, C)>) = (0, Vec::new());
        let mut ended = false;
        Ok(stream::from_fn(move || {
            let mut out = Vec::new();
            while out.len() < CHUNK && !ended {
                let Some(chunk) = merged.next_chunk()? else {
                    ended = true;
                    out.append(&mut same_hash.1);
                    break;
                };
                for (hash, key, combined) in Cursor::from(chunk) {
                    let (of, keys) = &mut same_hash;
                    if *of != hash {
                        out.append(keys);
                        *of = hash;
                    }
                    match keys.iter().position(|(known, _)| *known == key) {
                        Some(at) => {
                            let (key, first) = keys.remove(at);
                            keys.insert(at, (key, merge(first, combined)));
                        }
                        None => keys.push((key, combined)),
                    }
                }
            }
            Ok((!out.is_empty()).then(|| out.into()))
        }))
    }
}

/// How large a table is, from a look at a few entries now and then.
#[derive(Default)]
pub(crate) struct TableSize {
    values: usize,
    /// After so many values it is looked at again.
    next: usize,
    /// The bytes that the entries point to, at the last look, and how many values had been merged by then.
    heap: usize,
    at: usize,
    /// By how much they have grown with each value since the look before.
    growth: f64,
}

impl TableSize {
    /// Returns the size after some more values were merged.
    pub(crate) fn after<K: Key, C: Data>(&mut self, values: usize, table: &CombineTable<K, C>) -> usize {
        self.values += values;
        if mem::needs_drop::<(K, C)>() && self.values >= self.next {
            let heap = table.heap();
            self.growth = heap.saturating_sub(self.heap) as f64 / (self.values - self.at).max(1) as f64;
            (self.heap, self.at) = (heap, self.values);
            self.next = self.values + (self.values / 4).max(4 * CHUNK);
        }
        table.allocated() + self.heap + (self.growth * (self.values - self.at) as f64) as usize
    }
}
