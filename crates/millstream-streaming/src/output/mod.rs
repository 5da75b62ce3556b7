//! Where streams end: output operations, one file each, and what is done when one fails.

mod dead_letter;
mod foreach_rdd;
mod handle;
mod print;
mod retry;
mod save_as_files;
mod save_as_hadoop_files;
mod save_exactly_once;

use std::sync::Arc;
use std::time::Duration;

use millstream_core::operator::Operator;

pub use self::dead_letter::FailedOutput;
pub use self::handle::OutputHandle;
pub use self::save_as_files::SaveOptions;
use crate::dstream::AnyDStream;
use crate::error::Result;
use crate::time::Time;

/// What an output operation does with a batch.
pub(crate) struct Run {
    /// Does it; again, if it failed and is to be retried.
    pub(crate) once: Box<dyn Fn() -> Result<()> + Send>,
    /// How often it is tried again, and how long after the failure.
    pub(crate) retry: (u32, Duration),
    /// Puts the batch aside when it has failed for good; without it the streams end.
    pub(crate) put_aside: Option<PutAside>,
}

/// Puts a batch aside.
pub(crate) type PutAside = Box<dyn Fn(&FailedOutput) -> Result<()> + Send>;

/// An output operation: makes a job of each batch of its stream.
pub(crate) struct Output {
    /// Its place in the order in which outputs were defined, which is the order in which they run.
    pub(crate) number: usize,
    pub(crate) operator: Arc<Operator>,
    pub(crate) stream: AnyDStream,
    /// Describes the batch; nothing if none is due.
    pub(crate) generate: Box<dyn Fn(Time) -> Result<Option<Run>> + Send + Sync>,
}
