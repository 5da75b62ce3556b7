//! The making of a version.

use std::iter::Peekable;
use std::vec::IntoIter;

use millstream_core::storage::size_estimate::estimate_all;
use millstream_core::{Data, Key, Result};

use super::bits::SHELF;
use super::log::{Before, Change, Past, Touched, Was};
use super::shelf::Shelf;
use super::table::{Table, heap};

/// The making of a version of a partition out of the one before it.
pub(crate) struct Step<'a, K: Key, S: Data> {
    table: &'a mut Table<K, S>,
    /// The time of the batch, in milliseconds.
    time: i64,
    change: Change<K, S>,
    /// Of what is overwritten, so many bytes are counted already.
    counted: usize,
    /// How many shelves there were.
    shelves: usize,
    gone: Vec<u32>,
    timed_out: Option<i64>,
}

impl<'a, K: Key, S: Data> Step<'a, K, S> {
    pub(super) fn new(table: &'a mut Table<K, S>, time: i64) -> Self {
        let change = Change::Touched(Touched::default());
        let shelves = table.shelves();
        Step { table, time, change, counted: 0, shelves, gone: Vec::new(), timed_out: None }
    }

    /// Returns the number of a key that is known.
    #[inline]
    pub(crate) fn find(&mut self, hash: u64, key: &K) -> Result<Option<usize>> {
        self.table.find(hash, key)
    }

    /// Returns a key that is known, and its state.
    #[inline]
    pub(crate) fn get(&mut self, at: usize) -> Result<(&K, Option<&S>)> {
        self.table.load(at / SHELF)?;
        let (key, state) = self.table.pair(at);
        Ok((key, self.table.is_there(at).then_some(state)))
    }

    /// Calls `f` with each key that has a state.
    pub(crate) fn each(&self, mut f: impl FnMut(&K, &S)) -> Result<()> {
        self.table.each(self.table.number(), |key, state, _| {
            f(key, state);
            Ok(())
        })
    }

    /// Sets the state of a key that may be new.
    pub(crate) fn put(&mut self, hash: u64, key: K, state: S) -> Result<usize> {
        if let Some(at) = self.find(hash, &key)? {
            self.set(at, Some(state))?;
            return Ok(at);
        }
        let at = self.table.insert(hash, key, state)?;
        let time = self.time_of(at);
        self.note(at, Was::Absent, time, 0);
        self.note_time(at);
        self.table.settle(at / SHELF)?;
        Ok(at)
    }

    /// Sets the state of a key, or takes it away.
    pub(crate) fn set(&mut self, at: usize, state: Option<S>) -> Result<()> {
        self.table.load(at / SHELF)?;
        let was_there = self.table.is_there(at);
        let time = self.time_of(at);
        match state {
            Some(state) => {
                let left = self.table.replace(at, state);
                let heap = if was_there { heap(&left) } else { 0 };
                self.note(at, was_there.then_some(left).into(), time, heap);
                self.note_time(at);
            }
            None if was_there => {
                // What is left over stays where it lies until its number is given away.
                let old = self.table.pair(at).1.clone();
                let heap = heap(&old);
                self.note(at, Was::Known(old), time, heap);
                self.table.shelves[at / SHELF].there.set(at % SHELF, false);
                self.table.keys -= 1;
                self.gone.push(at as u32);
            }
            None => {}
        }
        self.table.settle(at / SHELF)
    }

    /// Notes that a key was touched whose state stays.
    pub(crate) fn touch(&mut self, at: usize) {
        if self.table.has_timeouts() {
            let time = self.time_of(at);
            self.note(at, Was::Same, time, 0);
            self.note_time(at);
        }
    }

    fn note(&mut self, at: usize, was: Was<S>, time: i64, heap: usize) {
        if let Change::Touched(touched) = &mut self.change {
            touched.note(at, was, time, heap);
        }
    }

    fn time_of(&self, at: usize) -> i64 {
        self.table.timeouts.as_ref().map_or(0, |timeouts| timeouts.last(at))
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
        timeouts.idle(threshold, |at| self.table.is_there(at))
    }

    /// Gives every key a new state: `f` gets a key, what the batch has of it and its state.
    ///
    /// Keys of the batch may be new; each occurs once.
    pub(crate) fn replace<V>(
        &mut self,
        batch: Vec<(u64, K, V)>,
        mut f: impl FnMut(&K, Option<V>, Option<S>) -> Option<S>,
    ) -> Result<()> {
        let (mut known, mut new) = (Vec::with_capacity(batch.len()), Vec::new());
        for (hash, key, values) in batch {
            match self.find(hash, &key)? {
                Some(at) => known.push((at, values)),
                None => new.push((hash, key, values)),
            }
        }
        known.sort_unstable_by_key(|(at, _)| *at);
        let mut known = known.into_iter().peekable();
        self.change = Change::All(Vec::with_capacity(self.shelves));
        let mut states = Vec::with_capacity(SHELF);
        for shelf in 0..self.shelves {
            self.replace_shelf(shelf, &mut known, &mut states, &mut f)?;
        }
        for (hash, key, values) in new {
            if let Some(state) = f(&key, Some(values), None) {
                let at = self.table.insert(hash, key, state)?;
                self.table.settle(at / SHELF)?;
            }
        }
        Ok(())
    }

