//! The partitions of one RDD that are kept.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::StorageLevel;
use super::block::{AnyHeld, Block};
use super::disk::Disk;
use super::memory::{Memory, Owner};
use super::unroll::{Again, Partial, Unrolled, unroll};
use crate::data::Data;
use crate::error::Result;
use crate::ids::RddId;
use crate::rdd::Info;
use crate::stream::ChunkStream;
use crate::task::TaskContext;

/// The kept partitions of an RDD; it belongs to the RDD and goes with it. It is nothing until the RDD is persisted.
///
/// It knows nothing of the records, so that all but reading them is compiled once.
#[derive(Default)]
pub struct Cache(OnceLock<Arc<Kept>>);

/// How far it is to be relied on that kept partitions are still there when they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// What lies there now will.
    AsItLies,
    /// What others can not push out will.
    OnDisk,
    /// Only what can not be computed again.
    Never,
}

pub(crate) struct Kept {
    on: AtomicBool,
    /// Whether the RDD is to forget what it is computed from, once all partitions are here.
    cuts_lineage: AtomicBool,
    rdd: RddId,
    memory: Memory,
    disk: Disk,
    state: Mutex<State>,
}

struct State {
    level: StorageLevel,
    /// The RDD has forgotten what it is computed from: nothing may be dropped.
    lineage_is_cut: bool,
    /// How many jobs are planned around what is kept: none of it is pushed out meanwhile.
    holds: usize,
    /// By partition.
    blocks: Vec<Option<Arc<Block>>>,
}

/// What lies where, of the partitions that are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) partitions: usize,
    pub(crate) memory: u64,
    pub(crate) disk: u64,
}

impl Cache {
    pub(crate) fn is_on(&self) -> bool {
        self.0.get().is_some_and(|kept| kept.is_on())
    }

    /// Returns what is kept, if the RDD is persisted.
    pub(crate) fn kept(&self) -> Option<&Arc<Kept>> {
        self.0.get().filter(|kept| kept.is_on())
    }

    pub(crate) fn lineage_is_cut(&self) -> bool {
        self.kept().is_some_and(|kept| kept.lineage_is_cut())
    }

    pub(crate) fn level(&self) -> StorageLevel {
        self.kept().map_or(StorageLevel::NONE, |kept| kept.lock().level)
    }

    /// Keeps partitions from now on; fails with the level that holds if it is another.
    pub(crate) fn switch_on(&self, info: &Info, level: StorageLevel) -> Result<(), StorageLevel> {
        let kept = self.made(info);
        let mut state = kept.lock();
        // What must not be dropped has a level that may be changed, but never to one that drops.
        let local = kept.cuts_lineage() || state.lineage_is_cut;
        let level = if local { level.or_disk() } else { level };
        if kept.is_on() && !local && state.level != level {
            return Err(state.level);
        }
        state.level = level;
        kept.on.store(true, Ordering::Release);
        Ok(())
    }

    /// Keeps partitions from now on, none of which is dropped, and has the lineage cut when all are there.
    pub(crate) fn cut_lineage(&self, info: &Info) {
        let kept = self.made(info);
        let mut state = kept.lock();
        state.level = if kept.is_on() { state.level.or_disk() } else { StorageLevel::MEMORY_AND_DISK };
        kept.cuts_lineage.store(true, Ordering::Release);
        kept.on.store(true, Ordering::Release);
    }

    fn made(&self, info: &Info) -> &Arc<Kept> {
        self.0.get_or_init(|| {
            Arc::new(Kept {
                on: AtomicBool::new(false),
                cuts_lineage: AtomicBool::new(false),
                rdd: info.id,
                memory: info.context.memory().clone(),
                disk: info.context.disk().clone(),
                state: Mutex::new(State {
                    level: StorageLevel::NONE,
                    lineage_is_cut: false,
                    holds: 0,
                    blocks: Vec::new(),
                }),
            })
        })
    }

