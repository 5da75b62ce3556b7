//! Sequences, maps and sets: `List(1, 2)`, `Map(a -> 1)`, `Set(1, 2)`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;

use super::{Show, shown};

impl<T: Show> Show for [T] {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, "List", self.iter())
    }
}

impl<T: Show, const N: usize> Show for [T; N] {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().show(f)
    }
}

impl<T: Show> Show for Vec<T> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().show(f)
    }
}

impl<T: Show> Show for VecDeque<T> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, "List", self.iter())
    }
}

impl<T: Show> Show for BTreeSet<T> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, "Set", self.iter())
    }
}

impl<K: Show, V: Show> Show for BTreeMap<K, V> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, "Map", self.iter().map(Entry))
    }
}

/// In order of what is printed, so that a batch that is computed again prints the same; that costs a sort.
impl<T: Show, S> Show for HashSet<T, S> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, "Set", sorted(self.iter()).into_iter())
    }
}

/// In order of what is printed, so that a batch that is computed again prints the same; that costs a sort.
impl<K: Show, V: Show, S> Show for HashMap<K, V, S> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, "Map", sorted(self.iter().map(Entry)).into_iter())
    }
}

/// A key and its value, printed `a -> 1`.
struct Entry<'a, K, V>((&'a K, &'a V));

impl<K: Show, V: Show> Show for Entry<'_, K, V> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, value) = self.0;
        key.show(f)?;
        f.write_str(" -> ")?;
        value.show(f)
    }
}

fn list(f: &mut fmt::Formatter<'_>, name: &str, members: impl Iterator<Item: Show>) -> fmt::Result {
    f.write_str(name)?;
    f.write_str("(")?;
    for (i, member) in members.enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        member.show(f)?;
    }
    f.write_str(")")
}

fn sorted(members: impl Iterator<Item: Show>) -> Vec<String> {
    let mut texts: Vec<String> = members.map(|member| shown(&member).to_string()).collect();
    texts.sort_unstable();
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_lists() {
        assert_eq!(shown(&vec![1, 2]).to_string(), "List(1, 2)");
        assert_eq!(shown(&Vec::<i32>::new()).to_string(), "List()");
        assert_eq!(shown(&["a", "b"]).to_string(), "List(a, b)");
        assert_eq!(shown(&[0.5, 1.0][..]).to_string(), "List(0.5, 1.0)");
        assert_eq!(shown(&VecDeque::from([1, 2])).to_string(), "List(1, 2)");
        assert_eq!(shown(&("k", vec![(1, 'a'), (2, 'b')])).to_string(), "(k,List((1,a), (2,b)))");
    }

    #[test]
    fn maps_have_arrows() {
        assert_eq!(shown(&BTreeMap::from([("b", 2), ("a", 1)])).to_string(), "Map(a -> 1, b -> 2)");
        assert_eq!(shown(&BTreeMap::<i32, i32>::new()).to_string(), "Map()");
        assert_eq!(
            shown(&HashMap::from([("b", Some(2)), ("a", None)])).to_string(),
            "Map(a -> None, b -> Some(2))"
        );
        assert_eq!(shown(&HashMap::<i32, i32>::new()).to_string(), "Map()");
    }

    #[test]
    fn sets_are_sets() {
        assert_eq!(shown(&BTreeSet::from([10, 9])).to_string(), "Set(9, 10)");
        assert_eq!(shown(&HashSet::<i32>::new()).to_string(), "Set()");
    }

    #[test]
    fn hashed_members_are_in_the_order_of_their_text() {
        let set: HashSet<u32> = (0..100).collect();
        let mut texts: Vec<String> = set.iter().map(u32::to_string).collect();
        texts.sort();
        assert_eq!(shown(&set).to_string(), format!("Set({})", texts.join(", ")));
    }
}
