//! The hash table of both sides of a shuffle.

use std::hash::Hash;
use std::mem;
use std::ptr;

use serde::Serialize;

use super::hash::pinned_hash;
use super::slots::Slots;
use crate::storage::size_estimate::estimate_all;

/// A hash table that keeps its keys in the order in which they were first seen, with their hashes.
///
/// A key's hash is computed once, by the caller: the map side hands it on to the reduce side. It must be
/// [`pinned_hash`]'s, or at least the same for equal keys and spread over all 64 bits. An entry costs its key, its value
/// and 16 to 24 bytes.
///
/// # Panics
/// When it is given more than 2^31 keys, which is more than the memory of a task.
///
/// # Examples
/// ```
/// use millstream_core::shuffle::CombineTable;
/// use millstream_core::shuffle::hash::pinned_hash;
///
/// let mut table = CombineTable::new();
/// for word in ["to", "be", "to"] {
///     table.merge(pinned_hash(word), word, 1, |first| first, |old, new| old + new);
/// }
/// assert_eq!(table.get(pinned_hash("to"), &"to"), Some(&2));
/// assert_eq!(table.iter().collect::<Vec<_>>(), [(&"to", &2), (&"be", &1)]);
/// ```
#[derive(Debug)]
pub struct CombineTable<K, C> {
    /// In the order of arrival: with frequent keys the first ones are the busy ones, and lie together.
    entries: Vec<(K, C)>,
    /// The entries' hashes, apart: they are not read on the way to an entry.
    hashes: Vec<u64>,
    slots: Slots,
}

impl<K, C> Default for CombineTable<K, C> {
    fn default() -> Self {
        CombineTable { entries: Vec::new(), hashes: Vec::new(), slots: Slots::default() }
    }
}

