//! Counts the lines with "the" in them among those that come as blocks of bytes over several connections.
//!
//! Start a sender first: `millstream run-example streaming.util.RawTextSender 9999 LICENSE 50000 5000000`. Then, in a second terminal:
//! `millstream run-example streaming.RawNetworkGrep 2 localhost 9999 1000`.

use std::num::{NonZeroU64, NonZeroUsize};
use std::process::ExitCode;

use clap::Parser;
use millstream::core::StorageLevel;
use millstream::prelude::*;

/// Counts the lines with "the" in them among those that come as blocks of bytes over several connections.
#[derive(Parser)]
struct Arguments {
    /// How many connections, each with a receiver of its own.
    num_streams: NonZeroUsize,
    /// The sender's host, e.g. localhost.
    host: String,
    /// The sender's port, e.g. 9999.
    #[arg(value_parser = millstream_examples::port)]
    port: u16,
    /// The time between two batches in milliseconds.
    batch_millis: NonZeroU64,
}

fn main() -> ExitCode {
    millstream_examples::run(raw_network_grep)
}

fn raw_network_grep(conf: Conf, arguments: Arguments) -> Result<()> {
    let conf = conf.set_if_missing("spark.app.name", "RawNetworkGrep");
    let context = StreamingContext::new(conf, Duration::from_millis(arguments.batch_millis.get()))?;

    let level = StorageLevel::MEMORY_ONLY_SER_2;
    let streams: Vec<DStream<String>> = (0..arguments.num_streams.get())
        .map(|_| context.raw_socket_stream_with(&arguments.host, arguments.port, level))
        .collect();
    context.union(streams).filter(|line| line.contains("the")).count().foreach_rdd(|rdd| {
        let count: u64 = rdd.collect()?.into_iter().sum();
        millstream_examples::tell(format!("Grep count: {count}"))
    });

    context.start()?.await_termination()
}
