//! The keys of a partition and their numbers.

use millstream_core::Key;
use millstream_core::shuffle::slots::Slots;

/// A hash index that gives each key a number, and the numbers of keys that left to others.
pub(super) struct Index<K> {
    /// By number. What is left of a key whose number is free stays until the number is given away.
    keys: Vec<K>,
    hashes: Vec<u64>,
    slots: Slots,
    free: Vec<u32>,
}

impl<K> Default for Index<K> {
    fn default() -> Self {
        Index { keys: Vec::new(), hashes: Vec::new(), slots: Slots::default(), free: Vec::new() }
    }
}

impl<K: Key> Index<K> {
    /// Returns the number of a key.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64, key: &K) -> Option<usize> {
        self.slots.find(hash, &self.keys, |found| found == key)
    }

    /// Gives a number to a key that has none: a free one, or [`numbers`](Index::numbers).
    pub(super) fn insert(&mut self, hash: u64, key: K) -> usize {
        // Free numbers are in no slot, and a new number is given only when none is free: numbers stay below what the slots
        // have room for.
        let hashes = &self.hashes;
        let free = &self.free;
        self.slots.make_room(hashes.len() + 1 - free.len(), || {
            let mut is_free = vec![false; hashes.len()];
            free.iter().for_each(|at| is_free[*at as usize] = true);
            hashes.iter().copied().enumerate().filter(move |(at, _)| !is_free[*at])
        });
        let at = match self.free.pop() {
            Some(at) => {
                let at = at as usize;
                self.keys[at] = key;
                self.hashes[at] = hash;
                at
            }
            None => {
                self.keys.push(key);
                self.hashes.push(hash);
                self.keys.len() - 1
            }
        };
        self.slots.insert(hash, at);
        at
    }

    /// Makes the number of a key free.
    pub(super) fn remove(&mut self, at: usize) {
        if self.find(self.hashes[at], &self.keys[at]) == Some(at) {
            self.slots.remove(self.hashes[at], at, |other| self.hashes[other]);
            self.free.push(at as u32);
        }
    }

    /// Returns how many numbers there are, free ones included.
    pub(super) fn numbers(&self) -> usize {
        self.keys.len()
    }

    /// Returns the keys by number; those of free numbers mean nothing.
    pub(super) fn keys(&self) -> &[K] {
        &self.keys
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
            let mut most = 0;
            for (n, take) in steps {
                let key = n.to_string();
                let hash = pinned_hash(&key);
                prop_assert_eq!(index.find(hash, &key), model.get(&key).copied());
                if let Some(at) = model.get(&key).copied().filter(|_| take) {
                    index.remove(at);
                    model.remove(&key);
                } else if !take && !model.contains_key(&key) {
                    let at = index.insert(hash, key.clone());
                    prop_assert!(model.values().all(|other| *other != at));
                    model.insert(key, at);
                }
                most = most.max(model.len());
                prop_assert_eq!(index.numbers(), most);
            }
            for (key, at) in &model {
                prop_assert_eq!(&index.keys()[*at], key);
            }
        }
    }
}