    /// Gives the keys of a shelf new states: first all are made, which may fail, then all are set.
    #[inline]
    fn replace_shelf<V>(
        &mut self,
        number: usize,
        known: &mut Peekable<IntoIter<(usize, V)>>,
        states: &mut Vec<Option<S>>,
        f: &mut impl FnMut(&K, Option<V>, Option<S>) -> Option<S>,
    ) -> Result<()> {
        self.table.load(number)?;
        let table = &mut *self.table;
        let first = number * SHELF;
        let shelf = &mut table.shelves[number];
        let there = shelf.there.clone();
        let Some(pairs) = shelf.records.in_memory() else { return Ok(()) };
        let is_full = there.count() == pairs.len();
        states.clear();
        // The old states of keys that leave are left over as well.
        let (mut left, mut at) = (Vec::new(), 0);
        while at < pairs.len() {
            let next = known.peek().map_or(pairs.len(), |(next, _)| pairs.len().min(next - first));
            let run = pairs[at..next].iter();
            if is_full {
                states.extend(run.map(|(key, old)| f(key, None, Some(old.clone()))));
            } else {
                let run = run.enumerate().map(|(n, (key, old))| {
                    if there.get(at + n) { f(key, None, Some(old.clone())) } else { None }
                });
                states.extend(run);
            }
            at = next;
            if let Some((_, values)) = known.next_if(|(known, _)| known - first < pairs.len()) {
                let (key, old) = &pairs[at];
                states.push(f(key, Some(values), there.get(at).then(|| old.clone())));
                at += 1;
            }
        }
        let all_stay = is_full && states.iter().all(Option::is_some);
        let mut after = there.clone();
        for (place, new) in states.iter().enumerate().filter(|_| !all_stay) {
            if new.is_some() != there.get(place) {
                after.set(place, new.is_some());
                if new.is_none() {
                    self.gone.push((first + place) as u32);
                    left.push(pairs[place].1.clone());
                }
            }
        }
        let before = shelf.records.bytes();
        let mut old_states = table.spare.pop().unwrap_or_else(|| Vec::with_capacity(SHELF));
        let past = if shelf.records.is_read() {
            let new = pairs.iter().zip(states.drain(..));
            let new = new.map(|((key, old), state)| (key.clone(), state.unwrap_or_else(|| old.clone())));
            let new = Shelf::new(new.collect());
            Before::Pairs(std::mem::replace(&mut shelf.records, new))
        } else {
            let on_disk = shelf.records.on_disk();
            let mut left = left.into_iter();
            let pairs = shelf.records.change();
            let places = pairs.iter_mut().zip(states.drain(..));
            if all_stay {
                // As below, in a loop without branches and of a length that is known.
                let set = |((_, state), new): (&mut (K, S), Option<S>)| match new {
                    Some(new) => std::mem::replace(state, new),
                    None => state.clone(),
                };
                old_states.extend(places.map(set));
            } else {
                for (place, ((_, state), new)) in places.enumerate() {
                    let was_there = there.get(place);
                    match new.map(|new| std::mem::replace(state, new)) {
                        Some(old) if was_there => old_states.push(old),
                        None if was_there => old_states.extend(left.next()),
                        _ => {}
                    }
                }
            }
            if std::mem::needs_drop::<S>() {
                let bytes = estimate_all(pairs);
                shelf.records.set_bytes(bytes);
            }
            on_disk.map_or_else(|| Before::States(Shelf::new(old_states)), Before::Pairs)
        };
        table.keys = table.keys + after.count() - there.count();
        shelf.there = after;
        let past = Past { there, states: past };
        self.counted += past.bytes();
        table.bytes = table.bytes + shelf.records.bytes() + past.bytes() - before;
        if let Change::All(shelves) = &mut self.change {
            shelves.push(past);
        }
        table.settle(number)
    }

    /// Ends the making: the table is of the next version.
    pub(super) fn commit(mut self) {
        if let (Some(threshold), Some(timeouts)) = (self.timed_out.take(), &mut self.table.timeouts) {
            timeouts.forget(threshold);
        }
    }
}

impl<K: Key, S: Data> Drop for Step<'_, K, S> {
    /// Enters what was changed. After a failure nobody has the version it led to, and whoever makes the next one goes back
    /// first.
    fn drop(&mut self) {
        let mut change = std::mem::replace(&mut self.change, Change::Forgotten);
        if let Change::All(shelves) = &mut change {
            // Those to which it did not come.
            let rest = self.table.shelves[..self.shelves].iter().skip(shelves.len());
            let rest = rest.map(|shelf| Past { there: shelf.there.clone(), states: Before::Same });
            shelves.extend(rest.collect::<Vec<_>>());
        }
        self.table.bytes -= self.counted;
        self.table.enter(change, std::mem::take(&mut self.gone));
    }
}
