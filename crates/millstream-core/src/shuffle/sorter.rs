//! Sorting a partition: in memory, or in runs on disk when there is no room for it.

use std::any::{Any, TypeId};
use std::cmp::Ordering;
use std::mem;

use super::held::Held;
use super::input::Input;
use super::runs::Runs;
use crate::chunk::CHUNK;
use crate::data::Data;
use crate::error::Result;
use crate::storage::size_estimate::estimate_all;
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

/// Sorts a reducer's pairs by their keys; equal keys keep their order.
pub(crate) fn sorted<K: Data + Ord, V: Data>(
    input: Input<(K, V)>,
    ascending: bool,
) -> Result<ChunkStream<(K, V)>> {
    let task = input.task().clone();
    let records = input.in_memory().unwrap_or_default();
    sort(input.read(), records, ascending, &task)
}

/// Sorts pairs by their keys, of which there are so many if that is known; equal keys keep their order.
pub(crate) fn sort<K: Data + Ord, V: Data>(
    mut input: ChunkStream<(K, V)>,
    records: usize,
    ascending: bool,
    task: &TaskContext,
) -> Result<ChunkStream<(K, V)>> {
    let order = move |(a, _): &(K, V), (b, _): &(K, V)| if ascending { a.cmp(b) } else { b.cmp(a) };
    let mut sorter = Sorter::new(task, order);
    if is_number::<K>() && TypeId::of::<K>() == TypeId::of::<V>() {
        // Numbers that are their own keys can not be told apart: they take half the room and need not be stable.
        let mut keys: Vec<K> = Vec::with_capacity(records);
        let mut held = Held::nothing(&task.space().memory);
        loop {
            let Some(chunk) = input.next_chunk()? else {
                keys.sort_unstable_by(|a, b| if ascending { a.cmp(b) } else { b.cmp(a) });
                return Ok(held_until_read(keys.into_iter().filter_map(twin), held));
            };
            let pairs = chunk.into_vec();
            let room = held.hold((keys.len() + pairs.len()) * size_of::<K>());
            if !room || !pairs.iter().all(|(key, value)| is_twin(key, value)) {
                let before: Vec<(K, V)> = keys.into_iter().filter_map(twin).collect();
                drop(held);
                sorter.take(before)?;
                sorter.take(pairs)?;
                break;
            }
            keys.extend(pairs.into_iter().map(|(key, _)| key));
        }
    } else {
        sorter.records.reserve_exact(records);
    }
    stream::drain(input, |chunk| sorter.take(chunk.into_vec()))?;
    sorter.finish()
}

fn is_number<K: 'static>() -> bool {
    let numbers = [
        TypeId::of::<u8>(),
        TypeId::of::<u16>(),
        TypeId::of::<u32>(),
        TypeId::of::<u64>(),
        TypeId::of::<u128>(),
        TypeId::of::<usize>(),
        TypeId::of::<i8>(),
        TypeId::of::<i16>(),
        TypeId::of::<i32>(),
        TypeId::of::<i64>(),
        TypeId::of::<i128>(),
        TypeId::of::<isize>(),
    ];
    numbers.contains(&TypeId::of::<K>())
}

/// Returns whether a key is its own value.
fn is_twin<K: Data + Ord, V: Data>(key: &K, value: &V) -> bool {
    (value as &dyn Any).downcast_ref::<K>() == Some(key)
}

/// Returns a key with itself as its value, if that has the key's type.
fn twin<K: Data, V: Data>(key: K) -> Option<(K, V)> {
    let value = (&key as &dyn Any).downcast_ref::<V>().cloned()?;
    Some((key, value))
}

/// Sorts records, those that are equal in the order of their arrival.
struct Sorter<T: Data, F> {
    records: Vec<T>,
    bytes: usize,
    order: F,
    held: Held,
    runs: Runs<T>,
}

impl<T: Data, F: Fn(&T, &T) -> Ordering + Clone + 'static> Sorter<T, F> {
    fn new(task: &TaskContext, order: F) -> Self {
        let held = Held::nothing(&task.space().memory);
        Sorter { records: Vec::new(), bytes: 0, order, held, runs: Runs::new("sorted records", task) }
    }

    fn take(&mut self, records: Vec<T>) -> Result<()> {
        self.bytes += estimate_all(&records);
        self.records.extend(records);
        // A stable sort needs as much again.
        if !self.held.hold(2 * self.bytes) {
            self.write_out()?;
        }
        Ok(())
    }

    fn write_out(&mut self) -> Result<()> {
        let mut records = mem::take(&mut self.records);
        records.sort_by(&self.order);
        self.runs.add(&records)?;
        drop(records);
        self.bytes = 0;
        self.held.keep(0);
        Ok(())
    }

    fn finish(mut self) -> Result<ChunkStream<T>> {
        if self.runs.is_empty() {
            self.records.sort_by(&self.order);
            return Ok(held_until_read(self.records.into_iter(), self.held));
        }
        if !self.records.is_empty() {
            self.write_out()?;
        }
        self.runs.merge(self.order)
    }
}

/// Makes a stream of records whose memory is held up to their end.
pub(super) fn held_until_read<T: Data>(
    mut records: impl Iterator<Item = T> + 'static,
    held: Held,
) -> ChunkStream<T> {
    let mut held = Some(held);
    stream::from_fn(move || {
        let chunk: Vec<T> = records.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            drop(held.take());
        }
        Ok((!chunk.is_empty()).then(|| chunk.into()))
    })
}
