//! A partition of a state, changed in place, and the way back.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Weak;

use millstream_core::shuffle::hash::pinned_hash;
use millstream_core::shuffle::prefetch::prefetch;
use millstream_core::storage::size_estimate::estimate;
use millstream_core::{Data, Error, Key, Result};

use super::bits::{Bits, SHELF};
use super::claimed::Claimed;
use super::index::Index;
use super::log::{Change, Log, Past, Touched, Was};
use super::making::Step;
use super::room::Room;
use super::shelf::Shelf;
use super::timeouts::Timeouts;
use super::version::{AnyRecord, Version};
use super::view::View;

/// The keys of a partition with their states, as the last batch left them, and what batches have overwritten since the
/// oldest version in use.
pub(super) struct Table<K: Key, S: Data> {
    pub(super) index: Index,
    pub(super) shelves: Vec<Shelf<K, S>>,
    /// Of an operator whose keys time out.
    pub(super) timeouts: Option<Timeouts>,
    /// How many keys have a state.
    pub(super) keys: usize,
    /// The version that the states are of.
    number: u64,
    /// The last one leads from the version before to this one.
    pub(super) logs: VecDeque<Log<S>>,
    made: Vec<Made<K, S>>,
    /// Memory for old states.
    pub(super) spare: Vec<Vec<S>>,
    /// What shelves and logs take, about.
    pub(super) bytes: usize,
    /// Nothing of a table that was made of bytes and not used yet.
    pub(super) claimed: Option<Claimed>,
    /// Why nothing is known any more: the way back is broken.
    broken: Option<Error>,
}

/// A version that was made of this table.
struct Made<K: Key, S: Data> {
    number: u64,
    /// Which step made it.
    by: u64,
    version: Weak<Version<K, S>>,
    /// The record that step has put out.
    record: Weak<dyn Any + Send + Sync>,
}

