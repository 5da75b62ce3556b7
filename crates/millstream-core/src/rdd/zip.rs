//! `zip`: the records of two RDDs in pairs.

use super::Rdd;
use super::side_by_side::SideBySide;
use crate::chunk::CHUNK;
use crate::data::Data;
use crate::error::Error;
use crate::stream;

impl<T: Data> Rdd<T> {
    /// Pairs the first record here with the first in `other`, and so on.
    ///
    /// Both must have the same number of partitions, and the same number of records in each; else the job fails.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(1..=3, 2);
    /// assert_eq!(numbers.zip(&numbers.map(|n| n * n)).collect()?, [(1, 1), (2, 4), (3, 9)]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn zip<U: Data>(&self, other: &Rdd<U>) -> Rdd<(T, U)> {
        let both = (self.clone(), other.clone());
        both.per_partitions("zip".into(), (), |(), streams| {
            let ((mut left, mut right), broken) = <(Rdd<T>, Rdd<U>)>::records(streams);
            Ok(stream::from_fn(move || {
                let mut pairs = Vec::new();
                let mut uneven = false;
                while pairs.len() < CHUNK && !uneven {
                    match (left.next(), right.next()) {
                        (Some(left), Some(right)) => pairs.push((left, right)),
                        (None, None) => break,
                        _ => uneven = true,
                    }
                }
                broken.check()?;
                if uneven {
                    return Err(Error::user(
                        "the partitions have different numbers of records; give both sides the same, or join them by the \
                         numbers of `zip_with_index`",
                    ));
                }
                Ok((!pairs.is_empty()).then(|| pairs.into()))
            }))
        })
    }
}
