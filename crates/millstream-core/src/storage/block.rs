//! One kept partition: in memory, on disk, or on its way from one to the other.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::cache::Kept;
use super::disk::{SpillFile, SpillWriter};
use super::frame::{Compression, read_block};
use super::memory::{Claim, Evictable};
use super::unroll::Again;
use crate::chunk::Chunk;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::stream::{self, ChunkStream};

/// A kept partition. What its records are is known to those who read it only.
pub(crate) struct Block {
    kept: Weak<Kept>,
    partition: usize,
    place: Mutex<Place>,
}

/// Where a partition lies; what was read back from disk lies in both places.
struct Place {
    held: Option<Arc<dyn AnyHeld>>,
    file: Option<Arc<SpillFile>>,
}

/// A partition in memory whose record type has been forgotten.
pub(super) trait AnyHeld: Send + Sync {
    fn claim(&self) -> &Claim;
    /// Writes the records to a file.
    fn write(&self, to: &mut SpillWriter) -> Result<()>;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// A partition in memory; whoever reads it holds it.
pub(crate) struct Held<T: Data> {
    form: Form<T>,
    claim: Claim,
}

pub(crate) enum Form<T> {
    /// All chunks are shared ones, so that handing them out copies nothing.
    Records(Vec<Chunk<T>>),
    /// Buffers, each of some blocks.
    Bytes(Vec<Vec<u8>>, Compression),
}

impl<T: Data> Held<T> {
    pub(crate) fn new(form: Form<T>, claim: Claim) -> Self {
        Held { form, claim }
    }

    /// Reads the records; the stream holds them up to its end.
    pub(crate) fn stream(self: Arc<Self>) -> ChunkStream<T> {
        let mut held = Some(self);
        let (mut at, mut offset) = (0, 0);
        stream::from_fn(move || {
            let chunk = match held.as_ref().map(|held| &held.form) {
                None => None,
                Some(Form::Records(chunks)) => {
                    at += 1;
                    chunks.get(at - 1).cloned()
                }
                Some(Form::Bytes(buffers, compression)) => match buffers.get(at) {
                    None => None,
                    Some(buffer) => {
                        let mut from = buffer.get(offset..).unwrap_or_default();
                        let records = read_block::<T>(&mut from, *compression)
                            .map_err(|broken| broken.while_reading("a partition that is kept as bytes"))?;
                        // A buffer holds whole blocks.
                        (at, offset) =
                            if from.is_empty() { (at + 1, 0) } else { (at, buffer.len() - from.len()) };
                        records.map(Chunk::from)
                    }
                },
            };
            if chunk.is_none() {
                held = None; // so that it can leave memory, though the stream be held on to
            }
            Ok(chunk)
        })
    }
}

impl<T: Data> AnyHeld for Held<T> {
    fn claim(&self) -> &Claim {
        &self.claim
    }

