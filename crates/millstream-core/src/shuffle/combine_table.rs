//! The hash table of both sides of a shuffle.

use std::mem;
use std::ptr;

use super::hash::pinned_hash;

/// Entries beyond this many bytes are no longer all in the processor's nearer caches.
const NEAR: usize = 256 << 10;

/// How many records are looked up at once where the table is large, so that their waits for memory overlap.
const GROUP: usize = 16;

/// A hash table that keeps its keys in the order in which they were first seen, with their hashes.
///
/// A key's hash is computed once, by the caller: the map side hands it on to the reduce side.
pub struct CombineTable<K, C> {
    /// In the order of arrival: with frequent keys the first ones are the busy ones, and lie together.
    entries: Vec<(K, C)>,
    /// The entries' hashes, apart: they are not read on the way to an entry.
    hashes: Vec<u64>,
    /// Open addressing over a power of two of slots, at most half of them taken. A free slot is 0. In another one the low
    /// bits, as many as number the slots, are the entry's number + 1, and the bits above are taken from its hash.
    /// Half the size of full indices: it is what most often misses the cache.
    slots: Vec<u32>,
}

/// The part of a hash that a slot keeps.
#[inline(always)]
fn tag(hash: u64, mask: usize) -> u32 {
    // Neither the bits that choose the slot nor, as a rule, those that chose the partition.
    (hash >> 24) as u32 & !(mask as u32)
}

impl<K: Eq, C> CombineTable<K, C> {
    /// Makes an empty table, which owns no memory yet.
    pub fn new() -> Self {
        CombineTable { entries: Vec::new(), hashes: Vec::new(), slots: Vec::new() }
    }

    /// Makes an empty table with room for some keys.
    pub fn with_capacity(keys: usize) -> Self {
        let mut table = CombineTable {
            entries: Vec::with_capacity(keys),
            hashes: Vec::with_capacity(keys),
            slots: Vec::new(),
        };
        table.index_for(keys);
        table
    }

    /// Merges a value into its key's, or makes the first one of it.
    ///
    /// If `create` panics the table is as it was; if `merge` panics it is empty.
    #[inline(always)]
    pub fn merge<V>(
        &mut self,
        hash: u64,
        key: K,
        value: V,
        create: impl FnOnce(V) -> C,
        merge: impl FnOnce(C, V) -> C,
    ) {
        let Some(at) = self.find(hash, &key) else {
            let combined = create(value);
            self.insert(hash, key, combined);
            return;
        };
        let taken = Taken { table: self, at };
        let slot: *mut C = &raw mut taken.table.entries[at].1;
        // SAFETY: `slot` points to an entry of the table, which nothing else touches before it is written again. Between
        // reading and writing the value belongs to `merge`; if that panics, `taken` drops everything but the value.
        unsafe {
            let old = ptr::read(slot);
            ptr::write(slot, merge(old, value));
        }
        mem::forget(taken);
    }

    /// Returns what is kept for a key, made now if it is new.
    #[inline(always)]
    pub fn entry(&mut self, hash: u64, key: K, create: impl FnOnce() -> C) -> &mut C {
        let at = match self.find(hash, &key) {
            Some(at) => at,
            None => {
                let combined = create();
                self.insert(hash, key, combined)
            }
        };
        &mut self.entries[at].1
    }

    /// Hashes the keys of a chunk and merges its values: the fastest way in.
    pub fn merge_chunk<V>(
        &mut self,
        records: Vec<(K, V)>,
        create: impl Fn(V) -> C,
        merge: impl Fn(C, V) -> C,
    ) where
        K: std::hash::Hash,
    {
        self.each(
            records,
            |(key, _)| pinned_hash(key),
            |table, hash, (key, value)| table.merge(hash, key, value, &create, &merge),
        );
    }

    /// Merges the entries of another table.
    pub fn merge_entries(&mut self, entries: Vec<(u64, K, C)>, merge: impl Fn(C, C) -> C) {
        self.each(
            entries,
            |(hash, ..)| *hash,
            |table, hash, (_, key, value)| table.merge(hash, key, value, |value| value, &merge),
        );
    }

    /// Returns the keys with their hashes and what was combined, in the order in which they were first seen.
    pub fn into_entries(self) -> Vec<(u64, K, C)> {
        let entries = self.entries.into_iter();
        self.hashes.into_iter().zip(entries).map(|(hash, (key, combined))| (hash, key, combined)).collect()
    }

    /// Calls `visit` with each record and its hash, in order; where the table is large, memory is asked ahead for
    /// a group of records.
    #[inline(always)]
    fn each<R>(
        &mut self,
        records: Vec<R>,
        hash: impl Fn(&R) -> u64,
        mut visit: impl FnMut(&mut Self, u64, R),
    ) {
        let mut records = records.into_iter();
        while !records.as_slice().is_empty() {
            if self.entries.len() * size_of::<(K, C)>() < NEAR {
                for record in records.by_ref().take(8 * GROUP) {
                    visit(self, hash(&record), record);
                }
                continue;
            }
            let mut hashes = [0; GROUP];
            for (ahead, record) in hashes.iter_mut().zip(records.as_slice()) {
                *ahead = hash(record);
            }
            for ahead in hashes {
                self.prefetch(ahead);
            }
            for (hash, record) in hashes.into_iter().zip(records.by_ref()) {
                visit(self, hash, record);
            }
        }
    }

