//! Some consecutive numbers' keys and states: a shelf of a table.

use millstream_core::{Data, Key, Result};

use super::bits::Bits;
use super::column::Column;
use super::room::Room;

/// Some consecutive numbers' keys and states.
///
/// They lie apart: whoever gives all keys new states reads and writes states alone.
pub(super) struct Shelf<K, S> {
    pub(super) keys: Column<K>,
    /// As many as there are keys.
    pub(super) states: Column<S>,
    /// Which keys have a state; what lies beside the others is left over.
    pub(super) there: Bits,
    /// The last version for which it was brought into memory or changed.
    pub(super) used: u64,
}

impl<K: Key, S: Data> Default for Shelf<K, S> {
    fn default() -> Self {
        let (keys, states) = (Column::new(Vec::new()), Column::new(Vec::new()));
        Shelf { keys, states, there: Bits::default(), used: 0 }
    }
}

impl<K: Key, S: Data> Shelf<K, S> {
    /// Returns keys and states, if both lie in memory.
    #[inline(always)]
    pub(super) fn in_memory(&self) -> Option<(&[K], &[S])> {
        Some((self.keys.in_memory()?, self.states.in_memory()?))
    }

    /// Returns how many bytes of memory it takes, about.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.keys.bytes() + self.states.bytes()
    }

    /// Brings keys and states into memory.
    pub(super) fn load(&mut self) -> Result<()> {
        self.keys.load()?;
        self.states.load()
    }

    /// Leaves memory for the disk.
    pub(super) fn leave(&mut self, room: &Room) -> Result<()> {
        self.keys.leave(room)?;
        self.states.leave(room).map(|_| ())
    }

    /// Puts a key and its state in the place of those that are left over, or behind the last.
    pub(super) fn put(&mut self, place: usize, key: K, state: S) {
        self.keys.put(place, key);
        self.states.put(place, state);
        self.there.set(place, true);
    }
}