    /// Takes note that the lineage is cut now, if it is to be and every partition is here; returns whether it is so.
    pub(crate) fn cut_if_complete(&self, partitions: usize) -> bool {
        let Some(kept) = self.kept().filter(|kept| kept.cuts_lineage()) else { return false };
        let state = kept.lock();
        if !state.is_complete(partitions) {
            return false;
        }
        let blocks: Vec<_> = state.blocks.iter().flatten().cloned().collect();
        drop(state);
        // What was deleted from the disk unnoticed can be computed again now, and never after this.
        let lost: Vec<_> = blocks.iter().filter(|block| !block.is_there()).collect();
        if !lost.is_empty() {
            for block in lost {
                kept.forget(block);
            }
            return false;
        }
        let mut state = kept.lock();
        let cuts = state.is_complete(partitions) && kept.cuts_lineage.swap(false, Ordering::AcqRel);
        state.lineage_is_cut |= cuts;
        cuts
    }

    pub(crate) fn switch_off(&self) {
        let Some(kept) = self.0.get() else { return };
        let mut state = kept.lock();
        kept.on.store(false, Ordering::Release);
        kept.cuts_lineage.store(false, Ordering::Release);
        let freed = std::mem::take(&mut state.blocks);
        drop(state);
        drop(freed); // after the lock: records may be many
    }

    /// Returns whether every partition is here, and can be relied on that far.
    pub(crate) fn is_complete(&self, partitions: usize, trust: Trust) -> bool {
        let Some(kept) = self.kept() else { return false };
        let state = kept.lock();
        let stays = match trust {
            Trust::AsItLies => true,
            Trust::OnDisk => state.lineage_is_cut || state.level.use_disk(),
            Trust::Never => state.lineage_is_cut,
        };
        stays && state.is_complete(partitions)
    }

    /// Has what is kept stay until the value is dropped, but for what its user frees.
    pub(crate) fn hold(&self) -> Option<Hold> {
        let kept = self.kept()?;
        kept.lock().holds += 1;
        Some(Box::new(Holding(Arc::clone(kept))))
    }

    pub(crate) fn sizes(&self) -> Sizes {
        let Some(kept) = self.kept() else { return Sizes::default() };
        let blocks: Vec<_> = kept.lock().blocks.iter().flatten().cloned().collect();
        blocks.iter().map(|block| block.sizes()).fold(Sizes::default(), |sum, (memory, disk)| Sizes {
            partitions: sum.partitions + 1,
            memory: sum.memory + memory,
            disk: sum.disk + disk,
        })
    }
}

/// Has the kept partitions of an RDD stay.
pub(crate) type Hold = Box<dyn Any + Send>;

struct Holding(Arc<Kept>);

impl Drop for Holding {
    fn drop(&mut self) {
        self.0.lock().holds -= 1;
    }
}

impl State {
    fn is_complete(&self, partitions: usize) -> bool {
        self.blocks.len() == partitions && self.blocks.iter().all(Option::is_some)
    }
}

