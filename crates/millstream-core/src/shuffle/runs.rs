//! Sorted runs of records on disk, and how they are merged: for sorts, and by hash for everything by key.

use std::cmp::Ordering;
use std::sync::Arc;

use super::held::Held;
use crate::chunk::{CHUNK, Cursor};
use crate::data::Data;
use crate::error::Result;
use crate::storage::disk::{Segment, SpillFile, SpillWriter};
use crate::storage::frame::BLOCK;
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

/// Runs of records, each sorted, in the order in which their records came.
pub(crate) struct Runs<T> {
    what: &'static str,
    task: TaskContext,
    writer: Option<SpillWriter>,
    segments: Vec<Segment>,
    records: std::marker::PhantomData<fn(T)>,
}

/// What reading a run takes: a block of its bytes and the records of another.
const PER_RUN: usize = 2 * BLOCK;
/// The most runs that are merged at once.
const MOST_AT_ONCE: usize = 64;

impl<T: Data> Runs<T> {
    pub(crate) fn new(what: &'static str, task: &TaskContext) -> Self {
        let records = std::marker::PhantomData;
        Runs { what, task: task.clone(), writer: None, segments: Vec::new(), records }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Writes a sorted run.
    pub(crate) fn add(&mut self, run: &[T]) -> Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(self.task.space().disk.create(self.what)?),
        };
        self.segments.push(writer.write(run)?);
        Ok(())
    }

    /// Merges all runs; records that compare as equal keep the order of their runs.
    pub(crate) fn merge(
        self,
        order: impl Fn(&T, &T) -> Ordering + Clone + 'static,
    ) -> Result<ChunkStream<T>> {
        let Runs { what, task, writer, mut segments, .. } = self;
        let Some(writer) = writer else { return Ok(stream::from_vec(Vec::new())) };
        let mut file = writer.finish()?;
        let at_once = (task.space().memory.budget() / 4 / PER_RUN).clamp(2, MOST_AT_ONCE);
        while segments.len() > at_once {
            // Neighbours, so that the runs stay in their order.
            let mut writer = task.space().disk.create(what)?;
            let mut merged = Vec::new();
            for neighbours in segments.chunks(at_once) {
                let run = merge_some(&file, neighbours, &task, order.clone())?;
                merged.push(writer.write_stream(run)?);
            }
            (file, segments) = (writer.finish()?, merged);
        }
        merge_some(&file, &segments, &task, order)
    }
}

fn merge_some<T: Data>(
    file: &Arc<SpillFile>,
    segments: &[Segment],
    task: &TaskContext,
    order: impl Fn(&T, &T) -> Ordering + 'static,
) -> Result<ChunkStream<T>> {
    let runs = opened(file, segments)?;
    let mut held = Held::nothing(&task.space().memory);
    held.must_hold(runs.len() * PER_RUN);
    let mut merger = Merger::new(runs, order)?;
    let task = task.clone();
    Ok(stream::from_fn(move || {
        task.check_cancelled()?;
        let chunk = merger.next_chunk()?;
        if chunk.is_empty() {
            held.keep(0);
        }
        Ok((!chunk.is_empty()).then(|| chunk.into()))
    }))
}

/// Not written where it is used, where it would be compiled for each order.
fn opened<T: Data>(file: &Arc<SpillFile>, segments: &[Segment]) -> Result<Vec<ChunkStream<T>>> {
    let mut runs = Vec::with_capacity(segments.len());
    for segment in segments {
        runs.push(file.read_segment(*segment)?);
    }
    Ok(runs)
}

/// Merges sorted streams.
struct Merger<T, F> {
    /// A heap: the run whose next record comes first is at the top.
    runs: Vec<Run<T>>,
    order: F,
}

struct Run<T> {
    next: T,
    /// Among equal records those of lower runs come first.
    number: usize,
    chunk: Cursor<T>,
    rest: ChunkStream<T>,
}

impl<T: Data, F: Fn(&T, &T) -> Ordering> Merger<T, F> {
    fn new(streams: Vec<ChunkStream<T>>, order: F) -> Result<Self> {
        let mut merger = Merger { runs: Vec::new(), order };
        for (number, mut rest) in streams.into_iter().enumerate() {
            let mut chunk = Cursor::from(crate::chunk::Chunk::from(Vec::new()));
            if let Some(next) = next(&mut chunk, &mut rest)? {
                merger.runs.push(Run { next, number, chunk, rest });
            }
        }
        for at in (0..merger.runs.len() / 2).rev() {
            merger.sink(at);
        }
        Ok(merger)
    }

    fn comes_first(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.runs[a], &self.runs[b]);
        (self.order)(&a.next, &b.next).then(a.number.cmp(&b.number)).is_lt()
    }

    fn sink(&mut self, mut at: usize) {
        loop {
            let mut first = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.runs.len() && self.comes_first(child, first) {
                    first = child;
                }
            }
            if first == at {
                return;
            }
            self.runs.swap(at, first);
            at = first;
        }
    }

    fn next_chunk(&mut self) -> Result<Vec<T>> {
        let mut records = Vec::new();
        while records.len() < CHUNK {
            let Some(run) = self.runs.first_mut() else { break };
            match next(&mut run.chunk, &mut run.rest)? {
                Some(next) => records.push(std::mem::replace(&mut run.next, next)),
                None => records.push(self.runs.swap_remove(0).next),
            }
            self.sink(0);
        }
        Ok(records)
    }
}

fn next<T: Data>(chunk: &mut Cursor<T>, rest: &mut ChunkStream<T>) -> Result<Option<T>> {
    loop {
        if let Some(record) = chunk.next() {
            return Ok(Some(record));
        }
        match rest.next_chunk()? {
            Some(more) => *chunk = more.into(),
            None => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn merging_is_a_stable_sort(runs in prop::collection::vec(prop::collection::vec(0_u8..9, 0..40), 0..9)) {
            let tag = |(at, run): (usize, &Vec<u8>)| {
                let mut run: Vec<(u8, usize)> = run.iter().map(|n| (*n, at)).collect();
                run.sort_by_key(|(n, _)| *n);
                run
            };
            let runs: Vec<Vec<(u8, usize)>> = runs.iter().enumerate().map(tag).collect();
            let mut expected = runs.concat();
            expected.sort_by_key(|(n, _)| *n);
            let streams = runs.into_iter().map(stream::from_vec).collect();
            let mut merger = Merger::new(streams, |a: &(u8, usize), b: &(u8, usize)| a.0.cmp(&b.0)).unwrap();
            let mut merged = Vec::new();
            loop {
                let chunk = merger.next_chunk().unwrap();
                if chunk.is_empty() {
                    break;
                }
                merged.extend(chunk);
            }
            prop_assert_eq!(merged, expected);
        }
    }
}
