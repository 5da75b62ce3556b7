//! `group_by`: all records of each key that is made of them.

use super::Rdd;
use crate::data::{Data, Key};
use crate::shuffle::partitioner::Partitioner;

impl<T: Data> Rdd<T> {
    /// Gathers the records for which `f` gives the same key, in the order of their partitions.
    ///
    /// All records of a key must fit in memory.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let mut groups = context.parallelize(1..=5, 2).group_by(|n| n % 2).collect()?;
    /// groups.sort();
    /// assert_eq!(groups, [(0, vec![2, 4]), (1, vec![1, 3, 5])]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by<K: Key>(&self, f: impl Fn(&T) -> K + Send + Sync + 'static) -> Rdd<(K, Vec<T>)> {
        let partitioner = Partitioner::default_of(self.context(), &[(self.num_partitions(), None)]);
        self.group_by_with(f, partitioner)
    }

    /// Gathers the records of each key, with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let groups = context.parallelize(1..=3, 2).group_by_with(|_| 'k', 4);
    /// assert_eq!((groups.num_partitions(), groups.collect()?), (4, vec![('k', vec![1, 2, 3])]));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by_with<K: Key>(
        &self,
        f: impl Fn(&T) -> K + Send + Sync + 'static,
        partitioner: impl Into<Partitioner<K>>,
    ) -> Rdd<(K, Vec<T>)> {
        self.key_by_as("group_by", f).group_by_key_with(partitioner)
    }
}
