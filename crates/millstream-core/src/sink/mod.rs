//! Sinks that store each partition of a batch once, however often the batch is run.
//!
//! | name | what it is |
//! |---|---|
//! | [`ExactlyOnceSink`] | the contract: records and the name of their partition are stored together |
//! | [`BatchPartition`] | that name; the same whenever the batch is run again |
//! | [`FileSink`] | a file for each partition |

mod file_sink;
mod spread;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::file_sink::FileSink;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::fs::FileSystems;
use crate::stream::ChunkStream;

/// Names a partition of a batch of an output: the same whenever the batch is run again, also by a restarted program.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BatchPartition {
    /// The name of the output.
    pub output: String,
    /// The batch time, in milliseconds since the epoch.
    pub time_ms: u64,
    /// The number of the partition, from 0.
    pub partition: usize,
    /// How many partitions the batch has.
    pub partitions: usize,
}

impl fmt::Display for BatchPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BatchPartition { output, time_ms, partition, partitions } = self;
        write!(f, "partition {partition} of {partitions} of batch {time_ms} ms of output `{output}`")
    }
}

impl BatchPartition {
    /// Says that other partitions of the batch were stored when it had another number of them: its records were spread
    /// differently then, so that neither storing nor passing over this one would be right.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::sink::BatchPartition;
    ///
    /// let id = BatchPartition { output: "counts".into(), time_ms: 1000, partition: 0, partitions: 4 };
    /// let error = id.spread_differently("the table `counts`", 3).to_string();
    /// assert!(error.contains("when it had 3 partitions"), "{error}");
    /// ```
    #[must_use]
    pub fn spread_differently(&self, sink: &str, before: usize) -> Error {
        Error::Argument {
            operator: "save_exactly_once".into(),
            problem: format!(
                "{self} can not be stored in {sink}: a part of the batch was stored when it had {before} partitions"
            ),
            remedy: format!(
                "give the stream a fixed number of partitions (as before: {before}), by the operator's number of partitions, \
                 `repartition` or spark.default.parallelism"
            ),
        }
    }
}

/// What became of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stored {
    /// It was stored now.
    Now,
    /// It had been stored by an earlier run of the batch; nothing was changed.
    Before,
}

/// A place that can store the records of a partition and the partition's name together: both or neither.
///
/// The value itself travels to the tasks. [`Rdd::save_exactly_once`](crate::Rdd::save_exactly_once) writes an RDD to it;
/// [`FileSink`] is one.
///
/// The contract, which makes the output exact whatever dies when:
/// - records and name become visible in one step (a transaction, a rename), not before `records` has ended without an error;
/// - a name that is there already means [`Stored::Before`], and nothing is changed;
/// - of two tasks that store the same name at once, one is told so.
pub trait ExactlyOnceSink<T: Data>: Data {
    /// Stores the records of a partition, unless they are there.
    ///
    /// # Errors
    /// Those of the records and of the place; nothing was stored then.
    fn store(&self, id: &BatchPartition, records: ChunkStream<T>, files: &FileSystems) -> Result<Stored>;

    /// Names the place where the names of an output's partitions are kept, the same for every sink that keeps them there, whatever
    /// else it does; streams refuse two outputs of one place.
    ///
    /// By default there is none: two sinks are the same then if they are of one type and equal.
    fn place(&self, output: &str) -> Option<String> {
        let _ = output;
        None
    }
}