impl Kept {
    fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }

    fn cuts_lineage(&self) -> bool {
        self.cuts_lineage.load(Ordering::Acquire)
    }

    fn lineage_is_cut(&self) -> bool {
        self.lock().lineage_is_cut
    }

    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    pub(super) fn level(&self) -> StorageLevel {
        self.lock().level
    }

    fn block(&self, partition: usize) -> Option<Arc<Block>> {
        self.lock().blocks.get(partition).cloned().flatten()
    }

    /// Reads a partition as it lies here; `again` computes it if it turns out to be broken.
    pub(crate) fn find<T: Data>(&self, partition: usize, again: &Again<T>) -> Option<Result<ChunkStream<T>>> {
        self.block(partition)?.open(again)
    }

    /// Reads a partition, computing and keeping it if it is not there.
    pub(crate) fn read<T: Data>(
        self: &Arc<Self>,
        partition: usize,
        again: &Again<T>,
    ) -> Result<ChunkStream<T>> {
        if let Some(block) = self.block(partition)
            && let Some(stream) = block.open(again)
        {
            let level = self.level();
            if !level.use_memory() || block.is_in_memory() {
                return stream;
            }
            // There may be room again for what had to leave.
            return match unroll(stream?, level.deserialized(), &self.memory, self.owner(), &self.disk)? {
                Unrolled::Fits(held) => {
                    let held = Arc::new(held);
                    block.hold(&(Arc::clone(&held) as _));
                    Ok(held.stream())
                }
                Unrolled::Over(partial) => Ok(partial.into_stream()),
            };
        }
        // Computed without a lock: two tasks that want the same partition at once may both compute it.
        let level = self.level();
        if !level.is_valid() {
            return again();
        }
        if !level.use_memory() {
            return self.to_disk(partition, Partial::begin(again()?), again);
        }
        match unroll(again()?, level.deserialized(), &self.memory, self.owner(), &self.disk)? {
            Unrolled::Fits(held) => {
                let held = Arc::new(held);
                self.put_in_memory(partition, Arc::clone(&held) as _);
                Ok(held.stream())
            }
            Unrolled::Over(partial) if level.use_disk() => self.to_disk(partition, partial, again),
            Unrolled::Over(partial) => {
                tracing::debug!("{} does not fit into memory: it is not kept", self.name(partition));
                Ok(partial.into_stream())
            }
        }
    }

    fn put_in_memory(self: &Arc<Self>, partition: usize, held: Arc<dyn AnyHeld>) {
        let block = Arc::new(Block::in_memory(self, partition, Arc::clone(&held)));
        self.put(&block);
        block.may_leave(&held);
    }

    /// Writes a partition to disk while it is computed, and reads it from there.
    fn to_disk<T: Data>(
        self: &Arc<Self>,
        partition: usize,
        partial: Partial<T>,
        again: &Again<T>,
    ) -> Result<ChunkStream<T>> {
        let mut writer = match self.disk.create_kept(self.name(partition)) {
            Ok(writer) => writer,
            Err(error) => {
                tracing::warn!("{error}; the partition is not kept");
                return Ok(partial.into_stream());
            }
        };
        if let Err(error) = partial.write(&mut writer) {
            if !writer.disk_failed() {
                return Err(error);
            }
            // What was computed so far is gone.
            tracing::warn!("{error}; the partition is not kept and computed again");
            drop(writer);
            return again();
        }
        let block = Arc::new(Block::on_disk(self, partition, writer.finish()?));
        self.put(&block);
        block.open(again).unwrap_or_else(|| again())
    }

    /// Enters a block, unless the RDD is no longer persisted.
    fn put(self: &Arc<Self>, block: &Arc<Block>) {
        let (kept, put) = (Arc::downgrade(self), Arc::downgrade(block));
        TaskContext::leaves(move || {
            if let (Some(kept), Some(block)) = (kept.upgrade(), put.upgrade()) {
                kept.forget(&block);
            }
        });
        let partition = block.partition();
        let mut state = self.lock();
        let mut old = None;
        if self.is_on() {
            if state.blocks.len() <= partition {
                state.blocks.resize_with(partition + 1, || None);
            }
            if let Some(slot) = state.blocks.get_mut(partition) {
                old = slot.replace(Arc::clone(block));
            }
        }
        drop(state);
        drop(old);
    }

    /// Forgets a block that others push out, unless it can not be computed again or jobs are planned around it; returns
    /// whether it is forgotten.
    pub(super) fn push_out(&self, block: &Block) -> bool {
        let state = self.lock();
        state.holds == 0 && self.forget_in(state, block)
    }

    /// Forgets a block that is lost, unless it can not be computed again; returns whether it is forgotten.
    pub(super) fn forget(&self, block: &Block) -> bool {
        self.forget_in(self.lock(), block)
    }

    fn forget_in(&self, mut state: MutexGuard<'_, State>, block: &Block) -> bool {
        if state.lineage_is_cut {
            return false;
        }
        let slot = state.blocks.get_mut(block.partition());
        let is_it = |there: &mut Arc<Block>| std::ptr::eq(&raw const **there, block);
        let gone = slot.and_then(|slot| slot.take_if(is_it));
        drop(state);
        drop(gone);
        true
    }

    /// Returns what a partition is called in messages.
    pub(super) fn name(&self, partition: usize) -> String {
        format!("kept partition {partition} of RDD {}", self.rdd)
    }

    fn owner(&self) -> Owner {
        Owner::Rdd(self.rdd)
    }

    /// A panic can not leave the state half changed: no code but ours runs under the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
