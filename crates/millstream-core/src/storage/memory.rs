//! The memory that a context's blocks share, and who must leave it when it is used up.
//!
//! What takes much memory takes it from here first: [`Memory::take`] gives a [`Claim`], which gives the memory back when
//! it is dropped. A claim whose block can leave memory (to disk, or away) is registered with [`Claim::evict_by`]; when
//! others need room, the blocks that were not touched for the longest time are told to leave.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, ThreadId};

use crate::conf::Conf;
use crate::error::Result;
use crate::ids::RddId;
use crate::settings;

/// The memory that the blocks of a context share. Cloning is shallow.
#[derive(Clone)]
pub struct Memory(Arc<Inner>);

struct Inner {
    budget: usize,
    /// As many bytes of blocks are safe from what tasks work with.
    safe: usize,
    state: Mutex<State>,
    /// Somebody left.
    left: Condvar,
}

#[derive(Default)]
struct State {
    used: usize,
    most_used: usize,
    next: u64,
    /// Claims that can leave.
    blocks: HashMap<u64, Block>,
    /// The same by last use; the first is the one not used for the longest time.
    by_use: BTreeMap<u64, u64>,
    /// The bytes of those in `blocks` that are not of tasks, without those that are leaving.
    kept: usize,
    /// The blocks being told to leave: their bytes, and by whom.
    leaving: HashMap<u64, (usize, ThreadId)>,
}

struct Block {
    owner: Owner,
    used_at: u64,
    bytes: usize,
    what: Weak<dyn Evictable>,
}

impl Block {
    /// Returns how many bytes of it count as kept.
    fn kept(&self) -> usize {
        if self.owner == Owner::Tasks { 0 } else { self.bytes }
    }
}

/// For whom memory is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The kept partitions of an RDD, which do not push out each other.
    Rdd(RddId),
    /// Blocks that were received.
    Received,
    /// What stateful operators know of their keys.
    State,
    /// What tasks work with: buckets, sorted runs, tables. It leaves `spark.memory.storageFraction` to kept blocks.
    Tasks,
}

/// What can leave memory when others need it.
pub trait Evictable: Send + Sync {
    /// Leaves memory, to disk or away, and drops the claim; returns whether it did. What stays is passed over.
    ///
    /// What has many parts may keep some: it shrinks its claim by `at_least` so many bytes, if it can.
    ///
    /// Called on the thread that needs memory, which holds no lock of [`Memory`]. It may not take memory in turn.
    fn evict(&self, at_least: usize) -> bool;
}

impl Memory {
    /// Makes a memory of some bytes, of which `safe` are kept from what tasks work with.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::storage::memory::Memory;
    /// let memory = Memory::new(1000, 500);
    /// assert_eq!((memory.budget(), memory.used()), (1000, 0));
    /// ```
    #[must_use]
    pub fn new(budget: usize, safe: usize) -> Self {
        Memory(Arc::new(Inner { budget, safe, state: Mutex::default(), left: Condvar::new() }))
    }

    /// Makes the memory that the settings say.
    ///
    /// # Errors
    /// If a setting can not be used.
    pub(crate) fn of(conf: &Conf) -> Result<Self> {
        let total = conf.get(settings::DRIVER_MEMORY)?.unwrap_or_else(of_machine);
        let budget = total as f64 * conf.get(settings::MEMORY_FRACTION)?;
        let safe = budget * conf.get(settings::MEMORY_STORAGE_FRACTION)?;
        Ok(Self::new(budget as usize, safe as usize))
    }

