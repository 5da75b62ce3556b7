//! `lookup`: the values of one key.

use crate::chunk::Cursor;
use crate::data::{Data, Key};
use crate::error::Result;
use crate::rdd::Rdd;
use crate::shuffle::hash::pinned_hash;
use crate::shuffle::partitioner::Partitioner;
use crate::stream;

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Returns the values of a key, in the order of their partitions.
    ///
    /// Where the keys are spread by hash only the key's partition is read, else all of them are.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize([(1, 'a'), (2, 'b'), (1, 'c')], 2).lookup(1)?, ['a', 'c']);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn lookup(&self, key: K) -> Result<Vec<V>> {
        let by_hash = Partitioner::<K>::from(self.num_partitions());
        let partitions = if self.num_partitions() > 0 && self.partitioned_by() == Some(by_hash.identity()) {
            vec![by_hash.partition(&key, pinned_hash(&key))]
        } else {
            self.all_partitions()
        };
        let parts = self.run("lookup", partitions, key, |wanted, input, _| {
            let mut values = Vec::new();
            stream::drain(input, |chunk| {
                values.extend(Cursor::from(chunk).filter(|(key, _)| key == wanted).map(|(_, value)| value));
                Ok(())
            })?;
            Ok(values)
        })?;
        Ok(parts.into_iter().flatten().collect())
    }
}
