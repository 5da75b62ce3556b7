//! A partition of a state, changed in place, and the way back.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Weak;

use millstream_core::shuffle::hash::pinned_hash;
use millstream_core::{Data, Key};

use super::index::Index;
use super::log::{Change, Log, Touched, Was};
use super::timeouts::Timeouts;
use super::version::{AnyRecord, Entry, Version};

/// The keys of a partition with their states, as the last batch left them, and what batches have overwritten since the
/// oldest version in use.
pub(super) struct Table<K: Key, S: Data> {
    index: Index<K>,
    /// By the keys' numbers; nothing for a key that has left.
    states: Vec<Option<S>>,
    /// Of an operator whose keys time out.
    timeouts: Option<Timeouts>,
    /// How many keys have a state.
    keys: usize,
    /// The version that the states are of.
    number: u64,
    /// The last one leads from the version before to this one.
    logs: VecDeque<Log<S>>,
    made: Vec<Made<K, S>>,
    /// Memory for the next column of states.
    spare: Vec<Option<S>>,
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
    pub(super) fn new(with_timeouts: bool) -> Self {
        Table {
            index: Index::default(),
            states: Vec::new(),
            timeouts: with_timeouts.then(Timeouts::default),
            keys: 0,
            number: 0,
            logs: VecDeque::new(),
            made: Vec::new(),
            spare: Vec::new(),
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn has_timeouts(&self) -> bool {
        self.timeouts.is_some()
    }

    /// Returns all there is in a version.
    pub(super) fn entries(&self, version: u64) -> Vec<Entry<K, S>> {
        let entry = |at| {
            let state = self.state(version, at)?.clone();
            Some((self.key(at).clone(), state, self.time(version, at)))
        };
        (0..self.numbers()).filter_map(entry).collect()
    }

    /// Makes a table of its own that begins with a version.
    pub(super) fn copy(&self, version: u64) -> Self {
        let mut copy = Table::new(self.has_timeouts());
        for (key, state, time) in self.entries(version) {
            copy.put(pinned_hash(&key), key, Some((state, time)));
        }
        copy
    }

    /// Sets the state of a key without a way back: for a table that nobody has seen yet.
    pub(super) fn put(&mut self, hash: u64, key: K, state: Option<(S, i64)>) {
        let found = self.index.find(hash, &key);
        match (found, state) {
            (Some(at), None) => {
                self.keys -= usize::from(self.states[at].take().is_some());
                self.index.remove(at);
            }
            (None, None) => {}
            (found, Some((state, time))) => {
                let at = found.unwrap_or_else(|| insert(&mut self.index, &mut self.states, hash, key));
                self.keys += usize::from(self.states[at].replace(state).is_none());
                if let Some(timeouts) = &mut self.timeouts {
                    timeouts.set(at, time);
                }
            }
        }
    }

    /// Says that keys which were last touched at `from` were so at `to`.
    pub(super) fn date(&mut self, from: i64, to: i64) {
        let Some(timeouts) = &mut self.timeouts else { return };
        for at in 0..self.states.len() {
            if self.states[at].is_some() && timeouts.last(at) == from {
                timeouts.set(at, to);
            }
        }
    }

    /// Returns the record that a step has made of a version before, if it is still there.
    pub(super) fn made_by(&self, step: u64) -> Option<AnyRecord> {
        self.made.iter().find(|made| made.by == step).and_then(|made| made.record.upgrade())
    }

    /// Goes back to a version that is in use, unless a later one is.
    pub(super) fn go_back(&mut self, number: u64) -> bool {
        let in_use = |made: &Made<K, S>| made.number > number && made.version.strong_count() > 0;
        if self.made.iter().any(in_use) {
            return false;
        }
        while self.number > number {
            let Some(log) = self.logs.pop_back() else { return false };
            self.undo(log.change);
            self.number -= 1;
            log.gone.into_iter().for_each(|at| self.free(at as usize));
        }
        self.made.retain(|made| made.number <= number);
        true
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

    /// Begins to make the next version; dropped without [`commit`](Step::commit) the table is as it was.
    pub(super) fn step(&mut self, time: i64) -> Step<'_, K, S> {
        self.forget();
        Step {
            time,
            change: Change::Touched(Touched::default()),
            gone: Vec::new(),
            timed_out: None,
            done: false,
            table: self,
        }
    }

    /// Drops the logs that no version in use needs, and with them keys that have left.
    fn forget(&mut self) {
        self.made.retain(|made| made.version.strong_count() > 0);
        let oldest = self.made.iter().map(|made| made.number).min().unwrap_or(self.number);
        while let Some(log) = self.logs.pop_front_if(|log| log.number <= oldest) {
            for at in log.gone {
                self.free(at as usize);
            }
            if let Change::All(mut states) = log.change {
                states.clear();
                self.spare = states;
            }
        }
        let states = &self.states;
        if let Some(timeouts) = &mut self.timeouts {
            timeouts.tidy(self.keys, |at| states[at].is_some());
        }
    }

    /// Makes the number of a key free that has no state in any version.
    fn free(&mut self, at: usize) {
        let known = |log: &Log<S>| log.change.before(at).flatten().is_some();
        if self.states[at].is_none() && !self.logs.iter().any(known) {
            self.index.remove(at);
        }
    }

    fn undo(&mut self, change: Change<S>) {
        match change {
            Change::All(mut before) => {
                before.resize_with(self.index.numbers(), || None);
                self.keys = before.iter().filter(|state| state.is_some()).count();
                let after = std::mem::replace(&mut self.states, before);
                for (at, _) in after.iter().enumerate().filter(|(_, state)| state.is_some()) {
                    self.free(at);
                }
            }
            Change::Touched(touched) => {
                for (at, old) in touched.into_entries() {
                    let before = match old.state {
                        Was::Same => None,
                        Was::Absent => Some(None),
                        Was::Known(state) => Some(Some(state)),
                    };
                    if let Some(before) = before {
                        self.keys += usize::from(before.is_some());
                        let after = std::mem::replace(&mut self.states[at], before);
                        self.keys -= usize::from(after.is_some());
                    }
                    if self.states[at].is_none() {
                        self.free(at);
                    } else if let Some(timeouts) = &mut self.timeouts {
                        timeouts.set(at, old.time);
                    }
                }
            }
        }
    }

    /// Returns how many numbers of keys there are; those without a state in a version are none of it.
    pub(super) fn numbers(&self) -> usize {
        self.index.numbers()
    }

    pub(super) fn key(&self, at: usize) -> &K {
        &self.index.keys()[at]
    }

    /// Returns the state of a key in a version.
    pub(super) fn state(&self, version: u64, at: usize) -> Option<&S> {
        let before = self.since(version).find_map(|log| log.change.before(at));
        before.unwrap_or_else(|| self.states.get(at).and_then(Option::as_ref))
    }

    /// Returns when a key was last touched in a version, in milliseconds; 0 where that is not kept.
    pub(super) fn time(&self, version: u64, at: usize) -> i64 {
        let Some(timeouts) = &self.timeouts else { return 0 };
        self.since(version).find_map(|log| log.change.time_before(at)).unwrap_or_else(|| timeouts.last(at))
    }

    /// Returns the logs after a version, the oldest first.
    fn since(&self, version: u64) -> impl Iterator<Item = &Log<S>> {
        self.logs.iter().filter(move |log| log.number > version)
    }

    /// Returns the numbers of the keys that batches after `earlier` and up to `later` have touched; nothing if all of them.
    pub(super) fn touched(&self, earlier: u64, later: u64) -> Option<Vec<usize>> {
        let mut numbers = Vec::new();
        for log in self.since(earlier).filter(|log| log.number <= later) {
            match &log.change {
                Change::All(_) => return None,
                Change::Touched(touched) => numbers.extend(touched.numbers()),
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        Some(numbers)
    }

    /// Calls `f` with keys and states of a version from the number `from` on, until `most` were there; returns where to go on.
    pub(super) fn read(
        &self,
        version: u64,
        from: usize,
        most: usize,
        mut f: impl FnMut(&K, &S),
    ) -> Option<usize> {
        let (mut at, mut left) = (from, most);
        let numbers = self.numbers();
        let is_current = version == self.number;
        while at < numbers && left > 0 {
            // As many at once as can not be too many.
            let end = numbers.min(at.saturating_add(left));
            if is_current {
                let states = self.states[at..end].iter();
                for (key, state) in self.index.keys()[at..end].iter().zip(states) {
                    if let Some(state) = state {
                        f(key, state);
                        left -= 1;
                    }
                }
            } else {
                for at in at..end {
                    if let Some(state) = self.state(version, at) {
                        f(self.key(at), state);
                        left -= 1;
                    }
                }
            }
            at = end;
        }
        (at < numbers).then_some(at)
    }
}

fn insert<K: Key, S>(index: &mut Index<K>, states: &mut Vec<Option<S>>, hash: u64, key: K) -> usize {
    let at = index.insert(hash, key);
    if states.len() < index.numbers() {
        states.resize_with(index.numbers(), || None);
    }
    at
}

/// The making of a version.
pub(crate) struct Step<'a, K: Key, S: Data> {
    table: &'a mut Table<K, S>,
    /// The time of the batch, in milliseconds.
    time: i64,
    change: Change<S>,
    gone: Vec<u32>,
    timed_out: Option<i64>,
    done: bool,
}

impl<K: Key, S: Data> Step<'_, K, S> {
    /// Returns the number of a key that is known.
    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &K) -> Option<usize> {
        self.table.index.find(hash, key)
    }

    pub(crate) fn key(&self, at: usize) -> &K {
        self.table.key(at)
    }

    /// Returns the state of a key.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&S> {
        self.table.states[at].as_ref()
    }

