//! What one map task has made, waiting for the reducers: in memory, or written out when others need it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::Bucket;
use super::blocks::{self, Blocks};
use super::held::Held;
use crate::data::Data;
use crate::error::Result;
use crate::storage::disk::{Disk, Segment, SpillFile};
use crate::storage::memory::{Claim, Evictable};
use crate::storage::size_estimate::estimate_all;
use crate::stream::{self, ChunkStream};
use crate::task::Space;

/// The buckets of one map task.
pub(crate) struct MapOutput<B: Data> {
    state: Mutex<State<B>>,
    bytes_of_record: usize,
    disk: Option<Disk>,
}

struct State<B: Data> {
    /// What was written out, in the order of arrival.
    spilled: Vec<Spilled>,
    /// What came after it.
    rest: InMemory<B>,
    /// The memory of the rest; none if it is too little to count.
    claim: Option<Claim>,
}

/// Buckets that lie in memory.
pub(super) struct InMemory<B> {
    /// The clusters of each bucket, one bucket after the other.
    pub(super) blocks: Vec<Blocks<B>>,
    /// How many clusters a bucket is cut into.
    pub(super) clusters: usize,
}

impl<B> InMemory<B> {
    fn reducers(&self) -> usize {
        self.blocks.len() / self.clusters
    }

    /// Returns the clusters of a reducer.
    fn of(&self, reducer: usize) -> &[Blocks<B>] {
        self.blocks.chunks(self.clusters).nth(reducer).unwrap_or_default()
    }

    fn of_mut(&mut self, reducer: usize) -> &mut [Blocks<B>] {
        self.blocks.chunks_mut(self.clusters).nth(reducer).unwrap_or_default()
    }

    fn len(&self, reducer: usize) -> usize {
        self.of(reducer).iter().map(Blocks::len).sum()
    }
}

/// A file of buckets: the segments of each reducer.
pub(crate) struct Spilled {
    pub(super) file: Arc<SpillFile>,
    pub(super) segments: Vec<Vec<Segment>>,
}

impl<B: Data> MapOutput<B> {
    pub(super) fn new(
        rest: InMemory<B>,
        bytes_of_record: usize,
        spilled: Option<Spilled>,
        held: Held,
        disk: Disk,
    ) -> Arc<Self> {
        let state = State { spilled: spilled.into_iter().collect(), rest, claim: held.into_claim() };
        let output = Arc::new(MapOutput { state: Mutex::new(state), bytes_of_record, disk: Some(disk) });
        let weak: Weak<dyn Evictable> = Arc::downgrade(&output) as Weak<dyn Evictable>;
        if let Some(claim) = &output.lock().claim {
            claim.evict_by(weak);
        }
        output
    }

    /// Returns the buckets, one per reducer.
    pub(crate) fn buckets(self: &Arc<Self>) -> Vec<Bucket> {
        let reducers = self.lock().rest.reducers();
        let mut buckets: Vec<Bucket> = Vec::with_capacity(reducers);
        for reducer in 0..reducers {
            buckets.push(Box::new(OneBucket { output: Arc::clone(self), reducer, copied: false }));
        }
        buckets
    }

    fn write_out(&self, state: &mut State<B>) -> Result<()> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let mut writer = disk.create("the buckets of a shuffle")?;
        let mut segments = Vec::new();
        for bucket in state.rest.blocks.chunks(state.rest.clusters) {
            segments.push(Vec::from_iter(blocks::write(bucket, &mut writer)?));
        }
        state.spilled.push(Spilled { file: writer.finish()?, segments });
        state.rest.blocks.iter_mut().for_each(|bucket| *bucket = Blocks::default());
        Ok(())
    }

    /// A panic can not leave the state half changed: the records are only taken away when they have been written.
    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: Data> Evictable for MapOutput<B> {
    fn evict(&self, _: usize) -> bool {
        let mut state = self.lock();
        if state.claim.is_none() {
            return false;
        }
        match self.write_out(&mut state) {
            Ok(()) => {
                state.claim = None;
                true
            }
            Err(error) => {
                // They stay; the one that needs memory finds another way, or fails with the same error.
                tracing::warn!("{error}");
                false
            }
        }
    }
}

/// The records of one map task for one reducer.
pub(crate) struct OneBucket<B: Data> {
    output: Arc<MapOutput<B>>,
    reducer: usize,
    /// Whether it is copied when it is read, because others want it too.
    copied: bool,
}

