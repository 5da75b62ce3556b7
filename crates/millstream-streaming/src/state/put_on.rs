//! Puts a stateful operator on the graph: the stream of its versions, and those of what is read from them.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use millstream_core::operator::Operator;
use millstream_core::rdd::{AnyRdd, Compute, Dependency};
use millstream_core::shuffle::partitioner::PartitionedBy;
use millstream_core::stream::{self, ChunkStream};
use millstream_core::{Data, Key, Partitioner, Rdd, TaskContext};

use super::fingerprint::Fingerprint;
use super::held::Held;
use super::stateful::Stateful;
use super::step::{Batches, Steps, only};
use crate::dstream::DStream;
use crate::dstream::node::{self, AnyDStream, Node};
use crate::error::Result;
use crate::graph::Graph;
use crate::time::Time;

/// How a stateful operator is put on the graph.
pub(crate) struct PutOn<K: Key, S: Data> {
    pub(crate) name: &'static str,
    pub(crate) partitioner: Partitioner<K>,
    pub(crate) initial: Option<Rdd<(K, S)>>,
    /// How long a key may have no record, if keys time out.
    pub(crate) timeout: Option<Duration>,
    pub(crate) needs_directory: bool,
    /// How often the state is saved, unless the program says so, by its slide.
    pub(crate) saved_each: fn(Duration) -> Duration,
}

/// The stream of the versions of a stateful operator.
pub(crate) struct Versions<K: Key, S: Data, U: Data> {
    stream: DStream<Held<K, S, U>>,
    stateful: Arc<Stateful<K, S>>,
    /// That of the stream the program sees first.
    operator: Operator,
}

impl<K: Key, S: Data> PutOn<K, S> {
    #[track_caller]
    pub(crate) fn graph<P: Data, U: Data>(
        self,
        graph: &Arc<Graph>,
        batches: impl Batches<P, K, S, U>,
    ) -> Versions<K, S, U> {
        let operator = graph.operator(self.name, &[batches.parent().any()], Location::caller());
        graph.check_partitioner(&operator, &self.partitioner);
        let migrations = Arc::clone(&graph.migrations);
        let context = graph.context.clone();
        let stateful = Stateful::new(
            context,
            self.partitioner,
            self.timeout,
            self.needs_directory,
            self.saved_each,
            Fingerprint::of::<K, S>(Some(batches.reaches_back()).filter(|window| !window.is_zero())),
            migrations,
        );
        let inner = operator.id.as_deref().map(|id| format!("{id}:state").into());
        let steps =
            Steps { batches: Box::new(batches), stateful: Arc::clone(&stateful), initial: self.initial };
        let stream = DStream::of_operator(graph, Operator { id: inner, ..operator.clone() }, steps);
        graph.add_stateful(Arc::clone(&stateful) as _);
        Versions { stream, stateful, operator }
    }
}

impl<K: Key, S: Data, U: Data> Versions<K, S, U> {
    /// Makes the stream of all keys and states, as what the operator puts out.
    pub(crate) fn pairs(self) -> DStream<(K, S)> {
        let spread = self.stateful.partitioner.identity();
        let pairs = self.read(self.operator.clone(), |held| Arc::clone(held.version()).pairs(), Some(spread));
        self.stateful.belongs_to(&pairs.any());
        pairs
    }

    /// Makes the stream of what batches are mapped to, as what the operator puts out.
    pub(crate) fn mapped(&self) -> DStream<U> {
        let mapped = self.read(self.operator.clone(), |held| stream::from_shared(held.mapped()), None);
        self.stateful.belongs_to(&mapped.any());
        mapped
    }

    /// Makes a stream of all keys and states beside what the operator puts out, as a call of the method `name`.
    #[track_caller]
    pub(crate) fn snapshots(&self, name: &'static str, beside: AnyDStream) -> DStream<(K, S)> {
        let operator = self.stream.graph().operator(name, &[beside], Location::caller());
        let spread = self.stateful.partitioner.identity();
        self.read(operator, |held| Arc::clone(held.version()).pairs(), Some(spread))
    }

    fn read<T: Data>(
        &self,
        operator: Operator,
        read: fn(&Held<K, S, U>) -> ChunkStream<T>,
        partitioned_by: Option<PartitionedBy>,
    ) -> DStream<T> {
        let reads = Reads { versions: self.stream.clone(), read, partitioned_by };
        DStream::of_operator(self.stream.graph(), operator, reads)
    }
}

/// The node of a stream that is read from versions.
struct Reads<K: Key, S: Data, U: Data, T: Data> {
    versions: DStream<Held<K, S, U>>,
    read: fn(&Held<K, S, U>) -> ChunkStream<T>,
    partitioned_by: Option<PartitionedBy>,
}

impl<K: Key, S: Data, U: Data, T: Data> Node<T> for Reads<K, S, U, T> {
    fn parents(&self) -> Vec<AnyDStream> {
        vec![self.versions.any()]
    }

    fn slide(&self) -> Duration {
        self.versions.slide_duration()
    }

    fn inputs(&self, _: &DStream<T>, batch: Time) -> Result<Option<Vec<AnyRdd>>> {
        Ok(self.versions.rdd(batch)?.map(|rdd| vec![rdd.any()]))
    }

    fn make(&self, inputs: Vec<AnyRdd>, _: Time) -> Result<Rdd<T>> {
        let versions: Rdd<Held<K, S, U>> = node::only(inputs)?;
        let context = versions.context().clone();
        let read = ReadFrom { versions, read: self.read, partitioned_by: self.partitioned_by.clone() };
        Ok(Rdd::from_compute(&context, "state", read))
    }
}

/// What is read from versions.
struct ReadFrom<K: Key, S: Data, U: Data, T: Data> {
    versions: Rdd<Held<K, S, U>>,
    read: fn(&Held<K, S, U>) -> ChunkStream<T>,
    partitioned_by: Option<PartitionedBy>,
}

impl<K: Key, S: Data, U: Data, T: Data> Compute<T> for ReadFrom<K, S, U, T> {
    fn partitions(&self) -> usize {
        self.versions.num_partitions()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        vec![Dependency::Narrow(self.versions.any())]
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> millstream_core::Result<ChunkStream<T>> {
        Ok((self.read)(&only(self.versions.stream(partition, task)?)?))
    }

    fn partitioned_by(&self) -> Option<PartitionedBy> {
        self.partitioned_by.clone()
    }
}
