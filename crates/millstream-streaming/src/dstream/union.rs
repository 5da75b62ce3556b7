//! `union`: the records of several streams.

use std::sync::Arc;
use std::time::Duration;

use millstream_core::rdd::AnyRdd;
use millstream_core::{Context, Data, Rdd};

use super::DStream;
use super::node::{AnyDStream, Node, all};
use crate::error::Result;
use crate::time::Time;

impl<T: Data> DStream<T> {
    /// Returns the records of both streams, this one's first; the other must have the same slide.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![[1], [2]], |s| s.union(&s.map(|n| n * 10)), batches![[1, 10], [2, 20]]);
    /// ```
    #[track_caller]
    pub fn union(&self, other: &DStream<T>) -> DStream<T> {
        union("union", vec![self.clone(), other.clone()])
    }
}

/// Unites one or more streams.
#[track_caller]
pub(crate) fn union<T: Data>(name: &'static str, parents: Vec<DStream<T>>) -> DStream<T> {
    let graph = Arc::clone(parents[0].graph());
    let slide = parents[0].slide_duration();
    let slides: Vec<Duration> = parents.iter().map(DStream::slide_duration).collect();
    let foreign = parents.iter().any(|parent| !Arc::ptr_eq(parent.graph(), &graph));
    let context = graph.context.clone();
    let union = DStream::new(&graph, name, Union { parents, slide, context });
    if foreign {
        let problem = "the streams belong to different streaming contexts; put them on one";
        graph.problem(union.any().operator(), problem);
    }
    if let Some(other) = slides.iter().find(|other| **other != slide) {
        graph.problem(
            union.any().operator(),
            format!(
                "the streams have different slides, {slide:?} and {other:?}; use windows with the same slide on them"
            ),
        );
    }
    union
}

struct Union<T: Data> {
    parents: Vec<DStream<T>>,
    slide: Duration,
    context: Context,
}

impl<T: Data> Node<T> for Union<T> {
    fn parents(&self) -> Vec<AnyDStream> {
        self.parents.iter().map(DStream::any).collect()
    }

    fn slide(&self) -> Duration {
        self.slide
    }

    fn inputs(&self, _: &DStream<T>, batch: Time) -> Result<Option<Vec<AnyRdd>>> {
        let mut inputs = Vec::new();
        for parent in &self.parents {
            inputs.extend(parent.rdd(batch)?.map(|rdd| rdd.any()));
        }
        Ok((!inputs.is_empty()).then_some(inputs))
    }

    fn make(&self, inputs: Vec<AnyRdd>, _: Time) -> Result<Rdd<T>> {
        Ok(self.context.union(all(inputs)?))
    }
}
