//! The map side: a task's records, sorted into a bucket for each reducer.

use std::sync::Arc;

use super::blocks::{self, Blocks};
use super::clusters::{self, CLUSTERS, Hashed, cluster_of};
use super::held::Held;
use super::map_output::{InMemory, MapOutput, Spilled};
use crate::chunk::Cursor;
use crate::data::Data;
use crate::error::Result;
use crate::storage::disk::{Segment, SpillWriter};
use crate::storage::size_estimate::estimate_all;
use crate::stream::{self, ChunkStream};
use crate::task::{Space, TaskContext};

/// Sorts records into buckets, which are written out when memory runs short.
pub(crate) struct Collector<B: Data> {
    /// The clusters of each bucket, one bucket after the other.
    buckets: Vec<Blocks<B>>,
    /// How many clusters a bucket is cut into: one until pairs are very many.
    clusters: usize,
    records: usize,
    size: RecordSize,
    held: Held,
    space: Space,
    spill: Option<Spill>,
}

struct Spill {
    writer: SpillWriter,
    segments: Vec<Vec<Segment>>,
}

/// Reads a partition and sorts what `f` makes of its records into the buckets that it names.
pub(crate) fn collect<A: Data, B: Data>(
    input: ChunkStream<A>,
    reducers: usize,
    task: &TaskContext,
    mut f: impl FnMut(A) -> (usize, B),
) -> Result<Arc<MapOutput<B>>> {
    let mut buckets = Collector::new(reducers, task.space());
    stream::drain(input, |chunk| {
        let records = chunk.len();
        for record in Cursor::from(chunk) {
            let (bucket, record) = f(record);
            buckets.push(bucket, record);
        }
        buckets.grew(records)
    })?;
    buckets.finish()
}

impl<B: Data> Collector<B> {
    pub(crate) fn new(reducers: usize, space: &Space) -> Self {
        Collector {
            buckets: whole(reducers),
            clusters: 1,
            records: 0,
            size: RecordSize::default(),
            held: Held::nothing(&space.memory),
            space: space.clone(),
            spill: None,
        }
    }

    /// Adds a record to a bucket; one to a bucket that is not there is dropped.
    #[inline(always)]
    pub(crate) fn push(&mut self, bucket: usize, record: B) {
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            bucket.push(record);
        }
    }

    /// Takes note that some records were added; writes the buckets out if there is no room for them.
    pub(crate) fn grew(&mut self, records: usize) -> Result<()> {
        self.records += records;
        self.size.look(&self.buckets);
        if !self.held.hold(self.size.of(self.records)) {
            self.write_out()?;
        }
        Ok(())
    }

    /// Asks for room for something else that will end up in the buckets.
    #[must_use]
    pub(crate) fn has_room(&mut self, bytes: usize) -> bool {
        self.held.hold(bytes)
    }

    /// Writes out what is in the buckets, and frees it.
    pub(crate) fn write_out(&mut self) -> Result<()> {
        let reducers = self.buckets.len() / self.clusters;
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill {
                writer: self.space.disk.create("the buckets of a shuffle")?,
                segments: (0..reducers).map(|_| Vec::new()).collect(),
            }),
        };
        for (bucket, segments) in self.buckets.chunks_mut(self.clusters).zip(&mut spill.segments) {
            segments.extend(blocks::write(bucket, &mut spill.writer)?);
            // Now, so that the next one has room.
            bucket.iter_mut().for_each(|cluster| *cluster = Blocks::default());
        }
        (self.buckets, self.clusters) = (whole(reducers), 1);
        self.records = 0;
        self.held.keep(0);
        Ok(())
    }

    /// Returns the buckets, which may be written out later on while they wait for their reducers.
    pub(crate) fn finish(mut self) -> Result<Arc<MapOutput<B>>> {
        let records = self.buckets.iter().map(Blocks::len).sum();
        self.size.look(&self.buckets);
        let bytes = self.size.of(records);
        self.held.keep(bytes);
        if !self.held.hold(bytes) {
            self.write_out()?;
        }
        let spilled = match self.spill {
            Some(Spill { writer, segments }) => Some(Spilled { file: writer.finish()?, segments }),
            None => None,
        };
        let in_memory = InMemory { blocks: self.buckets, clusters: self.clusters };
        Ok(MapOutput::new(in_memory, self.size.of(1), spilled, self.held, self.space.disk))
    }
}

/// One map task's pairs for a reducer are cut into clusters when there are so many: about as much as the clusters' first blocks take.
const CUT_FROM: usize = 1 << 15;

impl<K: Data, V: Data> Collector<Hashed<K, V>> {
    /// Adds a pair to a bucket, and there to the cluster of its key; one to a bucket that is not there is dropped.
    #[inline(always)]
    pub(crate) fn push_pair(&mut self, bucket: usize, pair: Hashed<K, V>) {
        self.push(bucket * self.clusters + cluster_of(pair.0, self.clusters), pair);
    }

    /// Cuts the buckets into clusters if there are so many pairs by now that it is worth it.
    pub(crate) fn cut_if_many(&mut self) {
        self.cut_for(self.records);
    }

    /// Cuts the buckets into clusters if so many pairs are worth it, and none was written out.
    pub(crate) fn cut_for(&mut self, pairs: usize) {
        let many = pairs / CUT_FROM >= self.buckets.len();
        if self.clusters == 1 && many && self.spill.is_none() {
            self.cut();
        }
    }

    #[cold]
    fn cut(&mut self) {
        self.clusters = CLUSTERS;
        let buckets = std::mem::take(&mut self.buckets);
        self.buckets = (0..buckets.len() * CLUSTERS).map(|_| Blocks::among_many()).collect();
        for (bucket, cut) in buckets.into_iter().zip(self.buckets.chunks_mut(CLUSTERS)) {
            clusters::cut(bucket, cut);
        }
    }
}

fn whole<B>(buckets: usize) -> Vec<Blocks<B>> {
    let mut all = Vec::new();
    all.resize_with(buckets, Blocks::default);
    all
}

/// How large a record is, from a look at a few.
#[derive(Default)]
struct RecordSize {
    looks: usize,
    /// The bytes of the records that were looked at, and how many these are.
    bytes: usize,
    records: usize,
}

impl RecordSize {
    /// Looks at some of the latest records now and then.
    fn look<B: Data>(&mut self, buckets: &[Blocks<B>]) {
        if self.records == 0 && !std::mem::needs_drop::<B>() {
            (self.records, self.bytes) = (1, size_of::<B>());
        }
        self.looks += 1;
        if !std::mem::needs_drop::<B>() || !self.looks.is_power_of_two() && !self.looks.is_multiple_of(16) {
            return;
        }
        let from = self.looks % buckets.len().max(1);
        for at in (from..buckets.len()).chain(0..from) {
            let records = buckets[at].latest();
            if !records.is_empty() {
                self.bytes += estimate_all(records);
                self.records += records.len();
                return;
            }
        }
    }

    fn of(&self, records: usize) -> usize {
        (self.bytes as f64 / self.records.max(1) as f64 * records as f64) as usize
    }
}
