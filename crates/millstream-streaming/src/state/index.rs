//! The numbers of a partition's keys.

use millstream_core::shuffle::slots::Slots;

/// A hash index that gives each key a number, and the numbers of keys that left to others. The keys lie elsewhere.
#[derive(Default)]
pub(super) struct Index {
    /// By number.
    hashes: Vec<u64>,
    slots: Slots,
    free: Vec<u32>,
}

impl Index {
    /// Returns the number with a hash for which `is` holds; it is asked for a few others at most.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64, is: impl Fn(usize) -> bool) -> Option<usize> {
        self.slots.find_at(hash, self.hashes.len(), is)
    }

    /// Says that a key with a hash is looked for soon.
    #[inline(always)]
    pub(super) fn prefetch(&self, hash: u64) {
        self.slots.prefetch(hash);
    }

    /// Returns the hash of the key with a number.
    pub(super) fn hash(&self, at: usize) -> u64 {
        self.hashes[at]
    }

    /// Returns the number that the next new key gets: a free one, or [`numbers`](Index::numbers).
    pub(super) fn next(&self) -> usize {
        self.free.last().map_or(self.hashes.len(), |at| *at as usize)
    }

    /// Gives a number to a key that has none.
    pub(super) fn insert(&mut self, hash: u64) -> usize {
        // Free numbers are in no slot, and a new number is given only when none is free: numbers stay below what the slots
        // have room for.
        let hashes = &self.hashes;
        let free = &self.free;
        self.slots.make_room(hashes.len() + 1 - free.len(), || {
            let mut is_free = vec![false; hashes.len()];
            free.iter().for_each(|at| is_free[*at as usize] = true);
            hashes.iter().copied().enumerate().filter(move |(at, _)| !is_free[*at])
        });
        let at = self.next();
        match self.free.pop() {
            Some(_) => self.hashes[at] = hash,
            None => self.hashes.push(hash),
        }
        self.slots.insert(hash, at);
        at
    }

    /// Makes the number of a key free.
    pub(super) fn remove(&mut self, at: usize) {
        let hash = self.hashes[at];
        if self.find(hash, |other| other == at).is_some() {
            self.slots.remove(hash, at, |other| self.hashes[other]);
            self.free.push(at as u32);
        }
    }

    /// Returns how many numbers there are, free ones included.
    pub(super) fn numbers(&self) -> usize {
        self.hashes.len()
    }

    /// Returns the bytes that it takes.
    pub(super) fn allocated(&self) -> usize {
        self.hashes.capacity() * size_of::<u64>()
            + self.free.capacity() * size_of::<u32>()
            + self.slots.allocated()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use millstream_core::shuffle::hash::pinned_hash;
    use proptest::prelude::*;

    use super::Index;

    proptest! {
        #[test]
        fn numbers_are_used_again_and_never_shared(steps in prop::collection::vec((0_u16..30, any::<bool>()), 0..300)) {
            let mut index = Index::default();
            let mut model: HashMap<String, usize> = HashMap::new();
            let mut keys: Vec<String> = Vec::new();
            let mut most = 0;
            for (n, take) in steps {
                let key = n.to_string();
                let hash = pinned_hash(&key);
                prop_assert_eq!(index.find(hash, |at| keys[at] == key), model.get(&key).copied());
                if let Some(at) = model.get(&key).copied().filter(|_| take) {
                    index.remove(at);
                    model.remove(&key);
                } else if !take && !model.contains_key(&key) {
                    let next = index.next();
                    let at = index.insert(hash);
                    prop_assert_eq!(next, at);
                    prop_assert!(model.values().all(|other| *other != at));
                    keys.resize(index.numbers(), String::new());
                    keys[at].clone_from(&key);
                    model.insert(key, at);
                }
                most = most.max(model.len());
                prop_assert_eq!(index.numbers(), most);
            }
            for (key, at) in &model {
                prop_assert_eq!(&keys[*at], key);
                prop_assert_eq!(index.hash(*at), pinned_hash(key));
            }
        }
    }
}
