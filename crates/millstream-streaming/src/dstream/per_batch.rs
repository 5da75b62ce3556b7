//! The form of an operator that makes an RDD of its parent's RDD.

use std::time::Duration;

use millstream_core::rdd::AnyRdd;
use millstream_core::{Data, Partitioner, Rdd};

use super::DStream;
use super::node::{AnyDStream, Node, only};
use crate::error::Result;
use crate::time::Time;

/// What is done with each batch.
type Make<T, U> = Box<dyn Fn(Rdd<T>, Time) -> Result<Rdd<U>> + Send + Sync>;

struct PerBatch<T: Data, U: Data> {
    parent: DStream<T>,
    make: Make<T, U>,
}

impl<T: Data> DStream<T> {
    /// Puts an operator on the stream that only describes an RDD in terms of the parent's.
    #[track_caller]
    pub(crate) fn per_batch<U: Data>(
        &self,
        name: &'static str,
        make: impl Fn(Rdd<T>) -> Rdd<U> + Send + Sync + 'static,
    ) -> DStream<U> {
        self.per_batch_at(name, move |rdd, _| Ok(make(rdd)))
    }

    /// Like [`per_batch`](DStream::per_batch), for what spreads records by a partitioner; one that can not be used is reported
    /// by `start`.
    #[track_caller]
    pub(crate) fn per_batch_spread<K: 'static, U: Data>(
        &self,
        name: &'static str,
        partitioner: impl Into<Partitioner<K>>,
        make: impl Fn(Rdd<T>, Partitioner<K>) -> Rdd<U> + Send + Sync + 'static,
    ) -> DStream<U> {
        let partitioner = partitioner.into();
        let spread = partitioner.clone();
        let stream = self.per_batch(name, move |rdd| make(rdd, spread.clone()));
        self.graph().check_partitioner(stream.any().operator(), &partitioner);
        stream
    }

    /// Like [`per_batch`](DStream::per_batch), for what needs the batch time or can fail.
    #[track_caller]
    pub(crate) fn per_batch_at<U: Data>(
        &self,
        name: &'static str,
        make: impl Fn(Rdd<T>, Time) -> Result<Rdd<U>> + Send + Sync + 'static,
    ) -> DStream<U> {
        DStream::new(self.graph(), name, PerBatch { parent: self.clone(), make: Box::new(make) })
    }
}

impl<T: Data, U: Data> Node<U> for PerBatch<T, U> {
    fn parents(&self) -> Vec<AnyDStream> {
        vec![self.parent.any()]
    }

    fn slide(&self) -> Duration {
        self.parent.slide_duration()
    }

    fn inputs(&self, _: &DStream<U>, batch: Time) -> Result<Option<Vec<AnyRdd>>> {
        Ok(self.parent.rdd(batch)?.map(|rdd| vec![rdd.any()]))
    }

    fn make(&self, inputs: Vec<AnyRdd>, batch: Time) -> Result<Rdd<U>> {
        (self.make)(only(inputs)?, batch)
    }
}
