//! Where streams begin: what Spark puts on its `StreamingContext`, one file each.

mod constant_stream;
mod file_stream;
mod generator_stream;
mod queue_stream;
mod receiver_stream;
mod socket_stream;
mod socket_text_stream;

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use millstream_core::rdd::AnyRdd;
use millstream_core::{Data, Rdd};

pub use self::file_stream::{FileChoice, FileChoices, FileStreamOptions};
pub use self::queue_stream::RddQueue;
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
        if let Some(records) = records {
            self.graph.report_input(batch, StreamInputInfo::new(self.id, records), None);
        }
        Ok(rdd)
    }
}
