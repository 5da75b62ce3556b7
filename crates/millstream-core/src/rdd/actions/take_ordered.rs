//! `take_ordered`: the least records.

use std::cmp::Ordering;
use std::panic::Location;

use super::merging;
use crate::chunk::Cursor;
use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;
use crate::stream;

impl<T: Data + Ord> Rdd<T> {
    /// Returns the `n` least records in ascending order; a task holds at most twice as many.
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
        self.least_as("take_ordered", n, Ord::cmp)
    }
}

impl<T: Data> Rdd<T> {
    /// Returns the `n` least records by a comparison of one's own, in ascending order.
    ///
    /// For records without an order, such as floating-point numbers, or another one than theirs.
    ///
    /// # Errors
    /// If a task fails as often as it may, or the comparison panics.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let least = context.parallelize([4.5, 1.0, 3.5], 2).take_ordered_by(2, f64::total_cmp)?;
    /// assert_eq!(least, [1.0, 3.5]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn take_ordered_by<F>(&self, n: usize, compare: F) -> Result<Vec<T>>
    where
        F: Fn(&T, &T) -> Ordering + Clone + Send + Sync + 'static,
    {
        self.least_as("take_ordered_by", n, compare)
    }

    /// Returns the least records, under the name of the action it is done for.
    #[track_caller]
    pub(super) fn least_as<F>(&self, name: &'static str, n: usize, compare: F) -> Result<Vec<T>>
    where
        F: Fn(&T, &T) -> Ordering + Clone + Send + Sync + 'static,
    {
        let (place, here) = (Location::caller(), compare.clone());
        let parts = self.run(name, self.all_partitions(), n, move |&n, input, _| {
            let mut least = Least::new(n);
            stream::drain(input, |chunk| {
                Cursor::from(chunk).for_each(|record| least.offer(record, &compare));
                Ok(())
            })?;
            Ok(least.finish(&compare))
        })?;
        merging(name, place, || {
            let mut least = Least::new(n);
            parts.into_iter().flatten().for_each(|record| least.offer(record, &here));
            least.finish(&here)
        })
    }
}

/// The `n` least records of those that were offered.
struct Least<T> {
    n: usize,
    /// Up to twice as many, so that the greater half is thrown away at a cost that does not grow with `n`.
    records: Vec<T>,
    /// The place of the greatest of `n` records: none that is as great can be among the least.
    bound: Option<usize>,
}

impl<T> Least<T> {
    fn new(n: usize) -> Self {
        Least { n, records: Vec::new(), bound: None }
    }

    fn offer(&mut self, record: T, compare: &impl Fn(&T, &T) -> Ordering) {
        let is_too_great = |bound: usize| compare(&record, &self.records[bound]).is_ge();
        if self.n == 0 || self.bound.is_some_and(is_too_great) {
            return;
        }
        self.records.push(record);
        if self.records.len() >= self.n.saturating_mul(2) {
            self.cut(compare);
        }
    }

    /// Throws away all but the least.
    fn cut(&mut self, compare: &impl Fn(&T, &T) -> Ordering) {
        let Some(last) = self.n.checked_sub(1).filter(|last| *last < self.records.len()) else { return };
        self.records.select_nth_unstable_by(last, compare);
        self.records.truncate(self.n);
        self.bound = Some(last);
    }

    fn finish(mut self, compare: &impl Fn(&T, &T) -> Ordering) -> Vec<T> {
        self.cut(compare);
        self.records.sort_unstable_by(compare);
        self.records
    }
}
