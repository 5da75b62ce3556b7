//! Where streams end: output operations, one file each.

mod foreach_rdd;
mod print;
mod save_as_files;
mod save_exactly_once;

use std::sync::Arc;

use millstream_core::operator::Operator;

pub use self::save_as_files::SaveOptions;
use crate::dstream::AnyDStream;
use crate::error::Result;
use crate::time::Time;

/// What an output operation does with a batch.
pub(crate) type Run = Box<dyn FnOnce() -> Result<()> + Send>;

/// An output operation: makes a job of each batch of its stream.
pub(crate) struct Output {
    /// Its place in the order in which outputs were defined, which is the order in which they run.
    pub(crate) number: usize,
    pub(crate) operator: Arc<Operator>,
    pub(crate) stream: AnyDStream,
    /// Describes the batch; nothing if none is due.
    pub(crate) generate: Box<dyn Fn(Time) -> Result<Option<Run>> + Send + Sync>,
}
