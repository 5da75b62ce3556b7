//! `local_checkpoint`: keep the partitions and forget what they were computed from.

use super::{Compute, Dependency, Rdd};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::stream::ChunkStream;
use crate::task::TaskContext;

impl<T: Data> Rdd<T> {
    /// Keeps each partition once it has been computed, and forgets what the RDD is computed from once all are.
    ///
    /// Nothing that is kept is dropped: what memory has no room for goes to disk, whatever level the RDD is persisted at
    /// ([`StorageLevel::MEMORY_AND_DISK`](crate::StorageLevel::MEMORY_AND_DISK) if at none). For RDDs that are made of their predecessors without end, whose lineage would grow for ever. After
    /// [`unpersist`](Rdd::unpersist) such an RDD can not be read any more.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let mut sum = context.parallelize([0], 1);
    /// for _ in 0..1000 {
    ///     sum = sum.map(|n| n + 1).local_checkpoint();
    ///     sum.count()?;
    /// }
    /// assert_eq!(sum.collect()?, [1000]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn local_checkpoint(&self) -> Rdd<T> {
        self.0.cache.cut_lineage(&self.0.info);
        self.context().persisted().enter(&self.any(), self.get_storage_level());
        self.clone()
    }
}

/// What is left of an RDD whose lineage was cut.
pub(super) struct Cut {
    pub(super) partitions: usize,
}

impl<T: Data> Compute<T> for Cut {
    fn partitions(&self) -> usize {
        self.partitions
    }

    fn dependencies(&self) -> Vec<Dependency> {
        Vec::new()
    }

    fn compute(&self, _: usize, _: &TaskContext) -> Result<ChunkStream<T>> {
        Err(Error::Argument {
            operator: "unpersist".into(),
            problem:
                "the RDD had forgotten what it was computed from (`local_checkpoint`), and was then freed"
                    .into(),
            remedy: "call `unpersist` when it is no longer read, or use `persist` instead".into(),
        })
    }
}
