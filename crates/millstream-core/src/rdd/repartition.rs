//! `repartition`: the records spread evenly over another number of partitions.

use std::panic::Location;

use super::exchange::{Exchange, at_least_one, sent_with};
use super::{AnyRdd, Rdd, Rebuild, Rebuilding};
use crate::data::Data;
use crate::error::Result;
use crate::function::CodeAddress;
use crate::shuffle::collector::collect;
use crate::shuffle::hash::{partition_of, pinned_hash};
use crate::shuffle::partitioner::Partitioner;

impl<T: Data> Rdd<T> {
    /// Spreads the records evenly over a number of partitions, by a shuffle.
    ///
    /// The records of each partition are dealt out one by one, beginning with a partition that depends on its number: the
    /// same every time. To have fewer partitions without a shuffle use [`coalesce`](Rdd::coalesce).
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let spread = context.parallelize(0..10, 1).repartition(5);
    /// assert!(spread.glom().collect()?.iter().all(|partition| partition.len() == 2));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn repartition(&self, partitions: usize) -> Rdd<T> {
        self.dealt_out("repartition", partitions)
    }

    /// Spreads the records evenly, under the name of the operator it is done for.
    #[track_caller]
    pub(super) fn dealt_out(&self, name: &'static str, partitions: usize) -> Rdd<T> {
        fn rebuild<T: Data>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            let parent: Rdd<T> = Rdd::from_any(from.parent(0)?)?;
            Ok(parent.dealt_out("rebuilt", sent_with::<(), ()>(from)?.0.partitions()).any())
        }
        let place = Location::caller();
        if let Err(error) = at_least_one(partitions, name, place) {
            return Rdd::checked(self.context(), name, place, Err(error), 0);
        }
        let rebuild: Rebuild = rebuild::<T>;
        let exchange = Exchange::new(
            self,
            &Partitioner::<()>::from(partitions),
            CodeAddress::of::<T>(rebuild as usize),
            (),
            Box::new(move |input, task| {
                // Not the same for all: few records of many partitions must not end up in the first ones.
                let mut next = partition_of(pinned_hash(&(task.partition_id() as u64)), partitions);
                collect(input, partitions, task, |record| {
                    let bucket = next;
                    next = if next + 1 < partitions { next + 1 } else { 0 };
                    (bucket, record)
                })
            }),
            Box::new(|input| Ok(input.read())),
        );
        exchange.without_keys().into_rdd(self, name, place, 0)
    }
}