    /// Calls `f` with each key that has a state.
    pub(crate) fn each(&self, f: impl FnMut(&K, &S)) {
        self.table.read(self.table.number, 0, usize::MAX, f);
    }

    /// Sets the state of a key that may be new.
    pub(crate) fn put(&mut self, hash: u64, key: K, state: S) -> usize {
        let at = self.find(hash, &key);
        let at = at.unwrap_or_else(|| insert(&mut self.table.index, &mut self.table.states, hash, key));
        self.set(at, Some(state));
        at
    }

    /// Sets the state of a key, or takes it away.
    pub(crate) fn set(&mut self, at: usize, state: Option<S>) {
        let is_there = state.is_some();
        let before = std::mem::replace(&mut self.table.states[at], state);
        let was_there = before.is_some();
        if let Change::Touched(touched) = &mut self.change {
            let time = self.table.timeouts.as_ref().map_or(0, |timeouts| timeouts.last(at));
            touched.note(at, before.into(), time);
        }
        self.table.keys += usize::from(is_there);
        self.table.keys -= usize::from(was_there);
        if is_there {
            self.note_time(at);
        } else if was_there {
            self.gone.push(at as u32);
        }
    }

    /// Notes that a key was touched whose state stays.
    pub(crate) fn touch(&mut self, at: usize) {
        if let (Change::Touched(touched), Some(timeouts)) = (&mut self.change, &self.table.timeouts) {
            touched.note(at, Was::Same, timeouts.last(at));
            self.note_time(at);
        }
    }

