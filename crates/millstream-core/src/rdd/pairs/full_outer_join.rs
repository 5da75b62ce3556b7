//! `full_outer_join`: join, with the keys of both RDDs optional.

use super::joined::Pairing;
use crate::data::{Data, Key};
use crate::rdd::Rdd;
use crate::shuffle::partitioner::Partitioner;

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Pairs each value of a key here with each of its values in `other`; a side that has none is nothing.
    ///
    /// Costs a table of all pairs of `other`, in memory; where there is no room, both sides are sorted on disk, and all values
    /// of one key must fit in memory, and so must what is made of them.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let left = context.parallelize([(1, 'a')], 1);
    /// let right = context.parallelize([(2, 'x')], 1);
    /// let mut joined = left.full_outer_join(&right).collect()?;
    /// joined.sort();
    /// assert_eq!(joined, [(1, (Some('a'), None)), (2, (None, Some('x')))]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[expect(
        clippy::type_complexity,
        reason = "the record type of Spark's method, which an alias would hide"
    )]
    pub fn full_outer_join<W: Data>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, (Option<V>, Option<W>))> {
        self.full_outer_join_with(other, self.default_partitioner_beside(other))
    }

    /// Joins like [`full_outer_join`](Rdd::full_outer_join), with a partitioner or a number of partitions.
    ///
    /// A side whose keys are already spread by the same partitioner is not moved.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([(1, 'a')], 2);
    /// let joined = pairs.full_outer_join_with(&pairs, 3);
    /// assert_eq!((joined.num_partitions(), joined.count()?), (3, 1));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[expect(
        clippy::type_complexity,
        reason = "the record type of Spark's method, which an alias would hide"
    )]
    pub fn full_outer_join_with<W: Data>(
        &self,
        other: &Rdd<(K, W)>,
        partitioner: impl Into<Partitioner<K>>,
    ) -> Rdd<(K, (Option<V>, Option<W>))> {
        self.joined::<W, FullOuter>("full_outer_join", other, partitioner.into())
    }
}

/// Values that meet, and those that meet none.
struct FullOuter;

impl<V: Data, W: Data> Pairing<V, W> for FullOuter {
    type Out = (Option<V>, Option<W>);
    const RIGHT_ALONE: bool = true;
    fn both(v: V, w: W) -> Self::Out {
        (Some(v), Some(w))
    }
    fn left(v: V) -> Option<Self::Out> {
        Some((Some(v), None))
    }
    fn right(w: W) -> Option<Self::Out> {
        Some((None, Some(w)))
    }
}
