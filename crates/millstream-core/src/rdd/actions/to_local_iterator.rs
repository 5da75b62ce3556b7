//! `to_local_iterator`: the records one partition after another.

use crate::data::Data;
use crate::error::Result;
use crate::rdd::Rdd;
use crate::stream;

impl<T: Data> Rdd<T> {
    /// Returns the records in order, fetched partition by partition: one job for each, when it is reached.
    ///
    /// Needs the memory of the largest partition only. Persist an RDD that is costly to compute: each job may compute what lies
    /// before a shuffle again. A job that fails is the last item.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let first_even = context.parallelize(1..1000, 4).to_local_iterator().find(|n| matches!(n, Ok(n) if n % 2 == 0));
    /// assert_eq!(first_even.transpose()?, Some(2));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn to_local_iterator(&self) -> impl Iterator<Item = Result<T>> + use<T> {
        let rdd = self.clone();
        let mut partitions = 0..self.num_partitions();
        let mut current = Vec::new().into_iter();
        std::iter::from_fn(move || {
            loop {
                if let Some(record) = current.next() {
                    return Some(Ok(record));
                }
                let fetched = rdd.run("to_local_iterator", vec![partitions.next()?], (), |(), input, _| {
                    let mut records = Vec::new();
                    stream::drain(input, |chunk| {
                        records.append(&mut chunk.into_vec());
                        Ok(())
                    })?;
                    Ok(records)
                });
                match fetched {
                    Ok(parts) => current = parts.concat().into_iter(),
                    Err(error) => {
                        partitions = 0..0;
                        return Some(Err(error));
                    }
                }
            }
        })
    }
}
