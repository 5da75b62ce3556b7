//! The reduce side's input: one reducer's bucket of every map task, in the order of these.

use super::blocks::Blocks;
use super::held::Held;
use super::map_output::OneBucket;
use crate::data::Data;
use crate::error::Result;
use crate::storage::size_estimate::estimate_all;
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

/// A reducer's buckets, to be read once.
pub(crate) struct Input<B: Data> {
    buckets: Vec<OneBucket<B>>,
    task: TaskContext,
}

impl<B: Data> Input<B> {
    pub(super) fn new(buckets: Vec<OneBucket<B>>, task: &TaskContext) -> Self {
        Input { buckets, task: task.clone() }
    }

    /// Returns the task that reads.
    pub(crate) fn task(&self) -> &TaskContext {
        &self.task
    }

    /// Returns the number of records, if all lie in memory.
    pub(crate) fn in_memory(&self) -> Option<usize> {
        self.buckets.iter().map(OneBucket::in_memory).sum()
    }

    /// Reads the records; a bucket leaves its place only when its turn has come.
    pub(crate) fn read(self) -> ChunkStream<B> {
        let Input { buckets, task } = self;
        let mut buckets = buckets.into_iter();
        let mut bucket: Option<ChunkStream<B>> = None;
        stream::from_fn(move || {
            loop {
                task.check_cancelled()?;
                if let Some(open) = &mut bucket {
                    if let Some(chunk) = open.next_chunk()? {
                        return Ok(Some(chunk));
                    }
                    bucket = None;
                }
                match buckets.next() {
                    Some(next) => bucket = Some(next.read(task.space())?),
                    None => return Ok(None),
                }
            }
        })
    }
}

/// Fewer records than this have their table in the cache.
const MANY: usize = 1 << 16;
/// As many records have their places in a table close together.
const CLOSE: usize = 1 << 13;
/// The most groups of places: to write to more at once is slow.
const GROUPS: usize = 256;

impl<K: Data, V: Data> Input<(u64, K, V)> {
    /// Returns how many records there are, if they are so many that it is worth it to read them by their places.
    pub(crate) fn places(&self) -> Option<usize> {
        self.in_memory().filter(|records| *records >= MANY)
    }

    /// Reads the records: very many of them by their places in a table of them, others in the order of their arrival.
    pub(crate) fn read_near(self) -> Result<ChunkStream<(u64, K, V)>> {
        match self.places() {
            Some(records) => self.read_by_place(records),
            None => Ok(self.read()),
        }
    }

    /// Reads the records in an order in which their places in a [`CombineTable`](super::CombineTable) of so many are close
    /// together, which stay in the cache then. Those of one key keep their order.
    pub(crate) fn read_by_place(self, records: usize) -> Result<ChunkStream<(u64, K, V)>> {
        let task = self.task().clone();
        by_place(&task, records, self.read())
    }
}

fn by_place<K: Data, V: Data>(
    task: &TaskContext,
    records: usize,
    mut input: ChunkStream<(u64, K, V)>,
) -> Result<ChunkStream<(u64, K, V)>> {
    let groups = (records / CLOSE).next_power_of_two().min(GROUPS);
    // A table has two to four slots per record; the highest of the bits that choose one are the group.
    let shift = (2 * records).next_power_of_two().ilog2() - groups.ilog2();
    let mut grouped: Vec<Blocks<(u64, K, V)>> = (0..groups).map(|_| Blocks::default()).collect();
    let mut held = Held::nothing(&task.space().memory);
    let mut bytes = 0;
    let mut all_read = false;
    while !all_read {
        match input.next_chunk()? {
            Some(chunk) => {
                let chunk = chunk.into_vec();
                bytes += estimate_all(&chunk);
                for record in chunk {
                    grouped[(record.0 >> shift) as usize & (groups - 1)].push(record);
                }
                if !held.hold(bytes) {
                    // What is grouped goes first, the rest as it comes.
                    break;
                }
            }
            None => all_read = true,
        }
    }
    let mut grouped = grouped.into_iter().flat_map(Blocks::into_chunks);
    let each = bytes / records.max(1);
    Ok(stream::from_fn(move || match grouped.next() {
        Some(chunk) => {
            bytes = bytes.saturating_sub(each * chunk.len());
            held.keep(bytes);
            Ok(Some(chunk))
        }
        None => input.next_chunk(),
    }))
}