    fn note_time(&mut self, at: usize) {
        if let Some(timeouts) = self.table.timeouts.as_mut().filter(|times| times.last(at) != self.time) {
            timeouts.set(at, self.time);
        }
    }

    /// Returns the keys that were last touched at `threshold` or before; all of them must be taken away.
    pub(crate) fn idle(&mut self, threshold: i64) -> Vec<usize> {
        let Some(timeouts) = &self.table.timeouts else { return Vec::new() };
        self.timed_out = Some(threshold);
        timeouts.idle(threshold, |at| self.table.states[at].is_some())
    }

    /// Gives every key a new state: `f` gets a key, what the batch has of it and its state.
    ///
    /// Keys of the batch may be new; each occurs once.
    pub(crate) fn replace<V>(
        &mut self,
        batch: Vec<(u64, K, V)>,
        mut f: impl FnMut(&K, Option<V>, Option<S>) -> Option<S>,
    ) {
        let table = &mut *self.table;
        let mut touched: Vec<(usize, V)> = Vec::with_capacity(batch.len());
        for (hash, key, values) in batch {
            let at = table.index.find(hash, &key);
            let at = at.unwrap_or_else(|| {
                let at = insert(&mut table.index, &mut table.states, hash, key);
                // For the case that it gets no state.
                self.gone.push(at as u32);
                at
            });
            touched.push((at, values));
        }
        touched.sort_unstable_by_key(|(at, _)| *at);
        let mut states = std::mem::take(&mut table.spare);
        states.reserve(table.states.len());
        let (mut keys, mut gone, mut from) = (0, Vec::new(), 0);
        {
            let (all, old) = (table.index.keys(), &table.states);
            let mut fill = |states: &mut Vec<Option<S>>, from: usize, to: usize| {
                let run = all[from..to].iter().zip(&old[from..to]).enumerate();
                states.extend(run.map(|(n, (key, old))| {
                    let new = f(key, None, Some(old.clone()?));
                    match &new {
                        Some(_) => keys += 1,
                        None => gone.push((from + n) as u32),
                    }
                    new
                }));
            };
            for (at, _) in &touched {
                fill(&mut states, from, *at);
                // Filled in below: `f` is lent to the runs.
                states.push(None);
                from = at + 1;
            }
            fill(&mut states, from, old.len());
            for (at, values) in touched {
                let new = f(&all[at], Some(values), old[at].clone());
                match &new {
                    Some(_) => keys += 1,
                    None if old[at].is_some() => gone.push(at as u32),
                    None => {}
                }
                states[at] = new;
            }
        }
        self.gone.append(&mut gone);
        table.keys = keys;
        self.change = Change::All(std::mem::replace(&mut table.states, states));
    }

    /// Ends the making: the table is of the next version.
    pub(super) fn commit(mut self) {
        self.done = true;
        let table = &mut *self.table;
        table.number += 1;
        if let (Some(threshold), Some(timeouts)) = (self.timed_out, &mut table.timeouts) {
            timeouts.forget(threshold);
        }
        let change = std::mem::replace(&mut self.change, Change::All(Vec::new()));
        table.logs.push_back(Log { number: table.number, change, gone: std::mem::take(&mut self.gone) });
    }
}

impl<K: Key, S: Data> Drop for Step<'_, K, S> {
    /// Only after a failure: puts back what was there.
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let change = std::mem::replace(&mut self.change, Change::Touched(Touched::default()));
        self.table.undo(change);
        for at in std::mem::take(&mut self.gone) {
            self.table.free(at as usize);
        }
    }
}