    /// Returns the number of a key's entry.
    #[inline(always)]
    fn find(&self, hash: u64, key: &K) -> Option<usize> {
        let mask = self.slots.len().wrapping_sub(1);
        let tag = tag(hash, mask);
        let mut place = hash as usize & mask;
        loop {
            // Without any slot there is none here either.
            let slot = *self.slots.get(place)?;
            // Of another tag, and of a free slot, this makes a number beyond all entries.
            let at = (slot ^ tag).wrapping_sub(1) as usize;
            if let Some((found, _)) = self.entries.get(at) {
                if found == key {
                    return Some(at);
                }
            } else if slot == 0 {
                return None;
            }
            place = (place + 1) & mask;
        }
    }

    /// Asks memory for the entry a hash most likely belongs to.
    #[inline(always)]
    fn prefetch(&self, hash: u64) {
        #[cfg(target_feature = "sse")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let mask = self.slots.len().wrapping_sub(1);
            let Some(slot) = self.slots.get(hash as usize & mask) else { return };
            let at = (*slot as usize & mask).wrapping_sub(1);
            let entry = self.entries.as_ptr().wrapping_add(at);
            // SAFETY: the instruction exists, and takes any address: it reads nothing a program could notice.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(entry.cast()) };
        }
        #[cfg(not(target_feature = "sse"))]
        let _ = hash;
    }

    /// Adds an entry for a key that has none.
    #[inline(never)]
    fn insert(&mut self, hash: u64, key: K, combined: C) -> usize {
        let at = self.entries.len();
        self.index_for(at + 1);
        self.entries.push((key, combined));
        self.hashes.push(hash);
        index(&mut self.slots, hash, at);
        at
    }

    /// Makes sure that at most half of the slots are taken when there are so many keys.
    ///
    /// # Panics
    /// If there are more than 2^31 keys, which is more than the memory of a task.
    fn index_for(&mut self, keys: usize) {
        if 2 * keys <= self.slots.len() {
            return;
        }
        let slots = (2 * keys).next_power_of_two().max(16);
        assert!(slots as u64 <= 1 << 32, "more than 2^31 keys in one partition: use more partitions");
        // The old slots go first: at no time are there two indices.
        self.slots = Vec::new();
        self.slots = vec![0; slots];
        for (at, hash) in self.hashes.iter().enumerate() {
            index(&mut self.slots, *hash, at);
        }
    }
}

/// Puts an entry's number into the first free slot from its hash's place on.
fn index(slots: &mut [u32], hash: u64, at: usize) {
    let mask = slots.len() - 1;
    let mut place = hash as usize & mask;
    while slots[place] != 0 {
        place = (place + 1) & mask;
    }
    slots[place] = tag(hash, mask) | (at as u32 + 1);
}

/// A table out of which a value has been taken: dropped only if the closure that has it panics.
struct Taken<'a, K, C> {
    table: &'a mut CombineTable<K, C>,
    at: usize,
}

