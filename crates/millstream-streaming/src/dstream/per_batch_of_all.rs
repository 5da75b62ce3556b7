//! The form of an operator that makes an RDD of the RDDs of any number of streams.

use std::sync::Arc;
use std::time::Duration;

use millstream_core::rdd::AnyRdd;
use millstream_core::{Data, Rdd};

use super::DStream;
use super::node::{AnyDStream, Node, all};
use crate::error::Result;
use crate::graph::Graph;
use crate::time::Time;

/// Puts an operator on several streams of one record type that only describes an RDD in terms of theirs, in their order.
///
/// Streams that do not fit together, or none at all, are reported by `start`.
#[track_caller]
pub(crate) fn per_batch_of_all<T: Data, U: Data>(
    graph: &Arc<Graph>,
    name: &'static str,
    parents: Vec<DStream<T>>,
    make: impl Fn(Vec<Rdd<T>>, Time) -> Result<Rdd<U>> + Send + Sync + 'static,
) -> DStream<U> {
    let slide = parents.first().map_or(graph.batch_interval, DStream::slide_duration);
    let node = PerBatchOfAll { parents: parents.clone(), slide, make: Box::new(make) };
    let stream = DStream::new(graph, name, node);
    if parents.is_empty() {
        graph.problem(stream.any().operator(), "there are no streams; give at least one");
    }
    parents.iter().for_each(|parent| stream.must_fit(parent, stream.any().operator()));
    stream
}

/// What is done with the batches of all streams.
type Make<T, U> = Box<dyn Fn(Vec<Rdd<T>>, Time) -> Result<Rdd<U>> + Send + Sync>;

struct PerBatchOfAll<T: Data, U: Data> {
    parents: Vec<DStream<T>>,
    slide: Duration,
    make: Make<T, U>,
}

impl<T: Data, U: Data> Node<U> for PerBatchOfAll<T, U> {
    fn parents(&self) -> Vec<AnyDStream> {
        self.parents.iter().map(DStream::any).collect()
    }

    fn slide(&self) -> Duration {
        self.slide
    }

    fn inputs(&self, _: &DStream<U>, batch: Time) -> Result<Option<Vec<AnyRdd>>> {
        let mut inputs = Vec::new();
        for parent in &self.parents {
            let Some(rdd) = parent.rdd(batch)? else { return Ok(None) };
            inputs.push(rdd.any());
        }
        Ok(Some(inputs))
    }

    fn make(&self, inputs: Vec<AnyRdd>, batch: Time) -> Result<Rdd<U>> {
        (self.make)(all(inputs)?, batch)
    }
}
