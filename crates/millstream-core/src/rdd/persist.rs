//! `persist`: keep the partitions once they have been computed.

use super::Rdd;
use crate::data::Data;

impl<T: Data> Rdd<T> {
    /// Keeps each partition in memory once it has been computed; the same as [`cache`](Rdd::cache).
    ///
    /// The memory is freed by [`unpersist`](Rdd::unpersist) or when the last handle of the RDD is dropped.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let squares = context.parallelize(1..=3, 1).map(|n| n * n).persist();
    /// assert_eq!(squares.count()?, 3); // computes the squares
    /// assert_eq!(squares.collect()?, [1, 4, 9]); // reads them
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn persist(&self) -> Rdd<T> {
        self.cache_of().switch_on();
        self.clone()
    }

    /// Keeps each partition in memory once it has been computed.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert!(context.parallelize(1..=3, 1).cache().is_persisted());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn cache(&self) -> Rdd<T> {
        self.persist()
    }

    /// Frees the partitions that are kept and keeps none from now on.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(1..=3, 1).persist();
    /// numbers.unpersist();
    /// assert!(!numbers.is_persisted());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn unpersist(&self) -> Rdd<T> {
        self.cache_of().switch_off();
        self.clone()
    }

    /// Returns whether partitions are kept once they have been computed.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert!(!context.parallelize(1..=3, 1).is_persisted());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_persisted(&self) -> bool {
        self.cache_of().is_on()
    }
}
