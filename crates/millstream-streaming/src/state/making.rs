//! The making of a version.

use std::iter::Peekable;
use std::vec::IntoIter;

use millstream_core::{Data, Key, Result};

use super::bits::SHELF;
use super::column::Column;
use super::log::{Change, Past, Touched, Was};
use super::table::{Table, heap};

/// The making of a version of a partition out of the one before it.
pub(crate) struct Step<'a, K: Key, S: Data> {
    table: &'a mut Table<K, S>,
    /// The time of the batch, in milliseconds.
    time: i64,
    change: Change<S>,
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

    /// Says that a key with a hash is looked for soon.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        self.table.index.prefetch(hash);
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
                let old = self.table.replace(at, state).filter(|_| was_there);
                let heap = old.as_ref().map_or(0, heap);
                self.note(at, old.into(), time, heap);
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
        for shelf in 0..self.shelves {
            self.replace_shelf(shelf, &mut known, &mut f)?;
        }
        for (hash, key, values) in new {
            if let Some(state) = f(&key, Some(values), None) {
                let at = self.table.insert(hash, key, state)?;
                self.table.settle(at / SHELF)?;
            }
        }
        Ok(())
    }

    /// Gives the keys of a shelf new states. They are made beside the old ones, which a function that panics leaves as they
    /// are, and which are the log.
    #[inline]
    fn replace_shelf<V>(
        &mut self,
        number: usize,
        known: &mut Peekable<IntoIter<(usize, V)>>,
        f: &mut impl FnMut(&K, Option<V>, Option<S>) -> Option<S>,
    ) -> Result<()> {
        self.table.load(number)?;
        let table = &mut *self.table;
        let first = number * SHELF;
        let shelf = &mut table.shelves[number];
        let there = shelf.there.clone();
        let Some((keys, old)) = shelf.in_memory() else { return Ok(()) };
        let mut states = table.spare.pop().unwrap_or_else(|| Vec::with_capacity(SHELF));
        let (mut came, mut gone) = (Vec::new(), Vec::new());
        let mut make = |place: usize, values: Option<V>, had: bool| {
            let (key, old) = (&keys[place], &old[place]);
            let new = f(key, values, had.then(|| old.clone()));
            if new.is_some() != had {
                if had { &mut gone } else { &mut came }.push(place);
            }
            new.unwrap_or_else(|| old.clone())
        };
        let is_full = there.count() == keys.len();
        let mut at = 0;
        while at < keys.len() {
            let next = known.peek().map_or(keys.len(), |(next, _)| keys.len().min(next - first));
            if is_full {
                states.extend((at..next).map(|place| make(place, None, true)));
            } else {
                let left_over = |place: usize| old[place].clone();
                let run = (at..next)
                    .map(|place| if there.get(place) { make(place, None, true) } else { left_over(place) });
                states.extend(run);
            }
            at = next;
            if let Some((_, values)) = known.next_if(|(known, _)| known - first < keys.len()) {
                states.push(make(at, Some(values), there.get(at)));
                at += 1;
            }
        }
        let states = Column::new(states);
        // From here on nothing of a user's runs.
        table.keys = table.keys + came.len() - gone.len();
        gone.iter().for_each(|place| shelf.there.set(*place, false));
        came.iter().for_each(|place| shelf.there.set(*place, true));
        self.gone.extend(gone.iter().map(|place| (first + place) as u32));
        let before = shelf.bytes();
        let mut old = std::mem::replace(&mut shelf.states, states);
        if let Some(on_disk) = old.on_disk() {
            table.spare.extend(std::mem::replace(&mut old, on_disk).into_memory());
        }
        let past = Past { there, states: Some(old) };
        self.counted += past.bytes();
        table.bytes = table.bytes + shelf.bytes() + past.bytes() - before;
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
            let rest = rest.map(|shelf| Past { there: shelf.there.clone(), states: None });
            shelves.extend(rest.collect::<Vec<_>>());
        }
        self.table.bytes -= self.counted;
        self.table.enter(change, std::mem::take(&mut self.gone));
    }
}