impl<K: Key, S: Data> Table<K, S> {
    /// Makes an empty table, of version 0.
    pub(super) fn new(with_timeouts: bool, room: Option<Room>) -> Self {
        Table {
            index: Index::default(),
            shelves: Vec::new(),
            timeouts: with_timeouts.then(Timeouts::default),
            keys: 0,
            number: 0,
            logs: VecDeque::new(),
            made: Vec::new(),
            spare: Vec::new(),
            bytes: 0,
            claimed: room.map(Claimed::new),
            broken: None,
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn has_timeouts(&self) -> bool {
        self.timeouts.is_some()
    }

    /// Calls `f` with each key of a version, its state and when it was touched last.
    pub(super) fn each(&self, version: u64, mut f: impl FnMut(&K, &S, i64) -> Result<()>) -> Result<()> {
        for shelf in 0..self.shelves.len() {
            let view = self.view(version, shelf)?;
            view.iter().try_for_each(|(at, key, state)| f(key, state, self.time(version, at)))?;
        }
        Ok(())
    }

    /// Makes a table of its own that begins with a version.
    pub(super) fn copy(&self, version: u64) -> Result<Self> {
        let room = self.claimed.as_ref().map(Claimed::room);
        let mut copy = Table::new(self.has_timeouts(), room.cloned());
        self.each(version, |key, state, time| {
            copy.put(pinned_hash(key), key.clone(), Some((state.clone(), time)))
        })?;
        Ok(copy)
    }

    /// Returns whether most of what it takes is left over from keys that have left.
    pub(super) fn is_sparse(&self) -> bool {
        self.numbers() > 4 * (self.keys + SHELF)
    }

    /// Sets the state of a key without a way back: for a table that nobody has seen yet.
    pub(super) fn put(&mut self, hash: u64, key: K, state: Option<(S, i64)>) -> Result<()> {
        let found = self.find(hash, &key)?;
        match (found, state) {
            (Some(at), None) => {
                self.keys -= usize::from(self.is_there(at));
                self.shelves[at / SHELF].there.set(at % SHELF, false);
                self.index.remove(at);
            }
            (None, None) => {}
            (found, Some((state, time))) => {
                let at = match found {
                    Some(at) => {
                        self.replace(at, state);
                        at
                    }
                    None => self.insert(hash, key, state)?,
                };
                if let Some(timeouts) = &mut self.timeouts {
                    timeouts.set(at, time);
                }
                self.settle(at / SHELF)?;
            }
        }
        Ok(())
    }

    /// Says that keys which were last touched at `from` were so at `to`; returns whether there are any.
    pub(super) fn date(&mut self, from: i64, to: i64) -> bool {
        let mut any = false;
        for at in 0..self.numbers() {
            if self.is_there(at)
                && let Some(timeouts) = self.timeouts.as_mut().filter(|timeouts| timeouts.last(at) == from)
            {
                timeouts.set(at, to);
                any = true;
            }
        }
        any
    }

    /// Returns the number of a key that is known; its shelf lies in memory then.
    #[inline]
    pub(super) fn find(&mut self, hash: u64, key: &K) -> Result<Option<usize>> {
        // Of other keys with the same hash, on shelves that have left memory.
        let mut others = Vec::new();
        loop {
            let is = |at: usize| match self.shelves[at / SHELF].keys.in_memory() {
                Some(keys) => keys[at % SHELF] == *key,
                None => self.index.hash(at) == hash && !others.contains(&at),
            };
            let Some(at) = self.index.find(hash, is) else { return Ok(None) };
            self.load(at / SHELF)?;
            let (known, state) = self.pair(at);
            if known == key {
                prefetch(state);
                return Ok(Some(at));
            }
            others.push(at);
        }
    }

    /// Brings a shelf into memory.
    #[inline]
    pub(super) fn load(&mut self, shelf: usize) -> Result<()> {
        let lying = &mut self.shelves[shelf];
        lying.used = self.number + 1;
        if lying.in_memory().is_some() {
            return Ok(());
        }
        self.change(shelf, Shelf::load)?;
        self.settle(shelf)
    }

    /// Returns a key and what lies beside it, on a shelf that lies in memory.
    #[inline]
    pub(super) fn pair(&self, at: usize) -> (&K, &S) {
        #[allow(
            clippy::expect_used,
            reason = "callers bring it into memory; nothing of a user's leads here otherwise"
        )]
        let (keys, states) = self.shelves[at / SHELF].in_memory().expect("a shelf in memory");
        (&keys[at % SHELF], &states[at % SHELF])
    }

    /// Returns whether a key has a state.
    #[inline]
    pub(super) fn is_there(&self, at: usize) -> bool {
        self.shelves.get(at / SHELF).is_some_and(|shelf| shelf.there.get(at % SHELF))
    }

    /// Gives a new key a number and its state.
    pub(super) fn insert(&mut self, hash: u64, key: K, state: S) -> Result<usize> {
        let at = self.index.next();
        let (shelf, place) = (at / SHELF, at % SHELF);
        if shelf == self.shelves.len() {
            self.shelves.push(Shelf::default());
        }
        self.load(shelf)?;
        self.change(shelf, |lying| lying.put(place, key, state));
        self.keys += 1;
        Ok(self.index.insert(hash))
    }

    /// Gives a key whose shelf lies in memory a state; returns what lay there.
    pub(super) fn replace(&mut self, at: usize, state: S) -> Option<S> {
        let place = at % SHELF;
        self.keys += usize::from(!self.is_there(at));
        self.change(at / SHELF, |lying| {
            lying.there.set(place, true);
            lying.states.put(place, state)
        })
    }

    /// Changes what lies on a shelf.
    #[inline]
    pub(super) fn change<R>(&mut self, shelf: usize, change: impl FnOnce(&mut Shelf<K, S>) -> R) -> R {
        let lying = &mut self.shelves[shelf];
        let before = lying.bytes();
        let changed = change(lying);
        self.bytes = self.bytes + lying.bytes() - before;
        changed
    }