    /// Returns how many bytes there are.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, Context};
    ///
    /// let conf = Conf::empty().set("spark.driver.memory", "1g").set("spark.memory.fraction", "0.5");
    /// assert_eq!(Context::new(conf)?.memory().budget(), 512 << 20);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn budget(&self) -> usize {
        self.0.budget
    }

    /// Returns how many bytes are taken.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::storage::memory::{Memory, Owner};
    /// let memory = Memory::new(1000, 500);
    /// let mut claim = memory.take_none(Owner::Tasks);
    /// assert!(claim.grow(600));
    /// assert_eq!(memory.used(), 600);
    /// drop(claim);
    /// assert_eq!(memory.used(), 0);
    /// ```
    #[must_use]
    pub fn used(&self) -> usize {
        self.lock().used
    }

    /// Returns how many bytes were taken at most at one time.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::storage::memory::{Memory, Owner};
    /// let memory = Memory::new(1000, 500);
    /// let mut claim = memory.take_none(Owner::Tasks);
    /// assert!(claim.grow(600));
    /// drop(claim);
    /// assert_eq!((memory.used(), memory.most_used()), (0, 600));
    /// ```
    #[must_use]
    pub fn most_used(&self) -> usize {
        self.lock().most_used
    }

    /// Takes some bytes, for which blocks of others may have to leave; nothing if there is no room.
    ///
    /// Costs a lock: what grows by little should ask for more at once.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::storage::memory::{Memory, Owner};
    /// let memory = Memory::new(1000, 0);
    /// let claim = memory.take(600, Owner::Tasks).unwrap();
    /// assert!(memory.take(600, Owner::Tasks).is_none());
    /// drop(claim);
    /// assert_eq!(memory.used(), 0);
    /// ```
    #[must_use]
    pub fn take(&self, bytes: usize, owner: Owner) -> Option<Claim> {
        let mut claim = self.take_none(owner);
        claim.grow(bytes).then_some(claim)
    }

    /// Takes no bytes yet.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::storage::memory::{Memory, Owner};
    /// let claim = Memory::new(1000, 500).take_none(Owner::Tasks);
    /// assert_eq!(claim.bytes(), 0);
    /// ```
    #[must_use]
    pub fn take_none(&self, owner: Owner) -> Claim {
        let mut state = self.lock();
        state.next += 1;
        Claim { memory: self.clone(), number: state.next, owner, bytes: 0 }
    }

    /// Adds to what is used, once there is room; returns whether there is.
    fn reserve(&self, bytes: usize, owner: Owner, asking: u64) -> bool {
        let mut state = self.lock();
        if state.used.saturating_add(bytes) <= self.0.budget {
            state.add(bytes);
            return true;
        }
        // Those that could not leave, and the one that asks.
        let mut staying = vec![asking];
        let here = thread::current().id();
        loop {
            let wanted = state.used.saturating_add(bytes);
            if wanted <= self.0.budget {
                state.add(bytes);
                return true;
            }
            // What is told to leave on this thread is at work further up: it may not push out others in turn.
            if bytes > self.0.budget || state.leaving.values().any(|(_, thread)| *thread == here) {
                return false;
            }
            let coming: usize = state.leaving.values().map(|(bytes, _)| bytes).sum();
            let safe = if owner == Owner::Tasks { self.0.safe } else { 0 };
            let lacking = wanted.saturating_sub(self.0.budget.saturating_add(coming));
            let Some(victims) = state.victims(lacking, owner, safe, &staying) else { return false };
            if victims.is_empty() {
                // Others are about to leave.
                state = self.0.left.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let told: Vec<_> = victims.iter().filter_map(|number| state.tell(*number, here)).collect();
            drop(state);
            for (number, what) in told {
                // What can not be told any more is being dropped by somebody, who may be waiting for this thread.
                let evict = || what.upgrade().is_some_and(|what| what.evict(lacking));
                if catch_unwind(AssertUnwindSafe(evict)).is_err() {
                    tracing::error!("a block panicked when it was told to leave memory");
                }
                let mut state = self.lock();
                if state.stays(number) {
                    staying.push(number);
                }
                drop(state);
                self.0.left.notify_all();
            }
            state = self.lock();
        }
    }

    /// A panic can not leave the state half changed: no code but ours runs under the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, bytes: usize) {
        self.used += bytes;
        self.most_used = self.most_used.max(self.used);
    }

    /// Chooses who is to leave so that some bytes become free; nothing if that is not enough.
    fn victims(&self, bytes: usize, owner: Owner, safe: usize, staying: &[u64]) -> Option<Vec<u64>> {
        let mut victims = Vec::new();
        let (mut freed, mut kept) = (0, self.kept);
        for number in self.by_use.values() {
            if freed >= bytes {
                break;
            }
            let Some(block) = self.blocks.get(number) else { continue };
            let same_rdd = matches!(owner, Owner::Rdd(_)) && block.owner == owner;
            let is_safe = block.owner != Owner::Tasks && kept <= safe;
            let leaving = self.leaving.contains_key(number);
            // What is no more than a reference gives nothing back.
            let is_worth = block.bytes > size_of::<usize>();
            if is_worth && !same_rdd && !is_safe && !leaving && !staying.contains(number) {
                freed += block.bytes;
                kept -= block.kept();
                victims.push(*number);
            }
        }
        (freed >= bytes).then_some(victims)
    }

    fn tell(&mut self, number: u64, thread: ThreadId) -> Option<(u64, Weak<dyn Evictable>)> {
        let block = self.blocks.get(&number)?;
        self.kept -= block.kept();
        self.leaving.insert(number, (block.bytes, thread));
        Some((number, Weak::clone(&block.what)))
    }

    /// Returns whether a block that was told to leave is still there.
    fn stays(&mut self, number: u64) -> bool {
        // It is not among the leaving any more when it was registered anew meanwhile.
        let told = self.leaving.remove(&number).is_some();
        let block = self.blocks.get(&number);
        if let Some(block) = block.filter(|_| told) {
            self.kept += block.kept();
        }
        block.is_some_and(|block| block.bytes > 0)
    }

    /// Changes what is known of a block's size.
    fn resize(&mut self, number: u64, bytes: usize) {
        if let Some(block) = self.blocks.get_mut(&number) {
            let before = block.kept();
            block.bytes = bytes;
            match self.leaving.get_mut(&number) {
                Some((leaving, _)) => *leaving = bytes,
                None => self.kept = self.kept - before + block.kept(),
            }
        }
    }

    fn touch(&mut self, number: u64) {
        self.next += 1;
        let now = self.next;
        if let Some(block) = self.blocks.get_mut(&number) {
            self.by_use.remove(&block.used_at);
            block.used_at = now;
            self.by_use.insert(now, number);
        }
    }

    fn forget(&mut self, number: u64) -> Option<Block> {
        let block = self.blocks.remove(&number)?;
        self.by_use.remove(&block.used_at);
        if self.leaving.remove(&number).is_none() {
            self.kept -= block.kept();
        }
        Some(block)
    }
}

