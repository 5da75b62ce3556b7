//! The slots of a hash table: from a hash to the number of an entry.

use super::prefetch::prefetch;

/// Open addressing over a power of two of slots, at most half of them taken.
///
/// The entries, and their hashes, belong to the table around it. A free slot is 0. In another one the low bits, as many as
/// number the slots, are the entry's number + 1, and the bits above are taken from its hash. Half the size of full
/// indices: it is what most often misses the cache.
#[derive(Debug, Default)]
pub struct Slots(Vec<u32>);

/// The part of a hash that a slot keeps.
#[inline(always)]
fn tag(hash: u64, mask: usize) -> u32 {
    // Neither the bits that choose the slot nor, as a rule, those that chose the partition.
    (hash >> 24) as u32 & !(mask as u32)
}

impl Slots {
    /// Returns the number of the entry with a hash for which `is` holds.
    #[inline(always)]
    pub fn find<E>(&self, hash: u64, entries: &[E], is: impl Fn(&E) -> bool) -> Option<usize> {
        self.find_at(hash, entries.len(), |at| is(&entries[at]))
    }

    /// Returns the number of the entry with a hash, below `numbers`, for which `is` holds: for entries that lie anywhere.
    #[inline(always)]
    pub fn find_at(&self, hash: u64, numbers: usize, is: impl Fn(usize) -> bool) -> Option<usize> {
        let mask = self.0.len().wrapping_sub(1);
        let tag = tag(hash, mask);
        let mut place = hash as usize & mask;
        loop {
            // Without any slot there is none here either.
            let slot = *self.0.get(place)?;
            // Of another tag, and of a free slot, this makes a number beyond all entries.
            let at = (slot ^ tag).wrapping_sub(1) as usize;
            if at < numbers {
                if is(at) {
                    return Some(at);
                }
            } else if slot == 0 {
                return None;
            }
            place = (place + 1) & mask;
        }
    }

    /// Says that an entry with a hash is looked for soon, so that its slot is in the cache by then.
    #[inline(always)]
    pub fn prefetch(&self, hash: u64) {
        if let Some(slot) = self.0.get(hash as usize & self.0.len().wrapping_sub(1)) {
            prefetch(slot);
        }
    }

    /// Returns the bytes that they take.
    #[must_use]
    pub fn allocated(&self) -> usize {
        self.0.len() * size_of::<u32>()
    }

    /// Makes sure that at most half of the slots are taken when there are so many entries, whose numbers are below that; if
    /// there must be more slots, `entries` gives the numbers and hashes of those that are taken.
    ///
    /// # Panics
    /// If there are more than 2^31 entries, which is more than the memory of a task.
    #[inline(always)]
    pub fn make_room<I: Iterator<Item = (usize, u64)>>(
        &mut self,
        for_entries: usize,
        entries: impl FnOnce() -> I,
    ) {
        if 2 * for_entries > self.0.len() {
            self.grow(for_entries, entries());
        }
    }

    #[inline(never)]
    fn grow(&mut self, for_entries: usize, entries: impl Iterator<Item = (usize, u64)>) {
        let slots = (2 * for_entries).next_power_of_two().max(16);
        assert!(slots as u64 <= 1 << 32, "more than 2^31 keys in one partition: use more partitions");
        // The old slots go first: at no time are there two indices.
        self.0 = Vec::new();
        self.0 = vec![0; slots];
        entries.for_each(|(at, hash)| self.insert(hash, at));
    }

    /// Puts an entry's number into the first free slot from its hash's place on; there must be room for it.
    pub fn insert(&mut self, hash: u64, at: usize) {
        let mask = self.0.len() - 1;
        let mut place = hash as usize & mask;
        while self.0[place] != 0 {
            place = (place + 1) & mask;
        }
        self.0[place] = tag(hash, mask) | (at as u32 + 1);
    }

    /// Takes an entry's number out; `hash_of` gives the hashes of others.
    pub fn remove(&mut self, hash: u64, at: usize, hash_of: impl Fn(usize) -> u64) {
        let mask = self.0.len().wrapping_sub(1);
        let mut hole = hash as usize & mask;
        loop {
            match self.0.get(hole) {
                Some(&slot) if slot == tag(hash, mask) | (at as u32 + 1) => break,
                // Not there: nothing to take out.
                None | Some(0) => return,
                Some(_) => hole = (hole + 1) & mask,
            }
        }
        // What could not lie in its own place, because it was taken, moves up to the hole.
        let mut place = hole;
        loop {
            place = (place + 1) & mask;
            let slot = self.0[place];
            if slot == 0 {
                break;
            }
            let home = hash_of((slot & mask as u32).wrapping_sub(1) as usize) as usize & mask;
            if place.wrapping_sub(home) & mask >= place.wrapping_sub(hole) & mask {
                self.0[hole] = slot;
                hole = place;
            }
        }
        self.0[hole] = 0;
    }

    /// Empties all slots, of which there are as many as before.
    pub fn clear(&mut self) {
        self.0.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Slots;

    proptest! {
        /// Hashes that collide in their places, and entries that come and go.
        #[test]
        fn what_is_taken_out_is_gone_and_all_else_is_found(
            steps in prop::collection::vec((0_usize..24, any::<bool>()), 0..200)
        ) {
            let hashes: Vec<u64> = (0..24).map(|n: u64| (n % 5) | (n << 40)).collect();
            let mut slots = Slots::default();
            let mut there = [false; 24];
            for (at, take) in steps {
                if take {
                    slots.remove(hashes[at], at, |other| hashes[other]);
                    there[at] = false;
                } else if !there[at] {
                    let taken = there;
                    let entries = || (0..24).filter(move |at| taken[*at]).map(|at| (at, hashes[at]));
                    let last = there.iter().rposition(|is| *is).unwrap_or(0);
                    slots.make_room(last.max(at) + 1, entries);
                    slots.insert(hashes[at], at);
                    there[at] = true;
                }
                for (at, hash) in hashes.iter().enumerate() {
                    let found = slots.find(*hash, &hashes, |other| other == hash);
                    prop_assert_eq!(found, there[at].then_some(at));
                }
            }
        }
    }
}
