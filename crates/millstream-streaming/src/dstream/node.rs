//! What a stream operator must say of itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millstream_core::operator::Operator;
use millstream_core::rdd::AnyRdd;
use millstream_core::{Data, Rdd};
use serde_json::Value;

use super::DStream;
use crate::error::Result;
use crate::graph::Graph;
use crate::state::StatefulOperator;
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

    /// Returns the state that its batches hold: each is made of the one before it, and so on without end.
    fn state(&self) -> Option<&dyn StatefulOperator> {
        None
    }

    /// Computes what is left to compute of a batch of which later ones are made.
    fn settle(&self, _batch: AnyRdd) -> Result<()> {
        Ok(())
    }

    /// Returns what only a source knows; see [`Source`](crate::source::Source).
    fn as_source(&self) -> Option<&dyn NodeOfSource<T>> {
        None
    }

    /// Returns how long before a batch those of the parents may lie that it is made of.
    fn reaches_back(&self) -> Duration {
        Duration::ZERO
    }
}

/// What a stream that begins the graph can do beyond a [`Node`].
pub(crate) trait NodeOfSource<T: Data> {
    /// Takes out what the batch described last was made of, if that can not be found out again.
    fn take_saved(&self, batch: Time) -> Option<Value>;
    /// Makes the RDD of a batch of what it was made of before a restart.
    fn make_again(&self, batch: Time, saved: &Value) -> Result<Rdd<T>>;
    /// Tells the source of before which batches it was made, and of what earlier batches were made.
    fn restore(&self, zero: Time, saved: &BTreeMap<Time, Value>) -> Result<()>;
    /// Returns whether a source must remember of what a batch was made though no batch from `threshold` on asks for it.
    fn still_needs(&self, batch: Time, saved: &Value, threshold: Time) -> bool;
    /// Returns whether nothing came in the interval of a batch that was missed.
    fn is_quiet(&self, batch: Time) -> bool;
    /// Returns what it reads, for people, if that tells it from other sources.
    fn reads(&self) -> Option<String>;
    /// Returns why it can not run with a checkpoint directory, if it can not.
    fn refuses_checkpoints(&self) -> Option<&'static str>;
}

/// A stream whose record type has been forgotten.
pub(crate) type AnyDStream = Arc<dyn ErasedStream>;

/// What the graph needs to know of a stream, whatever its records are.
pub(crate) trait ErasedStream: Send + Sync {
    fn operator(&self) -> &Arc<Operator>;
    /// Gives its operator another id; returns false if it has been given one already.
    fn rename(&self, id: Arc<str>) -> bool;
    /// Sets how often its state is saved.
    fn save_each(&self, interval: Duration);
    /// Returns how often its state is saved, if the program says so.
    fn saved_each(&self) -> Option<Duration>;
    /// Returns the time between two of its batches.
    fn slide(&self) -> Duration;
    /// Keeps each batch at least this long after its time.
    fn remember(&self, duration: Duration);
    fn remembers(&self) -> Duration;
    /// Returns the streams it reads.
    fn parents(&self) -> Vec<AnyDStream>;
    /// Returns how long before a batch those of the parents may lie that it is made of.
    fn reaches_back(&self) -> Duration;
    /// Returns the state that its batches hold, each made of the one before it.
    fn state(&self) -> Option<&dyn StatefulOperator>;
    /// Computes what is left to compute of a batch of which later ones are made.
    fn settle(&self, batch: Time) -> Result<()>;
    /// Forgets the batches that no batch after the completed `batch` needs.
    fn clear_metadata(&self, batch: Time);
    /// Returns the graph it was put on.
    fn graph(&self) -> &Arc<Graph>;
    /// Returns the RDD of a batch, described now if that has not been done yet; nothing if none is due.
    fn any_rdd(self: Arc<Self>, batch: Time) -> Result<Option<AnyRdd>>;
    /// Returns of what the batches of a source were made, as far as that can not be found out again.
    fn saved_inputs(&self) -> BTreeMap<Time, Value>;
    /// Forgets of what the batches before `threshold` were made.
    fn forget_inputs(&self, threshold: Time);
    /// Takes over, before the start, of what batches were made.
    fn restore_inputs(&self, zero: Time, saved: BTreeMap<Time, Value>) -> Result<()>;
    /// Returns whether nothing came in the interval of a batch that was missed; other streams than sources are quiet.
    fn is_quiet(&self, batch: Time) -> bool;
    /// Returns what a source reads, for people, if that tells it from others.
    fn reads(&self) -> Option<String>;
    /// Returns whether the program has given it its id.
    fn is_named(&self) -> bool;
    /// Returns why the stream can not run with a checkpoint directory, if it can not.
    fn refuses_checkpoints(&self) -> Option<&'static str>;
    /// Makes the RDDs of a batch, of inputs made by another process.
    fn apply(&self, inputs: Vec<AnyRdd>, batch: Time) -> Result<()>;
}

/// Takes the only input of an operator with one parent, remembering its record type.
pub(crate) fn only<T: Data>(inputs: Vec<AnyRdd>) -> Result<Rdd<T>> {
    Ok(Rdd::from_any(first(inputs)?)?)
}

fn first(inputs: Vec<AnyRdd>) -> Result<AnyRdd> {
    inputs.into_iter().next().ok_or_else(|| {
        millstream_core::Error::Codec {
            what: "inputs of an operator".into(),
            problem: "there are none".into(),
        }
        .into()
    })
}

/// Remembers the record type of inputs that all have the same.
pub(crate) fn all<T: Data>(inputs: Vec<AnyRdd>) -> Result<Vec<Rdd<T>>> {
    let mut typed = Vec::with_capacity(inputs.len());
    for input in inputs {
        typed.push(Rdd::from_any(input)?);
    }
    Ok(typed)
}