/// Some bytes of a [`Memory`], which are given back when it is dropped.
pub struct Claim {
    memory: Memory,
    number: u64,
    owner: Owner,
    bytes: usize,
}

impl Claim {
    /// Returns how many bytes are taken.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::storage::memory::{Memory, Owner};
    /// let mut claim = Memory::new(1000, 500).take_none(Owner::Tasks);
    /// assert!(claim.grow(600));
    /// assert_eq!(claim.bytes(), 600);
    /// ```
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes more bytes, for which blocks of others may have to leave; returns whether there was room.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::storage::memory::{Memory, Owner};
    /// let mut claim = Memory::new(1000, 500).take_none(Owner::Tasks);
    /// assert!(claim.grow(600) && !claim.grow(600));
    /// assert_eq!(claim.bytes(), 600);
    /// ```
    pub fn grow(&mut self, more: usize) -> bool {
        let grown = self.memory.reserve(more, self.owner, self.number);
        if grown {
            self.bytes += more;
            self.memory.lock().resize(self.number, self.bytes);
        }
        grown
    }

    /// Takes more bytes, even if there is no room for them: for what must lie in memory and is there already.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::storage::memory::{Memory, Owner};
    /// let memory = Memory::new(1000, 500);
    /// let mut claim = memory.take_none(Owner::Tasks);
    /// claim.force(1200);
    /// assert_eq!(memory.used(), 1200);
    /// ```
    pub fn force(&mut self, more: usize) {
        if !self.grow(more) {
            self.bytes += more;
            let mut state = self.memory.lock();
            state.add(more);
            state.resize(self.number, self.bytes);
        }
    }

    /// Gives bytes back; all of them if there are fewer.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::storage::memory::{Memory, Owner};
    /// let memory = Memory::new(1000, 500);
    /// let mut claim = memory.take_none(Owner::Tasks);
    /// claim.force(600);
    /// claim.shrink(200);
    /// assert_eq!((claim.bytes(), memory.used()), (400, 400));
    /// ```
    pub fn shrink(&mut self, less: usize) {
        let less = less.min(self.bytes);
        self.bytes -= less;
        let mut state = self.memory.lock();
        state.used -= less;
        state.resize(self.number, self.bytes);
        drop(state);
        self.memory.0.left.notify_all();
    }

    /// Says who is told to leave when others need this memory; it must hold this claim and drop it then.
    ///
    /// Another call takes the place of the first.
    pub fn evict_by(&self, what: Weak<dyn Evictable>) {
        let mut state = self.memory.lock();
        let old = state.forget(self.number);
        state.next += 1;
        let (number, used_at) = (self.number, state.next);
        let block = Block { owner: self.owner, used_at, bytes: self.bytes, what };
        state.kept += block.kept();
        state.blocks.insert(number, block);
        state.by_use.insert(used_at, number);
        drop(state);
        drop(old);
    }

    /// Takes note that the block was used just now. Costs a lock.
    pub fn touch(&self) {
        self.memory.lock().touch(self.number);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut state = self.memory.lock();
        state.used -= self.bytes;
        let block = state.forget(self.number);
        drop(state);
        drop(block); // the weak handle may be the last trace of a block
        self.memory.0.left.notify_all();
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} of {} bytes)", self.used(), self.budget())
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claim({} bytes for {:?})", self.bytes, self.owner)
    }
}

/// Returns the memory of the machine, or of the control group that this process is confined to, in bytes.
fn of_machine() -> u64 {
    /// What a machine is taken to have that does not say.
    const UNKNOWN: u64 = 1 << 30;
    let read = |file: &str| std::fs::read_to_string(file).ok();
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    let machine = read("/proc/meminfo").and_then(|text| {
        let line =
            text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.strip_suffix("kB").map(str::trim));
        line?.parse::<u64>().ok()?.checked_mul(1024)
    });
    limits(&groups)
        .iter()
        .filter_map(|file| read(file)?.trim().parse().ok())
        .chain(machine)
        .min()
        .unwrap_or(UNKNOWN)
}

/// Returns the files that may hold a limit for a process whose `/proc/self/cgroup` reads as given.
fn limits(groups: &str) -> Vec<String> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, name) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // Every group above confines it too; in a container the path may not be there, but the root is.
        let mut path = path.trim_end_matches('/');
        loop {
            files.push(format!("{root}{path}/{name}"));
            match path.rsplit_once('/') {
                Some((above, _)) => path = above,
                None => break,
            }
        }
    }
    files
}

#[cfg(test)]
mod tests;
