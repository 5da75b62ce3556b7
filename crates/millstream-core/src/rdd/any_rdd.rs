//! `AnyRdd`: an RDD as the scheduler sees it.

use std::any::Any;
use std::sync::Arc;

use super::checkpoint;
use super::compute::{Dependency, Recipe};
use super::info::Info;
use crate::error::Result;
use crate::storage::cache::{Cache, Trust};

/// An RDD whose record type has been forgotten.
pub type AnyRdd = Arc<dyn RddNode>;

/// What the scheduler needs to know of an RDD, whatever its records are.
pub trait RddNode: Send + Sync + 'static {
    /// Returns what the RDD is called and where it comes from.
    fn info(&self) -> &Info;
    /// Returns the number of partitions.
    fn partitions(&self) -> usize;
    /// Returns the RDDs and shuffles it is computed from.
    fn dependencies(&self) -> Arc<[Dependency]>;
    /// Returns what is kept of it.
    #[doc(hidden)]
    fn cache(&self) -> &Cache;
    /// Returns how far its checkpoint has come, if there is to be one.
    #[doc(hidden)]
    fn checkpoint(&self) -> &checkpoint::Progress;
    /// Returns which partitions of its narrow parents a partition reads, by the parent's place.
    fn reads(&self, partition: usize) -> Vec<(usize, Vec<usize>)>;
    /// Returns how another process makes this RDD, if it can; one that is `kept` is sent as it lies.
    #[doc(hidden)]
    fn recipe(&self, kept: bool) -> Option<Recipe>;
    /// Returns what a task must be given to read one partition of a source in another process.
    ///
    /// # Errors
    /// If the partition can not be read or written as bytes, or is no longer `kept`.
    #[doc(hidden)]
    fn split(&self, partition: usize, kept: bool) -> Result<Vec<u8>>;
    /// Returns itself as what it is.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// What is the same for all RDDs, and compiled once.
impl dyn RddNode {
    /// Returns whether every partition is kept, so that its parents are not needed.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(1..=3, 2).persist();
    /// assert!(!numbers.any().is_cached());
    /// numbers.count()?;
    /// assert!(numbers.any().is_cached());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_cached(&self) -> bool {
        self.is_kept(Trust::AsItLies)
    }

    /// Returns whether every partition is kept and can be relied on that far.
    pub(crate) fn is_kept(&self, trust: Trust) -> bool {
        self.cache().is_complete(self.partitions(), trust)
    }

    /// Frees the partitions that are kept and keeps none from now on.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(1..=3, 2).persist();
    /// numbers.any().unpersist();
    /// assert!(!numbers.is_persisted());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn unpersist(&self) {
        let Info { id, context, .. } = self.info();
        let cache = self.cache();
        context.persisted().forget(*id, cache.is_on());
        cache.switch_off();
    }
}
