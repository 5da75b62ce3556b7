//! The batch engine of Millstream: typed RDDs and how a batch of them runs.
//!
//! This crate knows no clock, no stream and no network client. Read it in this order:
//!
//! | module | what is in it |
//! |---|---|
//! | [`data`] | what a record must be able to do |
//! | [`conf`], [`settings`] | settings: Spark's keys, one table |
//! | [`Context`] | where RDDs are made and jobs run |
//! | [`Rdd`] | the operators and actions, one file each under `rdd/` |
//! | [`chunk`], [`stream`] | how records travel inside a stage: in chunks |
//! | [`shuffle`] | how they cross to the next stage |
//! | [`scheduler`] | stages, tasks, retries, executors |
//! | [`operator`] and `function` | names of operators and closures that another process of the same program understands |
//! | [`storage`] | where computed partitions are kept: memory up to a budget, scratch files |
//! | [`fs`] | files here and elsewhere: paths, patterns, file systems by scheme |
//! | [`sink`] | where batches are stored once, however often they are run |
//! | [`text`], [`show`] | a small string, and Scala's way of printing |
//!
//! # Examples
//! ```
//! use millstream_core::text::words;
//! use millstream_core::{Conf, Context};
//!
//! let context = Context::new(Conf::empty().set_master("local[2]"))?;
//! let lines = context.parallelize(["to be or not", "to be"].map(String::from), 2);
//! let counts = lines
//!     .flat_map_into(|line, out| out.extend(words(line)))
//!     .map(|word| (word, 1))
//!     .reduce_by_key(|a, b| a + b);
//! let mut counts = counts.collect()?;
//! counts.sort();
//! assert_eq!(counts, [("be".into(), 2), ("not".into(), 1), ("or".into(), 1), ("to".into(), 2)]);
//! # Ok::<(), millstream_core::Error>(())
//! ```

mod accumulator;
mod broadcast;
pub mod chunk;
pub mod conf;
mod context;
pub mod data;
pub mod error;
#[doc(hidden)]
pub mod failpoint;
pub mod fs;
mod function;
pub mod ids;
mod master;
pub mod operator;
pub mod rdd;
pub mod scheduler;
pub mod settings;
pub mod show;
pub mod shuffle;
pub mod sink;
pub mod storage;
pub mod stream;
mod task;
pub mod text;
mod variables;
mod worker_pool;

pub use accumulator::{
    Accumulator, AccumulatorInfo, CollectionAccumulator, DoubleAccumulator, DoubleSum, LongAccumulator,
    LongSum, Registered, Sum, Summand,
};
pub use broadcast::Broadcast;
pub use chunk::Chunk;
pub use conf::Conf;
pub use context::{Context, LocalProperties, with_batch};
pub use data::{Data, Key};
pub use error::{Error, JobFailure, Result};
/// A floating-point number as a key or in an order: `map(OrderedFloat)`, `sort_by(|n| OrderedFloat(*n))`.
///
/// `NaN` is equal to itself and greater than all others, as in Spark; `-0.0` is `0.0`, where Spark tells them apart.
///
/// # Examples
/// ```
/// use millstream_core::{Conf, Context, OrderedFloat};
///
/// let context = Context::new(Conf::empty())?;
/// let scores = context.parallelize([2.5, 0.5, 2.5], 2);
/// assert_eq!(scores.sort_by(|n| OrderedFloat(*n)).collect()?, [0.5, 2.5, 2.5]);
/// assert_eq!(scores.map(OrderedFloat).distinct().count()?, 2);
/// # Ok::<(), millstream_core::Error>(())
/// ```
pub use ordered_float::OrderedFloat;
pub use rdd::actions::{Number, Outcome, StatCounter};
pub use rdd::{Rdd, ReadCounts, StoredPartition};
pub use scheduler::future_action::FutureAction;
pub use show::Show;
pub use shuffle::partitioner::{CustomPartitioner, Partitioner};
pub use storage::StorageLevel;
pub use stream::Records;
pub use task::{BatchId, TaskContext};
pub use variables::named::SavedVariable;
pub use worker_pool::{Made, WorkerPool};