    /// Returns the record that a step has made of a version before, if it is still there.
    pub(super) fn made_by(&self, step: u64) -> Option<AnyRecord> {
        self.made.iter().find(|made| made.by == step).and_then(|made| made.record.upgrade())
    }

    /// Goes back to a version that is in use, unless a later one is.
    pub(super) fn go_back(&mut self, number: u64) -> Result<bool> {
        self.intact()?;
        let in_use = |made: &Made<K, S>| made.number > number && made.version.strong_count() > 0;
        if self.made.iter().any(in_use) {
            return Ok(false);
        }
        if self.number > number {
            // Should a shelf not be there any more, or code of the user's panic.
            self.broken = Some(Error::user("a batch of the state could not be taken back"));
            let undone = self.undo_to(number);
            self.broken = undone.as_ref().err().cloned();
            undone?;
        }
        self.made.retain(|made| made.number <= number);
        Ok(true)
    }

    /// Fails if nothing is known any more.
    fn intact(&self) -> Result<()> {
        self.broken.clone().map_or(Ok(()), Err)
    }

    /// Notes a version that was made.
    pub(super) fn note(
        &mut self,
        by: u64,
        version: Weak<Version<K, S>>,
        record: Weak<dyn Any + Send + Sync>,
    ) {
        self.made.push(Made { number: self.number, by, version, record });
    }

