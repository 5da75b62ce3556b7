//! What a batch has changed in a table.

use millstream_core::Data;
use millstream_core::shuffle::CombineTable;

use super::bits::{Bits, SHELF};
use super::column::Column;

/// The states a batch has overwritten: with it the table goes back to the version before.
pub(super) enum Change<S> {
    /// Some keys were touched: what was there before, by the keys' numbers.
    Touched(Touched<S>),
    /// There may be a new state for every key: what was there before, by shelf; keys on later ones had no state.
    All(Vec<Past<S>>),
    /// As `All`, but nobody asks for it any more: an earlier log has all that those before need.
    Forgotten,
}

/// A shelf before a batch.
pub(super) struct Past<S> {
    /// Which of its keys had a state.
    pub(super) there: Bits,
    /// The states as they lay there; nothing if they are those after it.
    pub(super) states: Option<Column<S>>,
}

impl<S: Data> Past<S> {
    /// Returns how many bytes of memory it takes, about.
    pub(super) fn bytes(&self) -> usize {
        self.states.as_ref().map_or(0, Column::bytes)
    }
}

/// A change and the version it led to.
pub(super) struct Log<S> {
    pub(super) number: u64,
    pub(super) change: Change<S>,
    /// The numbers whose keys have left: free when nobody can go back behind this.
    pub(super) gone: Vec<u32>,
}

/// What was there before, by the keys' numbers, in the order in which they were touched.
pub(super) struct Touched<S> {
    before: CombineTable<u32, Old<S>>,
    /// What the states take beside their own size, about.
    heap: usize,
}

/// What was known of a key.
pub(super) struct Old<S> {
    pub(super) state: Was<S>,
    /// When it was last touched, where that is kept.
    pub(super) time: i64,
}

/// The state of a key before a batch.
pub(super) enum Was<S> {
    /// The one after it.
    Same,
    Absent,
    Known(S),
}

impl<S> From<Option<S>> for Was<S> {
    fn from(state: Option<S>) -> Self {
        state.map_or(Was::Absent, Was::Known)
    }
}

/// Spreads consecutive numbers over the slots, and over their upper bits.
fn hash(at: usize) -> u64 {
    (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl<S> Default for Touched<S> {
    fn default() -> Self {
        Touched { before: CombineTable::new(), heap: 0 }
    }
}

impl<S> Touched<S> {
    /// Notes what is known of a key before it changes, unless it has been noted; the state takes `heap` bytes beside its own.
    #[inline]
    pub(super) fn note(&mut self, at: usize, state: Was<S>, time: i64, heap: usize) {
        let noted = self.before.entry(hash(at), at as u32, || Old { state: Was::Same, time });
        if matches!(noted.state, Was::Same) && !matches!(state, Was::Same) {
            noted.state = state;
            self.heap += heap;
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<&Old<S>> {
        self.before.get(hash(at), &(at as u32))
    }

    /// Returns the numbers of the keys.
    pub(super) fn numbers(&self) -> impl Iterator<Item = usize> + '_ {
        self.before.iter().map(|(at, _)| *at as usize)
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = (usize, Old<S>)> {
        self.before.into_entries().into_iter().map(|(_, at, old)| (at as usize, old))
    }

    fn bytes(&self) -> usize {
        // An entry has its hash beside it, and slots.
        self.before.len() * (size_of::<(u32, Old<S>)>() + 2 * size_of::<u64>()) + self.heap
    }
}

impl<S: Data> Change<S> {
    /// Returns how many bytes of memory it takes, about.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Change::Touched(touched) => touched.bytes(),
            Change::All(shelves) => shelves.iter().map(Past::bytes).sum(),
            Change::Forgotten => 0,
        }
    }

    /// Returns whether a key had a state before this, as far as this tells.
    pub(super) fn had(&self, at: usize) -> bool {
        match self {
            Change::All(shelves) => shelves.get(at / SHELF).is_some_and(|past| past.there.get(at % SHELF)),
            Change::Touched(touched) => touched.get(at).is_some_and(|old| matches!(old.state, Was::Known(_))),
            Change::Forgotten => false,
        }
    }

    /// Returns when a key had been touched last before this, if this has touched it.
    pub(super) fn time_before(&self, at: usize) -> Option<i64> {
        match self {
            Change::All(_) | Change::Forgotten => None,
            Change::Touched(touched) => touched.get(at).map(|old| old.time),
        }
    }
}
