//! `join`: pairs each value of a key here with each of its values in `other`.

use super::joined::Pairing;
use crate::data::{Data, Key};
use crate::rdd::Rdd;
use crate::shuffle::partitioner::Partitioner;

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Pairs each value of a key here with each of its values in `other`; keys of one side only are left out.
    ///
    /// Costs a table of all pairs of `other`, in memory; where there is no room, both sides are sorted on disk, and all values
    /// of one key must fit in memory, and so must what is made of them.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let left = context.parallelize([(1, 'a'), (2, 'b')], 1);
    /// let right = context.parallelize([(1, "x"), (1, "y"), (3, "z")].map(|(k, v)| (k, v.to_owned())), 1);
    /// let mut joined = left.join(&right).collect()?;
    /// joined.sort();
    /// assert_eq!(joined, [(1, ('a', "x".into())), (1, ('a', "y".into()))]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn join<W: Data>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, (V, W))> {
        self.join_with(other, self.default_partitioner_beside(other))
    }

    /// Joins like [`join`](Rdd::join), with a partitioner or a number of partitions.
    ///
    /// A side whose keys are already spread by the same partitioner is not moved.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([(1, 'a')], 2);
    /// let joined = pairs.join_with(&pairs, 3);
    /// assert_eq!((joined.num_partitions(), joined.count()?), (3, 1));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn join_with<W: Data>(
        &self,
        other: &Rdd<(K, W)>,
        partitioner: impl Into<Partitioner<K>>,
    ) -> Rdd<(K, (V, W))> {
        self.joined::<W, Inner>("join", other, partitioner.into())
    }
}

/// Values that meet.
struct Inner;

impl<V: Data, W: Data> Pairing<V, W> for Inner {
    type Out = (V, W);
    const RIGHT_ALONE: bool = false;
    fn both(v: V, w: W) -> Self::Out {
        (v, w)
    }
    fn left(_: V) -> Option<Self::Out> {
        None
    }
    fn right(_: W) -> Option<Self::Out> {
        None
    }
}
