//! `persist`: keep the partitions once they have been computed.

use std::panic::Location;

use super::{Rdd, RddNode};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::storage::StorageLevel;

impl<T: Data> Rdd<T> {
    /// Keeps each partition in memory once it has been computed; the same as [`cache`](Rdd::cache).
    ///
    /// What there is no room for is computed again when it is asked for: [`StorageLevel::MEMORY_ONLY`]. What is kept is
    /// freed by [`unpersist`](Rdd::unpersist) or when the last handle of the RDD is dropped. On an RDD that is persisted at
    /// another level this answers with an RDD whose actions fail, and changes nothing.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let squares = context.parallelize(1..=3, 1).map(|n| n * n).persist();
    /// assert_eq!(squares.count()?, 3); // computes the squares
    /// assert_eq!(squares.collect()?, [1, 4, 9]); // reads them
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn persist(&self) -> Rdd<T> {
        let place = Location::caller();
        match self.keep("persist", place, StorageLevel::MEMORY_ONLY) {
            Ok(()) => self.clone(),
            Err(error) => Rdd::checked(self.context(), "persist", place, Err(error), 0),
        }
    }

    /// Keeps each partition once it has been computed, in memory or on disk or both, as records or as bytes.
    ///
    /// # Errors
    /// If the RDD is persisted at another level: call [`unpersist`](Rdd::unpersist) first.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::StorageLevel;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    ///
    /// let words = context.parallelize(["to", "be"].map(String::from), 2);
    /// let words = words.persist_with(StorageLevel::MEMORY_AND_DISK)?;
    /// assert_eq!(words.collect()?, ["to", "be"]);
    /// assert!(words.persist_with(StorageLevel::DISK_ONLY).is_err());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn persist_with(&self, level: StorageLevel) -> Result<Rdd<T>> {
        self.keep("persist_with", Location::caller(), level)?;
        Ok(self.clone())
    }

    fn keep(&self, name: &str, place: &Location<'_>, level: StorageLevel) -> Result<()> {
        if !level.is_valid() && !self.is_persisted() {
            return Ok(());
        }
        self.0.cache.switch_on(&self.0.info, level).map_err(|set| Error::Argument {
            operator: format!("{name} at {place}"),
            problem: format!("the RDD is persisted at another level: {set}, not {level}"),
            remedy: "call `unpersist` first".into(),
        })?;
        self.context().persisted().enter(&self.any(), level);
        Ok(())
    }

    /// Keeps each partition in memory once it has been computed.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert!(context.parallelize(1..=3, 1).cache().is_persisted());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
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
        (&*self.0 as &dyn RddNode).unpersist();
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
        self.0.cache.is_on()
    }

    /// Returns where partitions are kept once they have been computed: [`StorageLevel::NONE`] if they are not.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::StorageLevel;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    ///
    /// let numbers = context.parallelize(1..=3, 1);
    /// assert_eq!(numbers.get_storage_level(), StorageLevel::NONE);
    /// assert_eq!(numbers.cache().get_storage_level(), StorageLevel::MEMORY_ONLY);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn get_storage_level(&self) -> StorageLevel {
        self.0.cache.level()
    }
}
