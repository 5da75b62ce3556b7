//! A shelf of a table as it was after a batch.

use std::cell::Cell;
use std::sync::Arc;

use millstream_core::chunk::Chunk;
use millstream_core::{Data, Key, Result};

use super::bits::{Bits, SHELF};
use super::log::{Before, Change, Log, Past, Touched, Was};
use super::shelf::Shelf;

/// The keys of a shelf with their states in a version.
pub(super) struct View<'a, K, S> {
    /// The number of its first key.
    first: usize,
    /// What batches since have overwritten key by key, the oldest first.
    touched: Vec<&'a Touched<S>>,
    /// What lay there before the first batch since that has overwritten everything, or lies there now.
    there: Bits,
    states: States<K, S>,
}

enum States<K, S> {
    Pairs(Arc<Vec<(K, S)>>),
    /// All keys, and the states of those that had one.
    Apart(Arc<Vec<(K, S)>>, Arc<Vec<S>>),
}

impl<'a, K: Key, S: Data> View<'a, K, S> {
    /// Views a shelf before what the logs tell, the oldest first.
    pub(super) fn of(
        number: usize,
        now: &Shelf<(K, S)>,
        there: &Bits,
        logs: impl Iterator<Item = &'a Log<K, S>>,
    ) -> Result<Self> {
        let mut view = View {
            first: number * SHELF,
            touched: Vec::new(),
            there: there.clone(),
            states: States::Pairs(Arc::default()),
        };
        for log in logs {
            match &log.change {
                Change::Touched(touched) => view.touched.push(touched),
                Change::Forgotten => {}
                Change::All(shelves) => match shelves.get(number) {
                    // Not there yet: no key of it had a state.
                    None => return Ok(View { there: Bits::default(), ..view }),
                    Some(Past { states: Before::Same, .. }) => {}
                    Some(Past { there, states: Before::Pairs(pairs) }) => {
                        return Ok(View {
                            there: there.clone(),
                            states: States::Pairs(pairs.read()?),
                            ..view
                        });
                    }
                    Some(Past { there, states: Before::States(states) }) => {
                        let states = States::Apart(now.read()?, states.read()?);
                        return Ok(View { there: there.clone(), states, ..view });
                    }
                },
            }
        }
        view.states = States::Pairs(now.read()?);
        Ok(view)
    }

    fn pairs(&self) -> &Arc<Vec<(K, S)>> {
        match &self.states {
            States::Pairs(pairs) | States::Apart(pairs, _) => pairs,
        }
    }

    /// Returns how many places there are.
    fn len(&self) -> usize {
        self.pairs().len()
    }

    fn key(&self, place: usize) -> &K {
        &self.pairs()[place].0
    }

    /// Returns a key with its state, if it has one.
    pub(super) fn get(&self, at: usize) -> Option<(&K, &S)> {
        let place = at - self.first;
        for touched in &self.touched {
            match touched.get(at).map(|old| &old.state) {
                None | Some(Was::Same) => {}
                Some(Was::Absent) => return None,
                Some(Was::Known(state)) => return Some((self.key(place), state)),
            }
        }
        if !self.there.get(place) {
            return None;
        }
        match &self.states {
            States::Pairs(pairs) => pairs.get(place).map(|(key, state)| (key, state)),
            States::Apart(pairs, states) => {
                Some((&pairs.get(place)?.0, states.get(self.there.below(place))?))
            }
        }
    }

    /// Returns the key with a number, be it that it has no state.
    pub(super) fn key_of(&self, at: usize) -> Option<&K> {
        self.pairs().get(at - self.first).map(|(key, _)| key)
    }

    /// Returns the keys that have a state, with it and their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &K, &S)> {
        (self.first..self.first + self.len())
            .filter_map(|at| self.get(at).map(|(key, state)| (at, key, state)))
    }

    /// Returns the keys that have a state, with it: shared with the table if they lie there so.
    pub(super) fn chunk(&self) -> Chunk<(K, S)> {
        let numbers = self.first..self.first + self.len();
        let is_touched = |at: usize| self.touched.iter().any(|touched| touched.get(at).is_some());
        let pairs = match &self.states {
            States::Pairs(pairs) if self.touched.is_empty() || !numbers.clone().any(is_touched) => pairs,
            _ => {
                let copies = self.iter().map(|(_, key, state)| (key.clone(), state.clone()));
                return copies.collect::<Vec<_>>().into();
            }
        };
        let chunk = Chunk::shared(Arc::clone(pairs), 0..pairs.len());
        if self.there.count() == pairs.len() {
            return chunk;
        }
        let place = Cell::new(0);
        chunk.filter(|_| self.there.get(place.replace(place.get() + 1)))
    }
}
