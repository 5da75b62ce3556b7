//! Which partition a key belongs to.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::shuffle::hash::partition_of;

/// A rule of one's own for spreading keys.
pub trait CustomPartitioner<K>: Any + Send + Sync {
    /// Returns the number of partitions.
    fn partitions(&self) -> usize;
    /// Returns the partition of a key, below [`partitions`](CustomPartitioner::partitions).
    fn partition(&self, key: &K) -> usize;
}

/// Spreads keys over partitions: by hash, or by a rule of one's own.
///
/// A number converts into a hash partitioner. The hash is pinned: it is the same on every machine and after every
/// restart. Two partitioners are the same if they are hash partitioners of the same number, or clones of one rule.
///
/// # Examples
/// ```
/// use millstream_core::Partitioner;
///
/// let four: Partitioner<String> = 4.into();
/// assert_eq!(four.partitions(), 4);
/// ```
pub struct Partitioner<K>(Rule<K>);

enum Rule<K> {
    Hash(usize),
    Custom(Arc<dyn CustomPartitioner<K>>),
}

impl<K> Clone for Partitioner<K> {
    fn clone(&self) -> Self {
        Partitioner(match &self.0 {
            Rule::Hash(partitions) => Rule::Hash(*partitions),
            Rule::Custom(rule) => Rule::Custom(Arc::clone(rule)),
        })
    }
}

impl<K> From<usize> for Partitioner<K> {
    fn from(partitions: usize) -> Self {
        Partitioner(Rule::Hash(partitions))
    }
}

impl<K: 'static> Partitioner<K> {
    /// Spreads keys by a rule of one's own.
    pub fn custom(rule: impl CustomPartitioner<K>) -> Self {
        Partitioner(Rule::Custom(Arc::new(rule)))
    }

    /// Returns the number of partitions.
    #[must_use]
    pub fn partitions(&self) -> usize {
        match &self.0 {
            Rule::Hash(partitions) => *partitions,
            Rule::Custom(rule) => rule.partitions(),
        }
    }

    /// Returns the partition of a key whose pinned hash is known.
    #[must_use]
    pub fn partition(&self, key: &K, hash: u64) -> usize {
        match &self.0 {
            Rule::Hash(partitions) => partition_of(hash, *partitions),
            // A rule that breaks its promise must not lose the record.
            Rule::Custom(rule) => rule.partition(key).min(rule.partitions().saturating_sub(1)),
        }
    }

    /// Returns what tells this rule from others.
    #[must_use]
    pub fn identity(&self) -> PartitionedBy {
        PartitionedBy(match &self.0 {
            Rule::Hash(partitions) => Identity::Hash(*partitions),
            Rule::Custom(rule) => Identity::Custom(Arc::clone(rule) as Arc<dyn Any + Send + Sync>),
        })
    }
}

impl<K: 'static> fmt::Debug for Partitioner<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::Hash(partitions) => write!(f, "HashPartitioner({partitions})"),
            Rule::Custom(rule) => write!(f, "CustomPartitioner({})", rule.partitions()),
        }
    }
}

/// How the keys of an RDD are spread; equal for two RDDs whose equal keys lie in the same partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionedBy(Identity);

#[derive(Debug, Clone)]
enum Identity {
    Hash(usize),
    /// The rule itself, so that no other one can take its address while this identity is compared.
    Custom(Arc<dyn Any + Send + Sync>),
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Identity::Hash(one), Identity::Hash(other)) => one == other,
            (Identity::Custom(one), Identity::Custom(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for Identity {}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zero;

    impl CustomPartitioner<i32> for Zero {
        fn partitions(&self) -> usize {
            1
        }
        fn partition(&self, _: &i32) -> usize {
            0
        }
    }

    #[test]
    fn rules_of_ones_own_are_the_same_only_if_they_are_clones() {
        let rule = Partitioner::custom(Zero);
        assert_eq!(rule.identity(), rule.clone().identity());
        assert_ne!(rule.identity(), Partitioner::<i32>::from(1).identity());
        // A rule that is gone leaves its address to the next one.
        let gone = Partitioner::custom(Zero).identity();
        assert_ne!(gone, Partitioner::custom(Zero).identity());
    }
}
