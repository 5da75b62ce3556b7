//! The memory that a table has claimed, and what leaves it when that is too much.

use std::cmp::Reverse;
use std::sync::Weak;

use millstream_core::storage::memory::{Claim, Evictable};
use millstream_core::{Data, Key, Result};

use super::log::Change;
use super::room::Room;
use super::table::Table;

/// So many bytes are claimed at once; a table that takes less is not counted.
const STEP: usize = 64 * 1024;

/// What a table has claimed.
pub(super) struct Claimed {
    room: Room,
    claim: Claim,
}

impl Claimed {
    pub(super) fn new(room: Room) -> Self {
        Claimed { claim: room.claim(), room }
    }

    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// Says who is told to leave when others need the memory.
    pub(super) fn evict_by(&self, what: Weak<dyn Evictable>) {
        self.claim.evict_by(what);
    }

    /// Takes note that the table is used.
    pub(super) fn touch(&self) {
        if self.claim.bytes() > 0 {
            self.claim.touch();
        }
    }
}

impl<K: Key, S: Data> Table<K, S> {
    /// Claims what the table takes. Where there is no room for it others leave, then what of this was not used for the longest
    /// time; the shelf `keep` stays.
    ///
    /// # Errors
    /// If something must leave and the disk does not take it.
    #[inline]
    pub(super) fn settle(&mut self, keep: usize) -> Result<()> {
        let taken = self.taken();
        match &self.claimed {
            Some(claimed) if taken > claimed.claim.bytes() + STEP => self.claim(keep),
            Some(claimed) if taken + taken / 4 + 2 * STEP < claimed.claim.bytes() => {
                self.give_back();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Returns how many bytes of memory this takes, about.
    fn taken(&self) -> usize {
        let timeouts = self.timeouts.as_ref().map_or(0, super::timeouts::Timeouts::allocated);
        self.bytes + self.index.allocated() + timeouts
    }

    #[inline(never)]
    fn claim(&mut self, keep: usize) -> Result<()> {
        let taken = self.taken();
        let Some(claimed) = &mut self.claimed else { return Ok(()) };
        let lacking = taken - claimed.claim.bytes();
        if claimed.claim.grow(lacking) {
            return Ok(());
        }
        // More than is asked for, so that this is not done for each shelf.
        self.leave(lacking.max(taken / 16), Some(keep))?;
        let taken = self.taken();
        if let Some(claimed) = &mut self.claimed {
            // The index, and a shelf, must lie in memory.
            claimed.claim.force(taken.saturating_sub(claimed.claim.bytes()));
        }
        self.give_back();
        Ok(())
    }

    fn give_back(&mut self) {
        let taken = self.taken();
        if let Some(claimed) = &mut self.claimed {
            claimed.claim.shrink(claimed.claim.bytes().saturating_sub(taken));
        }
    }

    /// Leaves memory for the disk, as much of it as there must; returns whether that was so much.
    fn leave(&mut self, at_least: usize, keep: Option<usize>) -> Result<bool> {
        let Some(room) = self.claimed.as_ref().map(|claimed| claimed.room.clone()) else { return Ok(false) };
        let mut freed = 0;
        // Old states are hardly ever read again.
        for log in &mut self.logs {
            let Change::All(shelves) = &mut log.change else { continue };
            for past in shelves {
                if freed >= at_least {
                    break;
                }
                let Some(states) = past.states.as_mut().filter(|states| states.bytes() > 0) else { continue };
                let left = states.leave(&room)?;
                freed += left;
                self.bytes -= left;
            }
        }
        let mut cold: Vec<(u64, Reverse<usize>)> = Vec::new();
        if freed < at_least {
            let shelves = self.shelves.iter().enumerate();
            let can = shelves.filter(|(at, shelf)| Some(*at) != keep && shelf.bytes() > 0);
            // Whoever goes through all of them comes to the last ones last.
            cold.extend(can.map(|(at, shelf)| (shelf.used, Reverse(at))));
            cold.sort_unstable();
        }
        for (_, Reverse(at)) in cold {
            if freed >= at_least {
                break;
            }
            let before = self.bytes;
            self.change(at, |shelf| shelf.leave(&room))?;
            freed += before - self.bytes;
        }
        Ok(freed >= at_least)
    }

    /// Leaves memory because others need it.
    pub(super) fn make_way(&mut self, at_least: usize) -> bool {
        let left = self.leave(at_least, None).unwrap_or_else(|error| {
            // It stays; the one that needs memory finds another way.
            tracing::warn!("{error}");
            false
        });
        self.give_back();
        left
    }
}
