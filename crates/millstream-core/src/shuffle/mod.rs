//! How records cross from the partitions of one stage to those of the next.
//!
//! The map side sorts each partition's records into one bucket per reducer; the reduce side merges its bucket of every
//! map task. In one process buckets are handed over, not copied: a reducer takes what it reads. What was taken and is
//! needed again (a retry, a second job over the same RDD) is computed again; a shuffle that a second job asks for keeps
//! its buckets from then on, so that later jobs skip its map stage.

mod blocks;
pub(crate) mod clusters;
pub(crate) mod collector;
pub mod combine_table;
pub(crate) mod gatherer;
pub mod hash;
pub(crate) mod held;
pub(crate) mod input;
pub(crate) mod map_output;
pub(crate) mod outputs;
pub mod partitioner;
pub mod prefetch;
mod range;
mod runs;
pub mod slots;
pub(crate) mod sorter;

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use combine_table::CombineTable;
use input::Input;
use map_output::{MapOutput, OneBucket};
pub(crate) use outputs::ShuffleOutputs;

#[doc(hidden)]
pub use crate::accumulator::counted::Counted;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::function;
use crate::ids::ShuffleId;
use crate::rdd::{AnyRdd, Rdd};
use crate::stream::ChunkStream;
use crate::task::TaskContext;

/// The records of one map task for one reducer, of the shuffle's record type.
pub type Bucket = Box<dyn Any + Send + Sync>;

/// A shuffle whose record types have been forgotten: what the scheduler needs to know of it.
pub trait AnyShuffle: Send + Sync {
    /// Returns the shuffle's number in its context.
    fn id(&self) -> ShuffleId;
    /// Returns the RDD whose records are spread.
    fn parent(&self) -> AnyRdd;
    /// Returns the number of buckets each map task makes.
    fn reducers(&self) -> usize;
    /// Runs the map side on one partition: one bucket per reducer.
    ///
    /// # Errors
    /// If the parent's partition can not be read or a closure fails.
    fn write(&self, partition: usize, task: &TaskContext) -> Result<Vec<Bucket>>;
    /// Turns a bucket into bytes.
    ///
    /// # Errors
    /// If the bucket belongs to another shuffle or a record can not be written.
    fn encode(&self, bucket: &Bucket) -> Result<Vec<u8>>;
    /// Turns bytes into a bucket.
    ///
    /// # Errors
    /// If the bytes are not what [`encode`](AnyShuffle::encode) wrote.
    fn decode(&self, bytes: &[u8]) -> Result<Bucket>;
    /// Returns the outputs an earlier job left, and asks for them to be left from now on.
    #[doc(hidden)]
    fn reuse(&self) -> Reuse;
    /// Returns which of its map tasks have been counted by accumulators.
    #[doc(hidden)]
    fn counted(&self) -> Counted;
}

/// The map side: sorts a partition's records into buckets.
pub(crate) type Write<A, B> =
    Box<dyn Fn(ChunkStream<A>, &TaskContext) -> Result<Arc<MapOutput<B>>> + Send + Sync>;

/// A shuffle of records `A`, which cross as `B` (with their key's hash, or combined).
pub(crate) struct Shuffle<A: Data, B: Data> {
    id: ShuffleId,
    parent: Rdd<A>,
    reducers: usize,
    write: Write<A, B>,
    memory: Memory,
    counted: Counted,
}

impl<A: Data, B: Data> Shuffle<A, B> {
    pub(crate) fn new(parent: &Rdd<A>, reducers: usize, write: Write<A, B>) -> Arc<Self> {
        let id = parent.context().next_shuffle();
        Arc::new(Shuffle {
            id,
            parent: parent.clone(),
            reducers,
            write,
            memory: Memory::default(),
            counted: Counted::default(),
        })
    }

    /// Returns the buckets of one reducer, in the order of the map tasks.
    pub(crate) fn read(&self, reducer: usize, task: &TaskContext) -> Result<Input<B>> {
        Ok(Input::new(task.shuffle_input(self.id)?.read::<B>(reducer)?, task))
    }
}

impl<A: Data, B: Data> AnyShuffle for Shuffle<A, B> {
    fn id(&self) -> ShuffleId {
        self.id
    }

    fn parent(&self) -> AnyRdd {
        self.parent.any()
    }

    fn reducers(&self) -> usize {
        self.reducers
    }

    fn write(&self, partition: usize, task: &TaskContext) -> Result<Vec<Bucket>> {
        let buckets = (self.write)(self.parent.stream(partition, task)?, task)?.buckets();
        debug_assert_eq!(buckets.len(), self.reducers);
        Ok(buckets)
    }

    fn encode(&self, bucket: &Bucket) -> Result<Vec<u8>> {
        let bucket: Option<&OneBucket<B>> = bucket.downcast_ref();
        let bucket = bucket.ok_or_else(|| Error::poisoned("a bucket of another shuffle"))?;
        function::encode("shuffle block", &bucket.copy()?)
    }

    fn decode(&self, bytes: &[u8]) -> Result<Bucket> {
        Ok(Box::new(OneBucket::<B>::of(function::decode("shuffle block", bytes)?)))
    }

    fn reuse(&self) -> Reuse {
        self.memory.reuse()
    }

    fn counted(&self) -> Counted {
        self.counted.clone()
    }
}

/// What an earlier job left of a shuffle.
pub struct Reuse {
    /// All buckets, if an earlier job was asked to leave them.
    pub(crate) outputs: Option<Arc<ShuffleOutputs>>,
    /// Where this job is to leave its buckets, if a second job has asked for them.
    pub(crate) keep: Option<Memory>,
}

/// Remembers whether a shuffle is wanted by more than one job, and its buckets if so.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<MemoryCell>);

#[derive(Default)]
struct MemoryCell {
    used: AtomicBool,
    outputs: Mutex<Option<Arc<ShuffleOutputs>>>,
}

impl Memory {
    fn reuse(&self) -> Reuse {
        let outputs = self.0.outputs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let second = self.0.used.swap(true, Ordering::AcqRel);
        Reuse { keep: (second && outputs.is_none()).then(|| self.clone()), outputs }
    }

    pub(crate) fn keep(&self, outputs: Arc<ShuffleOutputs>) {
        *self.0.outputs.lock().unwrap_or_else(PoisonError::into_inner) = Some(outputs);
    }
}