impl<K, C> Drop for Taken<'_, K, C> {
    fn drop(&mut self) {
        self.table.slots.clear();
        self.table.hashes.clear();
        let entries = &mut self.table.entries;
        let (len, first) = (entries.len(), entries.as_mut_ptr());
        // SAFETY: the entries no longer belong to the vector when they are dropped, each once, save the value that was
        // taken: those before it, its key, and those behind it.
        unsafe {
            entries.set_len(0);
            ptr::drop_in_place(ptr::slice_from_raw_parts_mut(first, self.at));
            ptr::drop_in_place(&raw mut (*first.add(self.at)).0);
            ptr::drop_in_place(ptr::slice_from_raw_parts_mut(first.add(self.at + 1), len - self.at - 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::HashMap;
    use std::hash::Hash;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;
    use crate::text::Text;

    /// The keys in first-seen order, with their values in order of arrival.
    fn naive<K: Eq + Hash + Clone, V: Clone>(records: &[(K, V)]) -> Vec<(K, Vec<V>)> {
        let mut order = Vec::new();
        let mut values: HashMap<K, Vec<V>> = HashMap::new();
        for (key, value) in records {
            if !values.contains_key(key) {
                order.push(key.clone());
            }
            values.entry(key.clone()).or_default().push(value.clone());
        }
        order.into_iter().map(|key| (key.clone(), values.remove(&key).unwrap())).collect()
    }

    fn pushed<V>(mut list: Vec<V>, value: V) -> Vec<V> {
        list.push(value);
        list
    }

    fn without_hashes<K, C>(entries: Vec<(u64, K, C)>) -> Vec<(K, C)> {
        entries.into_iter().map(|(_, key, combined)| (key, combined)).collect()
    }

    /// All ways into the table, by a hash of the test's choice.
    fn check<K, V>(records: Vec<(K, V)>, hash: impl Fn(&K) -> u64)
    where
        K: Eq + Hash + Clone + std::fmt::Debug,
        V: Clone + PartialEq + std::fmt::Debug,
    {
        let expected = naive(&records);
        let mut merged = CombineTable::new();
        let mut entered: CombineTable<K, Vec<V>> = CombineTable::with_capacity(records.len() / 2);
        for (key, value) in records.clone() {
            merged.merge(hash(&key), key.clone(), value.clone(), |value| vec![value], pushed);
            entered.entry(hash(&key), key, Vec::new).push(value);
        }
        let entries = merged.into_entries();
        assert!(entries.iter().all(|(kept, key, _)| *kept == hash(key)));
        assert_eq!(without_hashes(entries), expected);
        assert_eq!(without_hashes(entered.into_entries()), expected);

        let (first, second) = records.split_at(records.len() / 2);
        let mut halves = [first, second].map(|half| {
            let mut table = CombineTable::new();
            for chunk in half.chunks(100) {
                table.merge_chunk(chunk.to_vec(), |value| vec![value], pushed);
            }
            table.into_entries()
        });
        let mut all = CombineTable::with_capacity(halves[0].len());
        for half in &mut halves {
            all.merge_entries(mem::take(half), |old, new| [old, new].concat());
        }
        assert_eq!(without_hashes(all.into_entries()), expected);
    }

    #[test]
    fn many_keys_of_all_ages() {
        let records: Vec<_> = (0..30_000_u64).map(|n| (pinned_hash(&n) % (1 + n / 2), n)).collect();
        check(records, pinned_hash);
    }

    #[test]
    fn a_table_larger_than_the_caches() {
        let records: Vec<_> = (0..3_000_u64).map(|n| ([n % 1_100; 64], n)).collect();
        assert!(1_100 * size_of::<([u64; 64], Vec<u64>)>() > NEAR);
        check(records, pinned_hash);
    }

    #[test]
    fn keys_without_bytes() {
        check(vec![((), 1), ((), 2)], |()| 0);
        assert!(CombineTable::<(), ()>::new().into_entries().is_empty());
    }

    proptest! {
        #[test]
        fn it_holds_what_a_map_holds(
            records in prop::collection::vec((0_usize..40, any::<u8>()), 0..200)
        ) {
            let text = |len| Text::from("a".repeat(len));
            check(records.into_iter().map(|(key, value)| (text(key), value)).collect(), pinned_hash);
        }

        #[test]
        fn keys_may_share_a_hash(
            records in prop::collection::vec((0_u64..40, any::<u8>()), 0..200),
            hashes in prop::collection::vec(prop_oneof![Just(0), Just(u64::MAX), 0_u64..64, any::<u64>()], 1..5)
        ) {
            check(records, |key| hashes[*key as usize % hashes.len()]);
        }
    }

    #[test]
    fn a_panic_in_merge_drops_everything_once() {
        let counted = Rc::new(());
        for last in 0..20 {
            let calls = Cell::new(0);
            let records: Vec<_> = (0..20).map(|n| ((n, Rc::clone(&counted)), Rc::clone(&counted))).collect();
            let mut table = CombineTable::new();
            table.merge_chunk(records.clone(), |value| value, |_, new| new);
            let merge = |_, new| {
                assert!(calls.replace(calls.get() + 1) < last, "on purpose");
                new
            };
            let merging = catch_unwind(AssertUnwindSafe(|| table.merge_chunk(records, |value| value, merge)));
            assert!(merging.is_err());
            assert_eq!(Rc::strong_count(&counted), 1, "all is dropped, nothing twice");
            assert_eq!(table.into_entries().len(), 0);
        }
    }

    #[test]
    fn a_table_works_on_after_a_panic() {
        let mut table = CombineTable::new();
        let add = |table: &mut CombineTable<_, _>, key: &str, merge: fn(String, String) -> String| {
            table.merge(pinned_hash(key), key.to_owned(), key.to_uppercase(), |value| value, merge);
        };
        let concat: fn(String, String) -> String = |old, new| old + &new;
        for key in ["a", "b", "c", "b"] {
            add(&mut table, key, concat);
        }
        let panics = catch_unwind(AssertUnwindSafe(|| add(&mut table, "b", |old, _| panic!("{old}"))));
        assert_eq!(*panics.unwrap_err().downcast::<String>().unwrap(), "BB");
        for key in ["c", "d", "c"] {
            add(&mut table, key, concat);
        }
        assert_eq!(without_hashes(table.into_entries()), [("c".into(), "CC".into()), ("d".into(), "D".to_owned())]);
    }

    #[test]
    fn a_panic_in_create_leaves_the_table_as_it_was() {
        let mut table = CombineTable::new();
        table.merge(1, 1, 1, |n| n, |a, b| a + b);
        let create: fn(i32) -> i32 = |n| panic!("{n}");
        assert!(catch_unwind(AssertUnwindSafe(|| table.merge(2, 2, 2, create, |a, b| a + b))).is_err());
        table.merge(1, 1, 1, |n| n, |a, b| a + b);
        assert_eq!(table.into_entries(), [(1, 1, 2)]);
    }
}
