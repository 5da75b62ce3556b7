//! The form of an operator that makes an RDD of the RDDs of two streams.

use std::sync::Arc;
use std::time::Duration;

use millstream_core::operator::Operator;
use millstream_core::rdd::AnyRdd;
use millstream_core::{Data, Partitioner, Rdd};

use super::DStream;
use super::join_side::{JoinSide, Side};
use super::node::{AnyDStream, ErasedStream, Node, only};
use crate::error::Result;
use crate::time::Time;

/// What is done with each pair of batches.
type Make<T, U, V> = Box<dyn Fn(Rdd<T>, Rdd<U>, Time) -> Result<Rdd<V>> + Send + Sync>;

struct PerBatchWith<T: Data, U: Data, V: Data> {
    left: DStream<T>,
    right: Side<U>,
    make: Make<T, U, V>,
}

impl<T: Data> DStream<T> {
    /// Puts an operator on a stream and what stands beside it that only describes an RDD in terms of theirs.
    ///
    /// Streams that do not fit together are reported by `start`.
    #[track_caller]
    pub(crate) fn per_batch_with<U: Data, V: Data>(
        &self,
        other: &impl JoinSide<U>,
        name: &'static str,
        make: impl Fn(Rdd<T>, Rdd<U>, Time) -> Result<Rdd<V>> + Send + Sync + 'static,
    ) -> DStream<V> {
        let right = other.side();
        let node = PerBatchWith { left: self.clone(), right: right.clone(), make: Box::new(make) };
        let stream = DStream::new(self.graph(), name, node);
        if let Side::Stream(other) = right {
            self.must_fit(&*other.any(), stream.any().operator());
        }
        stream
    }

    /// Like [`per_batch_with`](DStream::per_batch_with), for what spreads records by a partitioner; one that can not be used is
    /// reported by `start`.
    #[track_caller]
    pub(crate) fn per_batch_with_spread<K: 'static, U: Data, V: Data>(
        &self,
        other: &impl JoinSide<U>,
        name: &'static str,
        partitioner: impl Into<Partitioner<K>>,
        make: impl Fn(Rdd<T>, Rdd<U>, Partitioner<K>) -> Rdd<V> + Send + Sync + 'static,
    ) -> DStream<V> {
        let partitioner = partitioner.into();
        let spread = partitioner.clone();
        let make = move |left, right, _| Ok(make(left, right, spread.clone()));
        let stream = self.per_batch_with(other, name, make);
        self.graph().check_partitioner(stream.any().operator(), &partitioner);
        stream
    }

    /// Notes what keeps an operator from reading this stream and `other` batch by batch, to be reported by `start`.
    pub(crate) fn must_fit(&self, other: &dyn ErasedStream, operator: &Operator) {
        if !Arc::ptr_eq(self.graph(), other.graph()) {
            let problem = "the streams belong to different streaming contexts; put them on one";
            self.graph().problem(operator, problem);
        }
        let (slide, others) = (self.slide_duration(), other.slide());
        if slide != others {
            let problem = format!(
                "the streams have different slides, {slide:?} and {others:?}; use windows with the same slide on them"
            );
            self.graph().problem(operator, problem);
        }
    }
}

impl<T: Data, U: Data, V: Data> Node<V> for PerBatchWith<T, U, V> {
    fn parents(&self) -> Vec<AnyDStream> {
        let right = match &self.right {
            Side::Stream(stream) => Some(stream.any()),
            Side::Rdd(_) => None,
        };
        std::iter::once(self.left.any()).chain(right).collect()
    }

    fn slide(&self) -> Duration {
        self.left.slide_duration()
    }

    fn inputs(&self, _: &DStream<V>, batch: Time) -> Result<Option<Vec<AnyRdd>>> {
        let left = self.left.rdd(batch)?;
        let right = match &self.right {
            Side::Stream(stream) => stream.rdd(batch)?,
            Side::Rdd(rdd) => Some(rdd.clone()),
        };
        Ok(left.zip(right).map(|(left, right)| vec![left.any(), right.any()]))
    }

    fn make(&self, mut inputs: Vec<AnyRdd>, batch: Time) -> Result<Rdd<V>> {
        let right = inputs.split_off(inputs.len().min(1));
        (self.make)(only(inputs)?, only(right)?, batch)
    }
}
