//! Where streams begin: what Spark puts on its `StreamingContext`, one file each.

mod constant_stream;
mod direct_stream;
mod file_stream;
mod generator_stream;
mod queue_stream;
mod raw_socket_stream;
mod receiver_stream;
mod socket_stream;
mod socket_text_stream;

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use millstream_core::rdd::AnyRdd;
use millstream_core::{Data, Rdd};
use serde_json::Value;

pub use self::direct_stream::DirectSource;
pub use self::file_stream::{FileChoice, FileChoices, FileStreamOptions};
pub use self::queue_stream::RddQueue;
use crate::dstream::node::NodeOfSource;
use crate::dstream::{AnyDStream, DStream, Node};
use crate::error::Result;
use crate::graph::Graph;
use crate::listener::StreamInputInfo;
use crate::receiver::StreamId;
use crate::time::Time;

/// Where a stream begins: gives the RDD of each batch.
pub(crate) trait Source<T: Data>: Send + Sync + 'static {
    /// Returns the RDD of a batch, and how many records it has if that is known without reading it.
    fn batch(&self, batch: Time) -> Result<(Rdd<T>, Option<u64>)>;

    /// Takes out what the batch asked for last was made of, for a checkpoint; nothing if `batch` makes the same again when it
    /// is called after a restart.
    fn take_saved(&self, _batch: Time) -> Option<Value> {
        None
    }

    /// Returns the RDD of a batch as it was before a restart.
    fn batch_again(&self, batch: Time, _saved: &Value) -> Result<(Rdd<T>, Option<u64>)> {
        self.batch(batch)
    }

    /// Takes note, before the start, that the streams were begun at `zero`, and of what earlier batches were made.
    fn restore(&self, _zero: Time, _saved: &BTreeMap<Time, Value>) -> Result<()> {
        Ok(())
    }

    /// Returns whether it must remember of what a batch was made though no batch from `threshold` on asks for it.
    fn still_needs(&self, _batch: Time, _saved: &Value, _threshold: Time) -> bool {
        false
    }

    /// Returns whether nothing came in the interval of a batch that was missed.
    fn is_quiet(&self, _batch: Time) -> bool {
        false
    }

    /// Returns what it reads, for people, if that tells it from other sources.
    fn reads(&self) -> Option<String> {
        None
    }

    /// Returns why the source can not run with a checkpoint directory, if it can not.
    fn refuses_checkpoints(&self) -> Option<&'static str> {
        None
    }
}

/// Puts a source on the graph.
pub(crate) fn stream<T: Data>(
    graph: &Arc<Graph>,
    name: &'static str,
    place: &'static Location<'static>,
    id: StreamId,
    source: impl Source<T>,
) -> DStream<T> {
    let operator = graph.operator(name, &[], place);
    let node = Input { graph: Arc::clone(graph), id, source };
    DStream::of_operator(graph, operator, node)
}

struct Input<S> {
    graph: Arc<Graph>,
    id: StreamId,
    source: S,
}

impl<T: Data, S: Source<T>> Node<T> for Input<S> {
    fn parents(&self) -> Vec<AnyDStream> {
        Vec::new()
    }

    fn slide(&self) -> Duration {
        self.graph.batch_interval
    }

    fn inputs(&self, _: &DStream<T>, _: Time) -> Result<Option<Vec<AnyRdd>>> {
        Ok(Some(Vec::new()))
    }

    fn make(&self, _: Vec<AnyRdd>, batch: Time) -> Result<Rdd<T>> {
        let (rdd, records) = self.source.batch(batch)?;
        self.report(batch, records);
        Ok(rdd)
    }

    fn as_source(&self) -> Option<&dyn NodeOfSource<T>> {
        Some(self)
    }
}

impl<T: Data, S: Source<T>> NodeOfSource<T> for Input<S> {
    fn take_saved(&self, batch: Time) -> Option<Value> {
        self.source.take_saved(batch)
    }

    fn make_again(&self, batch: Time, saved: &Value) -> Result<Rdd<T>> {
        let (rdd, records) = self.source.batch_again(batch, saved)?;
        self.report(batch, records);
        Ok(rdd)
    }

    fn restore(&self, zero: Time, saved: &BTreeMap<Time, Value>) -> Result<()> {
        self.source.restore(zero, saved)
    }

    fn still_needs(&self, batch: Time, saved: &Value, threshold: Time) -> bool {
        self.source.still_needs(batch, saved, threshold)
    }

    fn is_quiet(&self, batch: Time) -> bool {
        self.source.is_quiet(batch)
    }

    fn reads(&self) -> Option<String> {
        self.source.reads()
    }

    fn refuses_checkpoints(&self) -> Option<&'static str> {
        self.source.refuses_checkpoints()
    }
}

impl<S> Input<S> {
    fn report(&self, batch: Time, records: Option<u64>) {
        if let Some(records) = records {
            self.graph.report_input(batch, StreamInputInfo::new(self.id, records), None);
        }
    }
}
