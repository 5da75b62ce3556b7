//! `receiver_stream`: records of a receiver.

use std::any::type_name_of_val;
use std::panic::Location;
use std::sync::Arc;

use millstream_core::{Data, Rdd, StorageLevel, settings};
use serde_json::Value;

use super::{Source, stream};
use crate::context::StreamingContext;
use crate::dstream::DStream;
use crate::error::Result;
use crate::graph::Graph;
use crate::listener::StreamInputInfo;
use crate::rate::PidRateEstimator;
use crate::receiver::{Block, BlockGeneratorConfig, Receiver, ReceiverConfig, Storage, StreamId};
use crate::state::Fingerprint;
use crate::time::Time;

impl StreamingContext {
    /// Makes a stream of what a receiver stores.
    ///
    /// The receiver runs on threads of its own and takes no worker. What it stores is cut into blocks each
    /// `spark.streaming.blockInterval` (or batch interval, if that is shorter); each block is a partition of its batch.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::Driver;
    /// use millstream_streaming::{Receiver, ReceiverHandle};
    ///
    /// struct Ticks;
    ///
    /// impl Receiver<u64> for Ticks {
    ///     fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///         for n in 0.. {
    ///             handle.store(n)?; // refused after a stop, which ends the loop
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let ticks = driver.collect(&driver.streaming().receiver_stream(Ticks).filter(|n| *n < 3));
    /// let steps = driver.start()?;
    /// while ticks.batches().concat().len() < 3 {
    ///     steps.step()?;
    /// }
    /// assert_eq!(ticks.batches().concat(), [0, 1, 2]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn receiver_stream<T: Data>(&self, receiver: impl Receiver<T>) -> DStream<T> {
        let reads = type_name_of_val(&receiver).to_owned();
        self.received("receiver_stream", Arc::new(receiver), reads, Location::caller(), false)
    }

    /// Makes the stream of a receiver of what `reads` says; one that `holds_back` waits when its backlog is full, whatever its level.
    pub(crate) fn received<T: Data>(
        &self,
        name: &'static str,
        receiver: Arc<dyn Receiver<T>>,
        reads: String,
        place: &'static Location<'static>,
        holds_back: bool,
    ) -> DStream<T> {
        let graph = self.graph();
        let id = graph.next_source();
        let level = receiver.storage_level();
        let storage = Storage::of(&graph.context, level, holds_back);
        let source = Received { graph: Arc::clone(graph), id, reads, storage: storage.clone() };
        let stream = stream(graph, name, place, id, source);
        graph.add_receiver(id, stream.any(), Fingerprint::of::<(), T>(None));
        match config(graph, storage) {
            Ok(config) => graph.receivers.register(id, receiver, config),
            Err(error) => graph.problem(stream.any().operator(), error.to_string()),
        }
        stream
    }
}

/// Returns what a receiver reads that is connected to a server.
pub(super) fn address(host: &str, port: u16) -> String {
    format!("{host}:{port}")
}

fn config(graph: &Graph, storage: Storage) -> Result<ReceiverConfig> {
    let level = storage.level;
    if !level.is_valid() {
        return Err(millstream_core::Error::Argument {
            operator: "storage level of a receiver".into(),
            problem: format!("{level} keeps nothing, so that all that is received would be lost"),
            remedy: "name a level such as MEMORY_AND_DISK".into(),
        }
        .into());
    }
    // Nobody has asked for the default.
    if level.replication() > 1 && level != StorageLevel::MEMORY_AND_DISK_SER_2 && graph.notices_copies() {
        tracing::warn!(
            "the program runs in one process: of a receiver's blocks at {level} there is one copy"
        );
    }
    let conf = graph.context.conf();
    let blocks = BlockGeneratorConfig {
        // So that batches shorter than a block carry their own data.
        block_interval: conf.get(settings::BLOCK_INTERVAL)?.min(graph.batch_interval),
        queue_size: conf.get(settings::BLOCK_QUEUE_SIZE)?,
        store_timeout: conf.get(settings::BLOCK_STORE_TIMEOUT)?,
    };
    let backpressure = conf.get(settings::BACKPRESSURE_ENABLED)?;
    let rate = |rate: i64| u64::try_from(rate).ok();
    Ok(ReceiverConfig {
        blocks,
        max_rate: conf.get(settings::RECEIVER_MAX_RATE)?.and_then(rate),
        initial_rate: backpressure
            .then(|| conf.get(settings::BACKPRESSURE_INITIAL_RATE))
            .transpose()?
            .flatten()
            .and_then(rate),
        estimator: backpressure.then(|| PidRateEstimator::of_conf(conf, graph.batch_interval)).transpose()?,
        max_backlog: conf.get(settings::RECEIVER_MAX_BACKLOG)?,
        storage,
        restart_delay: conf.get(settings::RECEIVER_RESTART_DELAY)?,
        stop_timeout: graph.graceful_timeout()?,
    })
}

struct Received {
    graph: Arc<Graph>,
    id: StreamId,
    reads: String,
    storage: Storage,
}

impl<T: Data> Source<T> for Received {
    fn batch(&self, batch: Time) -> Result<(Rdd<T>, Option<u64>)> {
        let blocks = self.graph.receivers.blocks_of_batch::<T>(batch, self.id, &self.storage)?;
        let mut info =
            StreamInputInfo::new(self.id, self.graph.receivers.num_records_of_batch(batch, self.id));
        let said: Vec<&str> = blocks.iter().filter_map(|block| block.metadata()).collect();
        if !said.is_empty() {
            info.metadata.insert(StreamInputInfo::DESCRIPTION.into(), said.join("\n"));
        }
        self.graph.report_input(batch, info, None);
        let rdd = self.graph.context.from_stored(blocks.into_iter().map(|block| block as _));
        Ok((rdd, None))
    }

    /// With a log the blocks of the batch are found in it; without, how many records are lost is all that can be kept.
    fn take_saved(&self, batch: Time) -> Option<Value> {
        let receivers = &self.graph.receivers;
        let lost = || receivers.num_records_of_batch(batch, self.id).into();
        (!receivers.blocks().is_logged()).then(lost)
    }

    fn batch_again(&self, batch: Time, saved: &Value) -> Result<(Rdd<T>, Option<u64>)> {
        let lost = saved.as_u64().unwrap_or_default();
        if lost > 0 {
            tracing::warn!(
                "stream {}: {lost} records of batch {batch} are lost, because they were received without a log; set \
                 spark.streaming.receiver.writeAheadLog.enable=true",
                self.id
            );
            self.graph.recovery.count_lost(lost);
        }
        Ok((self.graph.context.empty_rdd(), Some(0)))
    }

    fn reads(&self) -> Option<String> {
        Some(self.reads.clone())
    }

    fn is_quiet(&self, batch: Time) -> bool {
        !self.graph.receivers.blocks().has_blocks(batch)
    }
}
