//! Which variants of enums were followed.

use std::collections::BTreeMap;

/// Which variants of enums were followed, and what was found there.
pub(super) struct Variants {
    /// By what reads the enum, which is of the enum's type, as its name is not if it is generic: how often each was followed.
    of: BTreeMap<&'static str, Vec<usize>>,
    /// The enums that are being read.
    pub(super) within: Vec<&'static str>,
    /// Whether the simplest value is read.
    pub(super) is_first: bool,
    pub(super) told: Vec<String>,
}

impl Default for Variants {
    fn default() -> Self {
        Variants { of: BTreeMap::new(), within: Vec::new(), is_first: true, told: Vec::new() }
    }
}

impl Variants {
    pub(super) fn are_left(&self) -> bool {
        self.of.values().flatten().any(|followed| *followed == 0)
    }

    /// Chooses a variant to follow; returns its place, and whether it is the first time.
    pub(super) fn choose(&mut self, id: &'static str, variants: usize) -> (usize, bool) {
        let followed = self.of.entry(id).or_insert_with(|| vec![0; variants]);
        // A type that contains itself ends with the first one, if with any.
        let is_within = self.within.contains(&id);
        let least = followed.iter().enumerate().min_by_key(|(_, followed)| **followed);
        let place = least.filter(|_| !is_within && !self.is_first).map_or(0, |(place, _)| place);
        let Some(times) = followed.get_mut(place) else { return (place, false) };
        *times += 1;
        (place, *times == 1)
    }
}
