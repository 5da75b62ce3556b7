//! What a batch has changed in a table.

use millstream_core::shuffle::CombineTable;

/// The states a batch has overwritten: with it the table goes back to the version before.
pub(super) enum Change<S> {
    /// Some keys were touched: what was there before, by the keys' numbers.
    Touched(Touched<S>),
    /// There is a new state for every key: the states before.
    All(Vec<Option<S>>),
}

/// A change and the version it led to.
pub(super) struct Log<S> {
    pub(super) number: u64,
    pub(super) change: Change<S>,
    /// The numbers whose keys have left: free when nobody can go back behind this.
    pub(super) gone: Vec<u32>,
}

/// What was there before, by the keys' numbers, in the order in which they were touched.
pub(super) struct Touched<S>(CombineTable<u32, Old<S>>);

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
        Touched(CombineTable::new())
    }
}

impl<S> Touched<S> {
    /// Notes what is known of a key before it changes, unless it has been noted.
    #[inline]
    pub(super) fn note(&mut self, at: usize, state: Was<S>, time: i64) {
        let mut state = Some(state);
        let noted = self.0.entry(hash(at), at as u32, || Old { state: Was::Same, time });
        if matches!(noted.state, Was::Same)
            && let Some(state) = state.take()
        {
            noted.state = state;
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<&Old<S>> {
        self.0.get(hash(at), &(at as u32))
    }

    /// Returns the numbers of the keys.
    pub(super) fn numbers(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().map(|(at, _)| *at as usize)
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = (usize, Old<S>)> {
        self.0.into_entries().into_iter().map(|(_, at, old)| (at as usize, old))
    }
}

impl<S> Change<S> {
    /// Returns the state a key had before, if this has changed it.
    #[inline]
    pub(super) fn before(&self, at: usize) -> Option<Option<&S>> {
        match self {
            Change::All(states) => Some(states.get(at).and_then(Option::as_ref)),
            Change::Touched(touched) => match &touched.get(at)?.state {
                Was::Same => None,
                Was::Absent => Some(None),
                Was::Known(state) => Some(Some(state)),
            },
        }
    }

    /// Returns when a key had been touched last before this, if this has touched it.
    pub(super) fn time_before(&self, at: usize) -> Option<i64> {
        match self {
            Change::All(_) => None,
            Change::Touched(touched) => touched.get(at).map(|old| old.time),
        }
    }
}
