//! `combine_by_key`: the values of each key in a value of another type, which the first value makes.

use crate::data::{Data, Key};
use crate::rdd::Rdd;
use crate::rdd::narrow::Form;
use crate::shuffle::combine_table::CombineTable;
use crate::shuffle::partitioner::Partitioner;
use crate::stream;

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Combines the values of each key: the first value makes a combiner, the others are merged into it, first where they
    /// lie; then the combiners are merged across partitions.
    ///
    /// Where the keys are spread by some partitioner already it stays and nothing is moved; else there are as many
    /// partitions as `spark.default.parallelism` says. Costs one hash table entry per key and task.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let scores = context.parallelize([('a', 2.0), ('a', 4.0)], 2);
    /// let sums = scores.combine_by_key(
    ///     |score| (score, 1),
    ///     |(sum, n), score| (sum + score, n + 1),
    ///     |(sum, n), (other, m)| (sum + other, n + m),
    /// );
    /// assert_eq!(sums.collect()?, [('a', (6.0, 2))]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn combine_by_key<C: Data>(
        &self,
        create: impl Fn(V) -> C + Send + Sync + 'static,
        merge_value: impl Fn(C, V) -> C + Send + Sync + 'static,
        merge_combiners: impl Fn(C, C) -> C + Send + Sync + 'static,
    ) -> Rdd<(K, C)> {
        let here = self.combined_where_they_lie(create, merge_value);
        if self.partitioned_by().is_some() { here } else { here.reduce_by_key(merge_combiners) }
    }

    /// Combines the values of each key, with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([(1, 'a'), (1, 'b')], 1);
    /// let words = pairs.combine_by_key_with(String::from, |word, c| word + &c.to_string(), |a, b| a + &b, 3);
    /// assert_eq!((words.num_partitions(), words.collect()?), (3, vec![(1, "ab".into())]));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn combine_by_key_with<C: Data>(
        &self,
        create: impl Fn(V) -> C + Send + Sync + 'static,
        merge_value: impl Fn(C, V) -> C + Send + Sync + 'static,
        merge_combiners: impl Fn(C, C) -> C + Send + Sync + 'static,
        partitioner: impl Into<Partitioner<K>>,
    ) -> Rdd<(K, C)> {
        let partitioner = partitioner.into();
        let here = self.combined_where_they_lie(create, merge_value);
        let done = self.partitioned_by() == Some(partitioner.identity());
        if done { here } else { here.reduce_by_key_with(merge_combiners, partitioner) }
    }

    /// Combines the values of each key of each partition.
    #[track_caller]
    fn combined_where_they_lie<C: Data>(
        &self,
        create: impl Fn(V) -> C + Send + Sync + 'static,
        merge_value: impl Fn(C, V) -> C + Send + Sync + 'static,
    ) -> Rdd<(K, C)> {
        let form = Form { keeps_keys: true, ..Form::new("combine_by_key") };
        self.per_partition(form, move |(), input, _| {
            let mut table: CombineTable<K, C> = CombineTable::new();
            stream::drain(input, |chunk| {
                table.merge_chunk(chunk.into_vec(), &create, &merge_value);
                Ok(())
            })?;
            Ok(stream::from_iter(table.into_entries().into_iter().map(|(_, key, combined)| (key, combined))))
        })
    }
}
