//! `left_outer_join`: join, with the keys of `other` optional.

use super::Grouped;
use super::full_outer_join::or_nothing;
use crate::data::{Data, Key};
use crate::rdd::Rdd;
use crate::shuffle::partitioner::Partitioner;

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Pairs each value of a key here with each of its values in `other`, or with nothing where it has none.
    ///
    /// All values of a key must fit in memory, and so must what is made of them.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let left = context.parallelize([(1, 'a'), (2, 'b')], 1);
    /// let right = context.parallelize([(1, "x"), (1, "y"), (3, "z")].map(|(k, v)| (k, v.to_owned())), 1);
    /// let mut joined = left.left_outer_join(&right).collect()?;
    /// joined.sort();
    /// assert_eq!(joined, [(1, ('a', Some("x".into()))), (1, ('a', Some("y".into()))), (2, ('b', None))]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn left_outer_join<W: Data>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, (V, Option<W>))> {
        self.left_outer_join_with(other, self.default_partitioner_beside(other))
    }

    /// Joins like [`left_outer_join`](Rdd::left_outer_join), with a partitioner or a number of partitions.
    ///
    /// A side whose keys are already spread by the same partitioner is not moved.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([(1, 'a')], 2);
    /// let joined = pairs.left_outer_join_with(&pairs, 3);
    /// assert_eq!((joined.num_partitions(), joined.count()?), (3, 1));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn left_outer_join_with<W: Data>(
        &self,
        other: &Rdd<(K, W)>,
        partitioner: impl Into<Partitioner<K>>,
    ) -> Rdd<(K, (V, Option<W>))> {
        self.cogroup_with(other, partitioner).flat_map_values_as(
            "left_outer_join",
            (),
            |(), (left, right): Grouped<V, W>| {
                let right = or_nothing(right);
                left.into_iter().flat_map(move |v| right.clone().into_iter().map(move |w| (v.clone(), w)))
            },
        )
    }
}
