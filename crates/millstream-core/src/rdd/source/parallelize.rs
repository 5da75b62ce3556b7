//! `parallelize`: records of the program itself.

use std::panic::Location;
use std::sync::Arc;

use crate::chunk::Chunk;
use crate::context::Context;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::function::{self, CodeAddress};
use crate::rdd::exchange::few_enough;
use crate::rdd::{AnyRdd, Compute, Dependency, Rdd, Rebuild, Rebuilding, Recipe};
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

impl Context {
    /// Makes an RDD of the program's own records, in `partitions` runs of nearly equal length (at least one).
    ///
    /// The records are held by the RDD and shared with its readers.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(1..=10, 3);
    /// assert_eq!((numbers.num_partitions(), numbers.count()?), (3, 10));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[doc(alias("makeRDD", "parallelizePairs", "parallelizeDoubles"))]
    #[track_caller]
    pub fn parallelize<T: Data>(&self, records: impl IntoIterator<Item = T>, partitions: usize) -> Rdd<T> {
        let (count, place) = (partitions.max(1), Location::caller());
        // Before the records are looked at: there may be one for each partition.
        if let Err(error) = few_enough(count, "parallelize", place) {
            return Rdd::checked(self, "parallelize", place, Err(error), 0);
        }
        let records: Arc<Vec<T>> = Arc::new(records.into_iter().collect());
        let len = records.len();
        // Spark cuts at i * len / count; the product is taken in 128 bits so that it can not overflow.
        let cut = |at: usize| (at as u128 * len as u128 / count as u128) as usize;
        let runs = (0..count).map(|at| vec![Chunk::shared(Arc::clone(&records), cut(at)..cut(at + 1))]);
        Rdd::from_compute(self, "parallelize", Blocks { partitions: runs.map(Partition::Here).collect() })
    }

    /// Makes an RDD of chunks that are already there: one partition per element.
    ///
    /// Shared chunks are not copied.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use millstream_core::Chunk;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let records = Arc::new(vec![1, 2, 3, 4]);
    /// let partitions = [0..2, 2..4].map(|range| vec![Chunk::shared(Arc::clone(&records), range)]);
    /// assert_eq!(context.from_chunks(partitions).collect()?, [1, 2, 3, 4]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn from_chunks<T: Data>(&self, partitions: impl IntoIterator<Item = Vec<Chunk<T>>>) -> Rdd<T> {
        let shared = |chunks: Vec<Chunk<T>>| chunks.into_iter().map(Chunk::into_shared).collect();
        let partitions = partitions.into_iter().map(|chunks| Partition::Here(shared(chunks))).collect();
        Rdd::from_compute(self, "from_chunks", Blocks { partitions })
    }

    /// Makes an RDD of partitions that are stored somewhere and read when a task asks for them.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use millstream_core::fs::ObjectBytes;
    /// use millstream_core::stream::{self, ChunkStream};
    /// use millstream_core::{Result, StoredPartition};
    ///
    /// struct Encoded(ObjectBytes<u64>);
    ///
    /// impl StoredPartition<u64> for Encoded {
    ///     fn read(&self) -> Result<ChunkStream<u64>> {
    ///         self.0.read()
    ///     }
    /// }
    ///
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let partition = Encoded(ObjectBytes::of(stream::from_vec(vec![1, 2, 3]))?);
    /// assert_eq!(context.from_stored([Arc::new(partition) as _]).collect()?, [1_u64, 2, 3]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn from_stored<T: Data>(
        &self,
        partitions: impl IntoIterator<Item = Arc<dyn StoredPartition<T>>>,
    ) -> Rdd<T> {
        let partitions = partitions.into_iter().map(Partition::Stored).collect();
        Rdd::from_compute(self, "from_stored", Blocks { partitions })
    }

    /// Makes an RDD without partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.empty_rdd::<u8>().num_partitions(), 0);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn empty_rdd<T: Data>(&self) -> Rdd<T> {
        Rdd::from_compute(self, "empty_rdd", super::Empty)
    }
}

/// A partition that is stored somewhere.
pub trait StoredPartition<T>: Send + Sync + 'static {
    /// Reads it.
    ///
    /// # Errors
    /// If it can not be read; the task is tried again.
    fn read(&self) -> Result<ChunkStream<T>>;
}

struct Blocks<T> {
    partitions: Vec<Partition<T>>,
}

enum Partition<T> {
    Here(Vec<Chunk<T>>),
    Stored(Arc<dyn StoredPartition<T>>),
    /// In another process a task is given one partition only.
    Elsewhere,
}

impl<T: Data> Compute<T> for Blocks<T> {
    fn partitions(&self) -> usize {
        self.partitions.len()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        Vec::new()
    }

    fn compute(&self, partition: usize, _: &TaskContext) -> Result<ChunkStream<T>> {
        match self.partitions.get(partition) {
            Some(Partition::Here(chunks)) => {
                Ok(stream::from_chunks(chunks.iter().flat_map(Chunk::pieces).collect()))
            }
            Some(Partition::Stored(stored)) => stored.read(),
            _ => Err(Error::poisoned(format!("partition {partition} was not given to this process"))),
        }
    }

    fn recipe(&self) -> Option<Recipe> {
        Some(recipe::<T>())
    }

    fn split(&self, partition: usize) -> Result<Vec<u8>> {
        match self.partitions.get(partition) {
            Some(Partition::Here(chunks)) => encode_chunks(chunks),
            Some(Partition::Stored(stored)) => {
                let mut chunks = Vec::new();
                stream::drain(stored.read()?, |chunk| {
                    chunks.push(chunk);
                    Ok(())
                })?;
                encode_chunks(&chunks)
            }
            _ => Err(Error::poisoned(format!("partition {partition} is not in this process"))),
        }
    }
}

/// How another process makes an RDD of chunks that are sent to it.
pub(crate) fn recipe<T: Data>() -> Recipe {
    fn rebuild<T: Data>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
        let mut partitions: Vec<Partition<T>> = (0..from.partitions).map(|_| Partition::Elsewhere).collect();
        for (at, bytes) in from.splits {
            if let Some(slot) = partitions.get_mut(*at) {
                let records: Vec<T> = function::decode("partition", bytes)?;
                *slot = Partition::Here(vec![Chunk::from(records).into_shared()]);
            }
        }
        Ok(Rdd::from_compute(from.context, "from_chunks", Blocks { partitions }).any())
    }
    let rebuild: Rebuild = rebuild::<T>;
    Recipe { build: CodeAddress::of::<T>(rebuild as usize), env: Ok(Vec::new()) }
}

/// Turns the chunks of a partition into what [`recipe`] reads.
pub(crate) fn encode_chunks<T: Data>(chunks: &[Chunk<T>]) -> Result<Vec<u8>> {
    let mut records = Vec::new();
    chunks.iter().for_each(|chunk| chunk.for_each(|record| records.push(record.clone())));
    function::encode("partition", &records)
}