impl<B: Data> OneBucket<B> {
    /// Makes a bucket of records that came from elsewhere.
    pub(crate) fn of(records: Vec<B>) -> Self {
        let bytes_of_record = estimate_all(&records) / records.len().max(1);
        let rest = InMemory { blocks: vec![records.into()], clusters: 1 };
        let state = State { spilled: Vec::new(), rest, claim: None };
        let output = MapOutput { state: Mutex::new(state), bytes_of_record, disk: None };
        OneBucket { output: Arc::new(output), reducer: 0, copied: false }
    }

    /// Returns another handle, which leaves the records where they are.
    pub(super) fn copied(&self) -> Self {
        OneBucket { output: Arc::clone(&self.output), reducer: self.reducer, copied: true }
    }

    /// Returns how many records there are, if all lie in memory.
    pub(super) fn in_memory(&self) -> Option<usize> {
        let state = self.output.lock();
        if self.is_on_disk(&state) { None } else { Some(state.rest.len(self.reducer)) }
    }

    /// Takes the records' clusters, and how many bytes a record takes; nothing if some lie on disk.
    ///
    /// Their memory is no longer claimed; who takes them is to hold it.
    pub(super) fn take(&self) -> Option<(Vec<Blocks<B>>, usize)> {
        let mut state = self.output.lock();
        if self.is_on_disk(&state) {
            return None;
        }
        Some((self.take_rest(&mut state).0, self.output.bytes_of_record))
    }

    fn is_on_disk(&self, state: &State<B>) -> bool {
        state.spilled.iter().any(|file| file.segments.get(self.reducer).is_some_and(|s| !s.is_empty()))
    }

    /// Takes what lies in memory, or copies it; returns how many bytes are no longer claimed, or not yet.
    fn take_rest(&self, state: &mut State<B>) -> (Vec<Blocks<B>>, usize) {
        let bytes = state.rest.len(self.reducer) * self.output.bytes_of_record;
        let rest = state.rest.of_mut(self.reducer);
        if self.copied {
            return (rest.to_vec(), bytes);
        }
        let rest = rest.iter_mut().map(std::mem::take).collect();
        if let Some(claim) = &mut state.claim {
            claim.shrink(bytes);
        }
        (rest, bytes)
    }

    /// Reads the records: in the order of their arrival, or of their clusters and in these of their arrival.
    pub(super) fn read(self, space: &Space) -> Result<ChunkStream<B>> {
        let (mut segments, rest, left) = {
            let mut state = self.output.lock();
            let mut segments = Vec::new();
            for spilled in &state.spilled {
                let of_reducer = spilled.segments.get(self.reducer).into_iter().flatten();
                segments.extend(of_reducer.map(|segment| (Arc::clone(&spilled.file), *segment)));
            }
            let (rest, bytes) = self.take_rest(&mut state);
            (segments.into_iter(), rest, bytes)
        };
        // Not under the lock: others may have to leave for it.
        let mut held = Held::nothing(&space.memory);
        held.must_hold(left);
        let bytes_of_record = self.output.bytes_of_record;
        // The file goes when its last reader is done.
        drop(self);
        let mut segment: Option<ChunkStream<B>> = None;
        let (mut rest, mut left, mut read) = (rest.into_iter().flat_map(Blocks::into_chunks), left, 0);
        Ok(stream::from_fn(move || {
            loop {
                if let Some(open) = &mut segment {
                    if let Some(chunk) = open.next_chunk()? {
                        return Ok(Some(chunk));
                    }
                    segment = None;
                }
                if let Some((file, next)) = segments.next() {
                    segment = Some(file.read_segment(next)?);
                    continue;
                }
                // What was read before is in the hands of others.
                left -= read;
                held.keep(left);
                let chunk = rest.next();
                read = chunk.as_ref().map_or(0, |chunk| chunk.len() * bytes_of_record);
                return Ok(chunk);
            }
        }))
    }

    /// Reads the records and leaves them where they are.
    pub(crate) fn copy(&self) -> Result<Vec<B>> {
        let mut records = Vec::new();
        let state = self.output.lock();
        for spilled in &state.spilled {
            for segment in spilled.segments.get(self.reducer).into_iter().flatten() {
                stream::drain(spilled.file.read_segment::<B>(*segment)?, |chunk| {
                    records.extend(chunk.into_vec());
                    Ok(())
                })?;
            }
        }
        for cluster in state.rest.of(self.reducer) {
            cluster.clone().into_blocks().for_each(|block| records.extend(block));
        }
        Ok(records)
    }
}