    /// Begins to make the next version; dropped without [`commit`](Step::commit) the table goes back when it is used next.
    pub(super) fn step(&mut self, time: i64) -> Step<'_, K, S> {
        if let Some(claimed) = &self.claimed {
            claimed.touch();
        }
        self.forget();
        Step::new(self, time)
    }

    /// Enters what has led to the next version.
    pub(super) fn enter(&mut self, change: Change<S>, gone: Vec<u32>) {
        self.number += 1;
        self.bytes += change.bytes();
        self.logs.push_back(Log { number: self.number, change, gone });
    }

    /// Drops the logs that no version in use needs, and with them keys that have left.
    fn forget(&mut self) {
        self.made.retain(|made| made.version.strong_count() > 0);
        let oldest = self.made.iter().map(|made| made.number).min().unwrap_or(self.number);
        while let Some(log) = self.logs.pop_front_if(|log| log.number <= oldest) {
            for at in log.gone {
                self.free(at as usize);
            }
            self.drop_change(log.change);
        }
        // Between two that are in use one full log will do.
        let mut is_full = false;
        for at in 0..self.logs.len() {
            let Some(log) = self.logs.get_mut(at) else { continue };
            let full = matches!(log.change, Change::All(_) | Change::Forgotten);
            let before = log.number - 1;
            if is_full && full && !self.made.iter().any(|made| made.number == before) {
                let change = std::mem::replace(&mut log.change, Change::Forgotten);
                self.drop_change(change);
            }
            is_full = full;
        }
        let shelves = &self.shelves;
        if let Some(timeouts) = &mut self.timeouts {
            let is_there = |at: usize| shelves[at / SHELF].there.get(at % SHELF);
            timeouts.tidy(self.keys, is_there);
        }
    }

    fn drop_change(&mut self, change: Change<S>) {
        self.bytes -= change.bytes();
        let Change::All(shelves) = change else { return };
        for past in shelves {
            if let Some(states) = past.states
                && self.spare.len() < self.shelves.len()
            {
                self.spare.extend(states.into_memory());
            }
        }
    }

    /// Makes the number of a key free that has no state in any version.
    fn free(&mut self, at: usize) {
        if !self.is_there(at) && !self.logs.iter().any(|log| log.change.had(at)) {
            self.index.remove(at);
        }
    }

    fn undo_to(&mut self, number: u64) -> Result<()> {
        while let Some(log) = self.logs.pop_back_if(|log| log.number > number) {
            self.bytes -= log.change.bytes();
            let all = !matches!(log.change, Change::Touched(_));
            match log.change {
                Change::Touched(touched) => self.undo_touched(touched)?,
                Change::All(shelves) => self.undo_all(shelves)?,
                // What was before is told by the log before.
                Change::Forgotten => {}
            }
            self.number -= 1;
            let numbers = if all { 0..self.numbers() } else { 0..0 };
            numbers.chain(log.gone.into_iter().map(|at| at as usize)).for_each(|at| self.free(at));
        }
        Ok(())
    }

    fn undo_touched(&mut self, touched: Touched<S>) -> Result<()> {
        for (at, old) in touched.into_entries() {
            match old.state {
                Was::Same => {}
                Was::Absent => {
                    self.keys -= usize::from(self.is_there(at));
                    self.shelves[at / SHELF].there.set(at % SHELF, false);
                }
                Was::Known(state) => {
                    self.load(at / SHELF)?;
                    self.replace(at, state);
                }
            }
            if !self.is_there(at) {
                self.free(at);
            } else if let Some(timeouts) = &mut self.timeouts {
                timeouts.set(at, old.time);
            }
        }
        Ok(())
    }

    fn undo_all(&mut self, past: Vec<Past<S>>) -> Result<()> {
        let mut past = past.into_iter();
        for number in 0..self.shelves.len() {
            let Some(before) = past.next() else {
                self.keys -= self.shelves[number].there.count();
                self.shelves[number].there = Bits::default();
                continue;
            };
            if let Some(mut states) = before.states {
                self.load(number)?;
                states.load()?;
                self.change(number, |lying| {
                    // Keys that came later stay where they lie.
                    states.fill_up(&lying.states);
                    lying.states = states;
                });
            }
            self.keys -= self.shelves[number].there.count();
            self.keys += before.there.count();
            self.shelves[number].there = before.there;
        }
        Ok(())
    }

    /// Returns how many numbers of keys there are; those without a state in a version are none of it.
    pub(super) fn numbers(&self) -> usize {
        self.index.numbers()
    }

    /// Returns how many shelves there are.
    pub(super) fn shelves(&self) -> usize {
        self.shelves.len()
    }

    /// Returns a shelf as it was in a version.
    pub(super) fn view(&self, version: u64, shelf: usize) -> Result<View<'_, K, S>> {
        self.intact()?;
        View::of(shelf, &self.shelves[shelf], self.since(version))
    }

    /// Returns when a key was last touched in a version, in milliseconds; 0 where that is not kept.
    pub(super) fn time(&self, version: u64, at: usize) -> i64 {
        let Some(timeouts) = &self.timeouts else { return 0 };
        self.since(version).find_map(|log| log.change.time_before(at)).unwrap_or_else(|| timeouts.last(at))
    }

    /// Returns when the key was touched whose last touch is the longest ago, in milliseconds, in the newest version.
    pub(super) fn oldest_touch(&self) -> Option<i64> {
        self.timeouts.as_ref()?.oldest(|at| self.is_there(at))
    }

    /// Returns the logs after a version, the oldest first.
    fn since(&self, version: u64) -> impl Iterator<Item = &Log<S>> {
        self.logs.iter().filter(move |log| log.number > version)
    }

    /// Returns the numbers of the keys that batches after `earlier` and up to `later` have touched, some of them several times; nothing
    /// if all of them.
    pub(super) fn touched(&self, earlier: u64, later: u64) -> Option<Vec<usize>> {
        let mut numbers = Vec::new();
        for log in self.since(earlier).filter(|log| log.number <= later) {
            match &log.change {
                Change::All(_) | Change::Forgotten => return None,
                Change::Touched(touched) => numbers.extend(touched.numbers()),
            }
        }
        Some(numbers)
    }
}

/// Returns the bytes that a state takes beside its own size, about.
#[inline]
pub(super) fn heap<S: Data>(state: &S) -> usize {
    estimate(state) - size_of::<S>()
}
