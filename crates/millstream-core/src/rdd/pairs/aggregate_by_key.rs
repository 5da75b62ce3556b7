//! `aggregate_by_key`: the values of each key in a value of another type.

use crate::data::{Data, Key};
use crate::rdd::Rdd;
use crate::rdd::narrow::Form;
use crate::shuffle::combine_table::CombineTable;
use crate::shuffle::partitioner::Partitioner;
use crate::stream;

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Adds the values of each key to a `zero` of its own, first where they lie, then merges the results across partitions.
    ///
    /// Where the keys are spread by some partitioner already it stays and nothing is merged; else there are as many
    /// partitions as `spark.default.parallelism` says. `zero` must be neutral, or it counts once for each partition.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let words = context.parallelize([('a', "to".to_owned()), ('a', "be".to_owned())], 2);
    /// let letters = words.aggregate_by_key(0, |sum, word| sum + word.len(), |a, b| a + b);
    /// assert_eq!(letters.collect()?, [('a', 4)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn aggregate_by_key<U: Data>(
        &self,
        zero: U,
        add: impl Fn(U, V) -> U + Send + Sync + 'static,
        merge: impl Fn(U, U) -> U + Send + Sync + 'static,
    ) -> Rdd<(K, U)> {
        let here = self.added_where_they_lie("aggregate_by_key", zero, add);
        if self.partitioned_by().is_some() { here } else { here.reduce_by_key(merge) }
    }

    /// Adds the values of each key to a `zero`, with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([('a', 1), ('a', 2)], 2);
    /// let sums = pairs.aggregate_by_key_with(0, |sum, n| sum + n, |a, b| a + b, 3);
    /// assert_eq!((sums.num_partitions(), sums.collect()?), (3, vec![('a', 3)]));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn aggregate_by_key_with<U: Data>(
        &self,
        zero: U,
        add: impl Fn(U, V) -> U + Send + Sync + 'static,
        merge: impl Fn(U, U) -> U + Send + Sync + 'static,
        partitioner: impl Into<Partitioner<K>>,
    ) -> Rdd<(K, U)> {
        let partitioner = partitioner.into();
        let here = self.added_where_they_lie("aggregate_by_key", zero, add);
        let done = self.partitioned_by() == Some(partitioner.identity());
        if done { here } else { here.reduce_by_key_with(merge, partitioner) }
    }

    /// Adds the values of each key of each partition to a `zero`.
    #[track_caller]
    pub(super) fn added_where_they_lie<U: Data>(
        &self,
        name: &'static str,
        zero: U,
        add: impl Fn(U, V) -> U + Send + Sync + 'static,
    ) -> Rdd<(K, U)> {
        self.per_partition(Form { name, env: zero, keeps_keys: true }, move |zero, input, _| {
            let mut table: CombineTable<K, U> = CombineTable::new();
            stream::drain(input, |chunk| {
                table.merge_chunk(chunk.into_vec(), |value| add(zero.clone(), value), &add);
                Ok(())
            })?;
            Ok(stream::from_iter(table.into_entries().into_iter().map(|(_, key, sum)| (key, sum))))
        })
    }
}
