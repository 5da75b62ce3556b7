//! `take_ordered`: the least records.

use std::collections::BinaryHeap;
use std::panic::Location;

use super::merging;
use crate::chunk::Cursor;
use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;
use crate::stream;

impl<T: Data + Ord> Rdd<T> {
    /// Returns the `n` least records in ascending order; costs a heap of `n` records per task.
    ///
    /// # Errors
    /// If a task fails as often as it may, or the comparison panics.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize([4, 1, 3, 2], 2).take_ordered(2)?, [1, 2]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn take_ordered(&self, n: usize) -> Result<Vec<T>> {
        self.least_as("take_ordered", n, |record| record, |record| record)
    }

    /// Returns the records that are the least ones once wrapped, under the name of the action it is done for.
    #[track_caller]
    pub(super) fn least_as<O: Ord>(
        &self,
        name: &'static str,
        n: usize,
        wrap: impl Fn(T) -> O + Copy + Send + Sync + 'static,
        unwrap: impl Fn(O) -> T + Copy + Send + Sync + 'static,
    ) -> Result<Vec<T>> {
        let place = Location::caller();
        let parts = self.run(name, self.all_partitions(), n, move |&n, input, _| {
            let mut heap = BinaryHeap::new();
            stream::drain(input, |chunk| {
                Cursor::from(chunk).for_each(|record| offer(&mut heap, n, wrap(record)));
                Ok(())
            })?;
            Ok(heap.into_iter().map(unwrap).collect::<Vec<T>>())
        })?;
        merging(name, place, || {
            let mut heap = BinaryHeap::new();
            parts.into_iter().flatten().for_each(|record| offer(&mut heap, n, wrap(record)));
            heap.into_sorted_vec().into_iter().map(unwrap).collect()
        })
    }
}

/// Keeps the `n` least records of those that were offered.
fn offer<O: Ord>(heap: &mut BinaryHeap<O>, n: usize, record: O) {
    if heap.len() < n {
        heap.push(record);
    } else if let Some(mut greatest) = heap.peek_mut()
        && record < *greatest
    {
        *greatest = record;
    }
}
