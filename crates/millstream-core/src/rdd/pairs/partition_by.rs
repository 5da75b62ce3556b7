//! `partition_by`: spread pairs by their keys.

use std::panic::Location;

use super::spread;
use crate::data::{Data, Key};
use crate::error::Result;
use crate::function::CodeAddress;
use crate::rdd::exchange::{Exchange, sent_with};
use crate::rdd::{AnyRdd, Rdd, Rebuild, Rebuilding};
use crate::shuffle::partitioner::Partitioner;
use crate::stream;

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Spreads the pairs over partitions by their keys; the order within a partition is kept.
    ///
    /// Later operators by key with the same partitioner move nothing. Where the keys are spread so already, this is free.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let spread = context.parallelize((0..10).map(|n| (n % 2, n)), 3).partition_by(2);
    /// assert_eq!((spread.num_partitions(), spread.count()?), (2, 10));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn partition_by(&self, partitioner: impl Into<Partitioner<K>>) -> Rdd<(K, V)> {
        let partitioner = partitioner.into();
        if self.partitioned_by() == Some(partitioner.identity()) {
            return self.clone();
        }
        self.spread_by(partitioner)
    }

    #[track_caller]
    fn spread_by(&self, partitioner: Partitioner<K>) -> Rdd<(K, V)> {
        fn rebuild<K: Key, V: Data>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            let parent: Rdd<(K, V)> = Rdd::from_any(from.parent(0)?)?;
            Ok(parent.spread_by(sent_with::<K, ()>(from)?.0).any())
        }
        let rebuild: Rebuild = rebuild::<K, V>;
        let rule = partitioner.clone();
        let exchange = Exchange::new(
            self,
            &partitioner,
            CodeAddress::of::<(K, V)>(rebuild as usize),
            (),
            Box::new(move |input, task| spread(input, &rule, task)),
            Box::new(|input| {
                let mut input = input.read();
                Ok(stream::from_fn(move || {
                    let chunk = input.next_chunk()?;
                    Ok(chunk.map(|chunk| chunk.map(|(_, key, value)| (key, value))))
                }))
            }),
        );
        exchange.into_rdd(self, "partition_by", Location::caller(), 0)
    }
}
