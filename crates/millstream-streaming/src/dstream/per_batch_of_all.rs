//! The form of an operator that makes an RDD of the RDDs of any number of streams.

use std::sync::Arc;
use std::time::Duration;

use millstream_core::rdd::AnyRdd;
use millstream_core::{Data, Rdd};

use super::DStream;
use super::node::{AnyDStream, Node};
use super::streams::Streams;
use super::streams::sealed::Sealed;
use crate::error::Result;
use crate::graph::Graph;
use crate::time::Time;

/// Puts an operator on several streams that only describes an RDD in terms of theirs, in their order.
///
/// Streams that do not fit together, or none at all, are reported by `start`.
#[track_caller]
pub(crate) fn per_batch_of_all<S: Streams, U: Data>(
    graph: &Arc<Graph>,
    name: &'static str,
    streams: &S,
    make: impl Fn(<S as Sealed>::Rdds, Time) -> Result<Rdd<U>> + Send + Sync + 'static,
) -> DStream<U> {
    let parents = streams.erased().0;
    let slide = parents.first().map_or(graph.batch_interval, |first| first.slide());
    let make = Box::new(move |inputs: Vec<AnyRdd>, batch: Time| make(S::typed(inputs)?, batch));
    let stream = DStream::new(graph, name, PerBatchOfAll { parents: parents.clone(), slide, make });
    if parents.is_empty() {
        graph.problem(stream.any().operator(), "there are no streams; give at least one");
    }
    parents.iter().for_each(|parent| stream.must_fit(&**parent, stream.any().operator()));
    stream
}

/// What is done with the batches of all streams.
type Make<U> = Box<dyn Fn(Vec<AnyRdd>, Time) -> Result<Rdd<U>> + Send + Sync>;

struct PerBatchOfAll<U: Data> {
    parents: Vec<AnyDStream>,
    slide: Duration,
    make: Make<U>,
}

impl<U: Data> Node<U> for PerBatchOfAll<U> {
    fn parents(&self) -> Vec<AnyDStream> {
        self.parents.clone()
    }

    fn slide(&self) -> Duration {
        self.slide
    }

    fn inputs(&self, _: &DStream<U>, batch: Time) -> Result<Option<Vec<AnyRdd>>> {
        self.parents.iter().map(|parent| Arc::clone(parent).any_rdd(batch)).collect()
    }

    fn make(&self, inputs: Vec<AnyRdd>, batch: Time) -> Result<Rdd<U>> {
        (self.make)(inputs, batch)
    }
}
