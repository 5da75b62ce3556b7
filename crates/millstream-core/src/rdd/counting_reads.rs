//! `counting_reads`: how many records of an RDD were read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Rdd;
use super::narrow::Form;
use crate::accumulator::{Accumulator, Registered};
use crate::data::Data;
use crate::stream;

/// An accumulator of how many records of each partition were read.
///
/// A partition that is read several times, by several jobs or again after a failure, counts once: as far as it was read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ReadCounts(BTreeMap<usize, u64>);

impl Accumulator for ReadCounts {
    /// A partition, and how many of its records were read so far.
    type Input = (usize, u64);
    type Output = u64;

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn reset(&mut self) {
        self.0.clear();
    }

    fn add(&mut self, (partition, records): (usize, u64)) {
        let most = self.0.entry(partition).or_default();
        *most = records.max(*most);
    }

    fn merge(&mut self, other: Self) {
        other.0.into_iter().for_each(|read| self.add(read));
    }

    fn value(&self) -> u64 {
        self.0.values().sum()
    }
}

impl<T: Data> Rdd<T> {
    /// Counts the records that are read of this RDD, each once however many jobs read it.
    ///
    /// Costs nothing per record.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, Context, ReadCounts};
    /// let context = Context::new(Conf::empty().set_master("local[2]"))?;
    /// let read = context.register(ReadCounts::default(), None);
    /// let numbers = context.parallelize(0..1000, 4).counting_reads(&read);
    /// assert_eq!((numbers.filter(|n| n % 2 == 0).count()?, numbers.count()?), (500, 1000));
    /// assert_eq!(read.value(), 1000);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn counting_reads(&self, counts: &Registered<ReadCounts>) -> Rdd<T> {
        let form = Form { name: "counting_reads", env: counts.clone(), keeps_keys: true };
        self.per_partition(form, |counts, mut records, partition| {
            let (counts, mut seen) = (counts.clone(), 0);
            Ok(stream::from_fn(move || {
                let chunk = records.next_chunk()?;
                if let Some(chunk) = &chunk {
                    seen += chunk.len() as u64;
                    counts.add((partition, seen));
                }
                Ok(chunk)
            }))
        })
    }
}
