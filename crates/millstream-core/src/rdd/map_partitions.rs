//! `map_partitions`: work on a whole partition.

use super::Rdd;
use super::narrow::Form;
use crate::chunk::CHUNK;
use crate::data::Data;
use crate::stream::{self, Records};

impl<T: Data> Rdd<T> {
    /// Makes records of a whole partition, read and written lazily.
    ///
    /// Called once per partition, also for an empty one: the place to open what many records share.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let sums = context.parallelize(1..=4, 2).map_partitions(|records| [records.sum::<i32>()]);
    /// assert_eq!(sums.collect()?, [3, 7]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn map_partitions<U: Data, I>(&self, f: impl Fn(Records<T>) -> I + Send + Sync + 'static) -> Rdd<U>
    where
        I: IntoIterator<Item = U>,
        I::IntoIter: 'static,
    {
        self.per_partition(Form::new("map_partitions"), move |(), input, _| {
            let (records, failure) = Records::new(input);
            let mut results = f(records).into_iter();
            Ok(stream::from_fn(move || {
                let chunk: Vec<U> = results.by_ref().take(CHUNK).collect();
                failure.check()?;
                Ok((!chunk.is_empty()).then(|| chunk.into()))
            }))
        })
    }
}
