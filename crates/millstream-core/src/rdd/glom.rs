//! `glom`: each partition as one record.

use super::Rdd;
use super::narrow::Form;
use crate::data::Data;
use crate::stream;

impl<T: Data> Rdd<T> {
    /// Makes one record of each partition: the list of its records, which must fit in memory.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize(1..=4, 2).glom().collect()?, [[1, 2], [3, 4]]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn glom(&self) -> Rdd<Vec<T>> {
        self.per_partition(Form::new("glom"), |(), input, _| {
            let mut records = Vec::new();
            stream::drain(input, |chunk| {
                records.append(&mut chunk.into_vec());
                Ok(())
            })?;
            Ok(stream::from_vec(vec![records]))
        })
    }
}
