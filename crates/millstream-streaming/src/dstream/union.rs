//! `union`: the records of several streams.

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
        let parents = vec![self.clone(), other.clone()];
        let node = Union { parents, slide: self.slide_duration(), context: self.context().clone() };
        let union = DStream::new(self.graph(), "union", node);
        self.must_fit(other, union.any().operator());
        union
    }
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
