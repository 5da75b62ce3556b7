//! A shelf of a table as it was after a batch.

use std::ops::Range;
use std::sync::Arc;

use millstream_core::chunk::{Chunk, Columns};
use millstream_core::{Data, Key, Result};

use super::bits::{Bits, SHELF};
use super::log::{Change, Log, Past, Touched, Was};
use super::shelf::Shelf;

/// The keys of a shelf with their states in a version.
pub(super) struct View<'a, K, S> {
    /// The number of its first key.
    first: usize,
    /// What batches since have overwritten key by key, the oldest first.
    touched: Vec<&'a Touched<S>>,
    /// What lay there before the first batch since that has overwritten everything, or lies there now.
    there: &'a Bits,
    keys: Arc<Vec<K>>,
    states: Arc<Vec<S>>,
}

impl<'a, K: Key, S: Data> View<'a, K, S> {
    /// Views a shelf before what the logs tell, the oldest first.
    pub(super) fn of(
        number: usize,
        now: &'a Shelf<K, S>,
        logs: impl Iterator<Item = &'a Log<S>>,
    ) -> Result<Self> {
        let mut touched = Vec::new();
        // Without a state, as keys that came later are.
        static NONE: Bits = Bits::NONE;
        let (mut there, mut states) = (&now.there, &now.states);
        for log in logs {
            match &log.change {
                Change::Touched(of_log) => touched.push(of_log),
                Change::Forgotten => {}
                Change::All(shelves) => match shelves.get(number) {
                    Some(Past { states: None, .. }) => {}
                    Some(Past { there: before, states: Some(before_it) }) => {
                        (there, states) = (before, before_it);
                        break;
                    }
                    None => {
                        there = &NONE;
                        break;
                    }
                },
            }
        }
        Ok(View { first: number * SHELF, touched, there, keys: now.keys.read()?, states: states.read()? })
    }

    /// Returns a key with its state, if it has one.
    pub(super) fn get(&self, at: usize) -> Option<(&K, &S)> {
        let place = at - self.first;
        for touched in &self.touched {
            match touched.get(at).map(|old| &old.state) {
                None | Some(Was::Same) => {}
                Some(Was::Absent) => return None,
                Some(Was::Known(state)) => return Some((&self.keys[place], state)),
            }
        }
        let state = self.states.get(place).filter(|_| self.there.get(place))?;
        Some((&self.keys[place], state))
    }

    /// Returns the key with a number, be it that it has no state.
    pub(super) fn key_of(&self, at: usize) -> Option<&K> {
        self.keys.get(at - self.first)
    }

    /// Returns the keys that have a state, with it and their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &K, &S)> {
        (self.first..self.first + self.keys.len())
            .filter_map(|at| self.get(at).map(|(key, state)| (at, key, state)))
    }

    /// Returns the keys that have a state, with it: shared with the table if all lie there so.
    pub(super) fn chunk(&self) -> Chunk<(K, S)> {
        if self.touched.is_empty() && self.there.count() == self.keys.len() {
            return Chunk::columns(Arc::new(Pairs(Arc::clone(&self.keys), Arc::clone(&self.states))));
        }
        let copies = self.iter().map(|(_, key, state)| (key.clone(), state.clone()));
        copies.collect::<Vec<_>>().into()
    }
}

/// Keys, and the state of each.
struct Pairs<K, S>(Arc<Vec<K>>, Arc<Vec<S>>);

impl<K: Key, S: Data> Columns<(K, S)> for Pairs<K, S> {
    fn len(&self) -> usize {
        self.1.len()
    }

    fn copy(&self, range: Range<usize>, buffer: &mut Vec<(K, S)>) {
        let (keys, states) = (&self.0[range.clone()], &self.1[range]);
        buffer.truncate(keys.len());
        let again = buffer.len();
        for ((key, state), (of, its)) in buffer.iter_mut().zip(keys.iter().zip(states)) {
            key.clone_from(of);
            state.clone_from(its);
        }
        buffer.extend(keys[again..].iter().cloned().zip(states[again..].iter().cloned()));
    }
}