impl<K: Eq, C> CombineTable<K, C> {
    /// Makes an empty table, which owns no memory yet.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::shuffle::CombineTable;
    ///
    /// assert!(CombineTable::<String, u64>::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        CombineTable::default()
    }

    /// Makes an empty table with room for some keys.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::shuffle::CombineTable;
    ///
    /// assert!(CombineTable::<String, u64>::with_capacity(1000).is_empty());
    /// ```
    #[must_use]
    pub fn with_capacity(keys: usize) -> Self {
        let mut table = CombineTable {
            entries: Vec::with_capacity(keys),
            hashes: Vec::with_capacity(keys),
            slots: Slots::default(),
        };
        table.index_for(keys);
        table
    }

    /// Returns the number of keys.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::shuffle::CombineTable;
    ///
    /// let mut counts = CombineTable::new();
    /// counts.merge_chunk(vec![('a', 1), ('b', 1), ('a', 1)], |n| n, |a, b| a + b);
    /// assert_eq!(counts.len(), 2);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are no keys.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::shuffle::CombineTable;
    ///
    /// let mut counts = CombineTable::new();
    /// assert!(counts.is_empty());
    /// counts.merge_chunk(vec![('a', 1)], |n| n, |a, b| a + b);
    /// assert!(!counts.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns what is kept for a key.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::shuffle::CombineTable;
    /// use millstream_core::shuffle::hash::pinned_hash;
    ///
    /// let mut counts = CombineTable::new();
    /// counts.merge_chunk(vec![('a', 1), ('a', 1)], |n| n, |a, b| a + b);
    /// assert_eq!(counts.get(pinned_hash(&'a'), &'a'), Some(&2));
    /// assert_eq!(counts.get(pinned_hash(&'b'), &'b'), None);
    /// ```
    #[must_use]
    pub fn get(&self, hash: u64, key: &K) -> Option<&C> {
        self.find(hash, key).map(|at| &self.entries[at].1)
    }

    /// Returns what is kept for a key, to be changed.
    #[inline(always)]
    pub(crate) fn get_mut(&mut self, hash: u64, key: &K) -> Option<&mut C> {
        self.find(hash, key).map(|at| &mut self.entries[at].1)
    }

    /// Returns the keys and what is kept for them, in the order in which they were first seen.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::shuffle::CombineTable;
    ///
    /// let mut counts = CombineTable::new();
    /// counts.merge_chunk(vec![('b', 1), ('a', 1), ('b', 1)], |n| n, |a, b| a + b);
    /// assert!(counts.iter().eq([(&'b', &2), (&'a', &1)]));
    /// ```
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &C)> {
        self.entries.iter().map(|(key, combined)| (key, combined))
    }

    /// Merges a value into its key's, or makes the first one of it.
    ///
    /// If `create` panics the table is as it was; if `merge` panics it is empty.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::shuffle::CombineTable;
    /// use millstream_core::shuffle::hash::pinned_hash;
    ///
    /// let mut counts = CombineTable::new();
    /// for n in [1, 2] {
    ///     counts.merge(pinned_hash(&'a'), 'a', n, |n| n, |a, b| a + b);
    /// }
    /// assert_eq!(counts.get(pinned_hash(&'a'), &'a'), Some(&3));
    /// ```
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
    ///
    /// # Examples
    /// ```
    /// use millstream_core::shuffle::CombineTable;
    /// use millstream_core::shuffle::hash::pinned_hash;
    ///
    /// let mut lists = CombineTable::new();
    /// for n in [1, 2] {
    ///     lists.entry(pinned_hash(&'a'), 'a', Vec::new).push(n);
    /// }
    /// assert_eq!(lists.get(pinned_hash(&'a'), &'a'), Some(&vec![1, 2]));
    /// ```
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

    /// Merges the records of a chunk, in order.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::shuffle::CombineTable;
    ///
    /// let mut counts = CombineTable::new();
    /// counts.merge_chunk(vec![('b', 1), ('a', 1), ('b', 1)], |n| n, |a, b| a + b);
    /// assert!(counts.iter().eq([(&'b', &2), (&'a', &1)]));
    /// ```
    pub fn merge_chunk<V>(&mut self, records: Vec<(K, V)>, create: impl Fn(V) -> C, merge: impl Fn(C, V) -> C)
    where
        K: Hash,
    {
        // One loop: hashing all keys first, or asking memory ahead for groups of them, measured slower.
        for (key, value) in records {
            self.merge(pinned_hash(&key), key, value, &create, &merge);
        }
    }

    /// Merges the entries of another table, in order.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::shuffle::CombineTable;
    ///
    /// let (mut counts, mut others) = (CombineTable::new(), CombineTable::new());
    /// counts.merge_chunk(vec![('a', 1)], |n| n, |a, b| a + b);
    /// others.merge_chunk(vec![('b', 1), ('a', 1)], |n| n, |a, b| a + b);
    /// counts.merge_entries(others.into_entries(), |a, b| a + b);
    /// assert!(counts.iter().eq([(&'a', &2), (&'b', &1)]));
    /// ```
    pub fn merge_entries(&mut self, entries: Vec<(u64, K, C)>, merge: impl Fn(C, C) -> C) {
        for (hash, key, combined) in entries {
            self.merge(hash, key, combined, |first| first, &merge);
        }
    }

    /// Returns the keys with their hashes and what is kept for them, in the order in which they were first seen.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::shuffle::CombineTable;
    /// use millstream_core::shuffle::hash::pinned_hash;
    ///
    /// let mut counts = CombineTable::new();
    /// counts.merge_chunk(vec![('a', 1), ('a', 1)], |n| n, |a, b| a + b);
    /// assert_eq!(counts.into_entries(), [(pinned_hash(&'a'), 'a', 2)]);
    /// ```
    #[must_use]
    pub fn into_entries(self) -> Vec<(u64, K, C)> {
        let entries = self.entries.into_iter();
        self.hashes.into_iter().zip(entries).map(|(hash, (key, combined))| (hash, key, combined)).collect()
    }

    /// Returns the keys and what is kept for them, in the order in which they were first seen.
    pub(crate) fn into_pairs(self) -> impl Iterator<Item = (K, C)> {
        self.entries.into_iter()
    }

    /// Returns the bytes that the table itself takes, without those its keys and values point to.
    pub(crate) fn allocated(&self) -> usize {
        // Room that was never used takes no memory yet.
        self.len() * (size_of::<(K, C)>() + size_of::<u64>()) + self.slots.allocated()
    }

    /// Estimates the bytes that the keys and values point to.
    pub(crate) fn heap(&self) -> usize
    where
        (K, C): Serialize,
    {
        estimate_all(&self.entries) - size_of_val(self.entries.as_slice())
    }

    /// Returns the number of a key's entry.
    #[inline(always)]
    fn find(&self, hash: u64, key: &K) -> Option<usize> {
        self.slots.find(hash, &self.entries, |(found, _)| found == key)
    }

    /// Adds an entry for a key that has none.
    #[inline(never)]
    pub(crate) fn insert(&mut self, hash: u64, key: K, combined: C) -> usize {
        let at = self.entries.len();
        self.index_for(at + 1);
        self.entries.push((key, combined));
        self.hashes.push(hash);
        self.slots.insert(hash, at);
        at
    }

    /// Makes sure that at most half of the slots are taken when there are so many keys.
    ///
    /// # Panics
    /// If there are more than 2^31 keys, which is more than the memory of a task.
    fn index_for(&mut self, keys: usize) {
        let hashes = &self.hashes;
        self.slots.make_room(keys, || hashes.iter().copied().enumerate());
    }
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
    use std::collections::HashMap;
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

    /// Both ways in for a single record, by a hash of the test's choice.
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
        for (key, values) in &expected {
            assert_eq!(merged.get(hash(key), key), Some(values));
        }
        assert!(merged.iter().map(|(key, values)| (key.clone(), values.clone())).eq(expected.clone()));
        assert_eq!((merged.len(), merged.is_empty()), (expected.len(), expected.is_empty()));
        let entries = merged.into_entries();
        assert!(entries.iter().all(|(kept, key, _)| *kept == hash(key)));
        assert_eq!(without_hashes(entries), expected);
        assert_eq!(without_hashes(entered.into_entries()), expected);
    }

    #[test]
    fn chunks_on_the_map_side_and_entries_on_the_reduce_side() {
        let records: Vec<_> = (0..1_000_u64).map(|n| (Text::from(format!("{}", n % 77)), n)).collect();
        let mut reduced = CombineTable::new();
        for half in records.chunks(500) {
            let mut table = CombineTable::new();
            for chunk in half.chunks(64) {
                table.merge_chunk(chunk.to_vec(), |value| vec![value], pushed);
            }
            reduced.merge_entries(table.into_entries(), |first, second| [first, second].concat());
        }
        assert_eq!(without_hashes(reduced.into_entries()), naive(&records));
    }

    #[test]
    fn many_keys_of_all_ages() {
        let records: Vec<_> = (0..30_000_u64).map(|n| (pinned_hash(&n) % (1 + n / 2), n)).collect();
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
            let mut table = CombineTable::new();
            for n in 0..20_u64 {
                table.merge(n, (n, Rc::clone(&counted)), Rc::clone(&counted), |value| value, |_, new| new);
            }
            let key = (last, Rc::clone(&counted));
            let merge = |_, _| panic!("on purpose");
            let merging =
                AssertUnwindSafe(|| table.merge(last, key, Rc::clone(&counted), |value| value, merge));
            assert!(catch_unwind(merging).is_err());
            assert_eq!(Rc::strong_count(&counted), 1, "all is dropped, nothing twice");
            assert!(table.into_entries().is_empty());
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
        assert_eq!(
            without_hashes(table.into_entries()),
            [("c".into(), "CC".into()), ("d".into(), "D".to_owned())]
        );
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
