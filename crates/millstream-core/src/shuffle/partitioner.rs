//! Which partition a key belongs to.

use std::fmt;
use std::sync::Arc;

use crate::shuffle::hash::partition_of;

/// A rule of one's own for spreading keys.
pub trait CustomPartitioner<K>: Send + Sync + 'static {
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
            Rule::Custom(rule) => Identity::Custom(Arc::as_ptr(rule).cast::<()>() as usize),
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

#[derive(Debug, Clone, PartialEq, Eq)]
enum Identity {
    Hash(usize),
    /// The rule's address: rules are never moved while an RDD holds them.
    Custom(usize),
}
