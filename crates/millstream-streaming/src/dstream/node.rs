//! What a stream operator must say of itself.

use std::sync::Arc;
use std::time::Duration;

use millstream_core::operator::Operator;
use millstream_core::rdd::AnyRdd;
use millstream_core::{Data, Rdd};

use super::DStream;
use crate::error::Result;
use crate::time::Time;

/// A stream operator: its parents, its slide, and the RDD of a batch.
pub(crate) trait Node<T: Data>: Send + Sync + 'static {
    /// Returns the streams it reads.
    fn parents(&self) -> Vec<AnyDStream>;

    /// Returns the time between two of its batches.
    fn slide(&self) -> Duration;

    /// Returns the RDDs that the RDD of a batch is made of; nothing if there is no RDD.
    ///
    /// They are the parents', and `own` ones of earlier batches.
    fn inputs(&self, own: &DStream<T>, batch: Time) -> Result<Option<Vec<AnyRdd>>>;

    /// Makes the RDD of a batch.
    ///
    /// Called in every process that runs a task of the batch, so it must do nothing but describe; only sources and
    /// `transform` may do more: their own RDDs are described by their content.
    fn make(&self, inputs: Vec<AnyRdd>, batch: Time) -> Result<Rdd<T>>;

    /// Returns whether the RDD of a batch is made of this stream's own of the batch before, and so on without end.
    fn is_endless(&self) -> bool {
        false
    }

    /// Returns how long the parents must remember their batches if this operator remembers its own for `own`.
    fn parents_remember(&self, own: Duration) -> Duration {
        own
    }
}

/// A stream whose record type has been forgotten.
pub(crate) type AnyDStream = Arc<dyn ErasedStream>;

/// What the graph needs to know of a stream, whatever its records are.
pub(crate) trait ErasedStream: Send + Sync {
    fn operator(&self) -> &Arc<Operator>;
    /// Keeps each batch at least this long after its time.
    fn remember(&self, duration: Duration);
    fn remembers(&self) -> Duration;
    /// Computes what is left to compute of a batch of which later ones are made.
    fn settle(&self, batch: Time) -> Result<()>;
    /// Forgets the batches that no batch after the completed `batch` needs.
    fn clear_metadata(&self, batch: Time);
    /// Makes the RDDs of a batch, of inputs made by another process.
    fn apply(&self, inputs: Vec<AnyRdd>, batch: Time) -> Result<()>;
}

/// Takes the only input of an operator with one parent, remembering its record type.
pub(crate) fn only<T: Data>(inputs: Vec<AnyRdd>) -> Result<Rdd<T>> {
    let mut typed = all(inputs)?;
    typed.pop().ok_or_else(|| {
        millstream_core::Error::Codec {
            what: "inputs of an operator".into(),
            problem: "there are none".into(),
        }
        .into()
    })
}

/// Remembers the record type of inputs that all have the same.
pub(crate) fn all<T: Data>(inputs: Vec<AnyRdd>) -> Result<Vec<Rdd<T>>> {
    Ok(inputs.into_iter().map(Rdd::from_any).collect::<millstream_core::Result<_>>()?)
}