    fn write(&self, to: &mut SpillWriter) -> Result<()> {
        match &self.form {
            Form::Records(chunks) => to.write_stream(stream::from_chunks(chunks.clone())).map(drop),
            Form::Bytes(buffers, _) => buffers.iter().try_for_each(|buffer| to.write_blocks(buffer)),
        }
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl Block {
    pub(super) fn in_memory(kept: &Arc<Kept>, partition: usize, held: Arc<dyn AnyHeld>) -> Self {
        let place = Mutex::new(Place { held: Some(held), file: None });
        Block { kept: Arc::downgrade(kept), partition, place }
    }

    pub(super) fn on_disk(kept: &Arc<Kept>, partition: usize, file: Arc<SpillFile>) -> Self {
        let place = Mutex::new(Place { held: None, file: Some(file) });
        Block { kept: Arc::downgrade(kept), partition, place }
    }

    pub(super) fn partition(&self) -> usize {
        self.partition
    }

    pub(super) fn is_in_memory(&self) -> bool {
        self.lock().held.is_some()
    }

    /// Returns whether the records can be read, as far as that can be told without reading them.
    pub(super) fn is_there(&self) -> bool {
        let place = self.lock();
        let (held, file) = (place.held.is_some(), place.file.clone());
        drop(place);
        held || file.is_some_and(|file| file.is_there())
    }

    /// Returns how many bytes lie in memory and on disk.
    pub(super) fn sizes(&self) -> (u64, u64) {
        let place = self.lock();
        (
            place.held.as_ref().map_or(0, |held| held.claim().bytes() as u64),
            place.file.as_ref().map_or(0, |file| file.bytes()),
        )
    }

    /// Has records lie in memory as well that were read from disk, unless they do already.
    pub(super) fn hold(self: &Arc<Self>, held: &Arc<dyn AnyHeld>) {
        let mut place = self.lock();
        if place.held.is_none() {
            place.held = Some(Arc::clone(held));
            drop(place);
            self.may_leave(held);
        }
    }

    /// Lets what was entered leave memory when others need it.
    pub(super) fn may_leave(self: &Arc<Self>, held: &Arc<dyn AnyHeld>) {
        let weak = Arc::downgrade(self);
        held.claim().evict_by(weak);
    }

    /// Reads the records where they lie; nothing if they were dropped meanwhile, or the file is gone.
    ///
    /// If the file turns out to be broken the partition is computed again, from where the reading has come to.
    pub(super) fn open<T: Data>(self: &Arc<Self>, again: &Again<T>) -> Option<Result<ChunkStream<T>>> {
        let (held, file) = self.place();
        if let Some(held) = held {
            let held = held.into_any().downcast::<Held<T>>();
            return Some(
                held.map(Held::stream).map_err(|_| Error::poisoned("a kept partition has other records")),
            );
        }
        let file = file?;
        let mut stream = match file.read::<T>() {
            Ok(stream) => stream,
            Err(error) => return self.lost(error).err().map(Err),
        };
        let (block, mut again, mut seen) = (Arc::clone(self), Some(again.clone()), 0);
        Some(Ok(stream::from_fn(move || {
            loop {
                let error = match stream.next_chunk() {
                    Ok(chunk) => {
                        seen += chunk.as_ref().map_or(0, Chunk::len);
                        return Ok(chunk);
                    }
                    Err(error) => error,
                };
                let Some(again) = again.take() else { return Err(error) };
                block.lost(error)?;
                stream = behind(again()?, seen);
            }
        })))
    }

    /// Returns where the partition lies; what is asked for in memory is used.
    fn place(&self) -> (Option<Arc<dyn AnyHeld>>, Option<Arc<SpillFile>>) {
        let place = self.lock();
        let (held, file) = (place.held.clone(), place.file.clone());
        drop(place);
        if let Some(held) = &held {
            held.claim().touch();
        }
        (held, file)
    }

    /// Takes note that the file is broken; fails if that is the end of it.
    fn lost(&self, error: Error) -> Result<()> {
        let Some(kept) = self.kept.upgrade() else { return Err(error) };
        if !kept.forget(self) {
            return Err(error);
        }
        tracing::warn!("{error}; the partition is computed again");
        Ok(())
    }

    /// Has the records lie on disk; returns whether they do.
    fn to_disk(&self, kept: &Kept, held: &Arc<dyn AnyHeld>) -> bool {
        let write = || -> Result<Arc<SpillFile>> {
            let mut writer = kept.disk().create_kept(kept.name(self.partition))?;
            held.write(&mut writer)?;
            writer.finish()
        };
        match catch_unwind(AssertUnwindSafe(write)) {
            Ok(Ok(file)) => {
                self.lock().file = Some(file);
                true
            }
            Ok(Err(error)) => {
                tracing::warn!("{error}; the partition can not leave memory for the disk");
                false
            }
            Err(_) => {
                let name = kept.name(self.partition);
                tracing::warn!(
                    "{name} can not leave memory for the disk: a record panicked when it was written"
                );
                false
            }
        }
    }

    /// A panic can not leave the place half changed: no code but ours runs under the lock.
    fn lock(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Evictable for Block {
    fn evict(&self, _: usize) -> bool {
        let Some(kept) = self.kept.upgrade() else { return false };
        let place = self.lock();
        let Some(held) = place.held.clone() else { return false };
        let on_disk = place.file.is_some();
        drop(place);
        // Whoever reads it holds the memory, whatever is done here.
        if Arc::strong_count(&held) > 2 {
            return false;
        }
        let safe = on_disk || (kept.level().use_disk() && self.to_disk(&kept, &held));
        if !safe && !kept.push_out(self) {
            return false;
        }
        let dropped = self.lock().held.take();
        drop((held, dropped));
        true
    }
}

/// Passes over the first records of a stream.
fn behind<T: Data>(mut stream: ChunkStream<T>, mut seen: usize) -> ChunkStream<T> {
    stream::from_fn(move || {
        while let Some(chunk) = stream.next_chunk()? {
            if chunk.len() > seen {
                let rest = if seen == 0 { chunk } else { chunk.into_vec().split_off(seen).into() };
                seen = 0;
                return Ok(Some(rest));
            }
            seen -= chunk.len();
        }
        Ok(None)
    })
}
