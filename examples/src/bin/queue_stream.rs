//! Counts numbers by their last digit, in a stream of RDDs that the program pushes into a queue itself.
//!
//! `millstream run-example streaming.QueueStream`; it ends when its 30 RDDs are counted.

use std::process::ExitCode;
use std::thread;

use clap::Parser;
use millstream::prelude::*;

/// Counts numbers by their last digit: 30 RDDs of 1000 numbers, one per batch.
#[derive(Parser)]
struct Arguments {
    /// The time between two batches.
    #[arg(long, default_value = "1s", value_parser = millstream::parse_duration)]
    interval: Duration,
}

fn main() -> ExitCode {
    millstream_examples::run(queue_stream)
}

fn queue_stream(conf: Conf, arguments: Arguments) -> Result<()> {
    let conf = conf.set_if_missing("spark.app.name", "QueueStream");
    let streaming = StreamingContext::new(conf, arguments.interval)?;

    let queue = RddQueue::new();
    let numbers = streaming.queue_stream(&queue);
    let counts = numbers.map(|number| (number % 10, 1)).reduce_by_key(|a, b| a + b);
    counts.print();

    let running = streaming.start()?;
    for _ in 0..30 {
        queue.push(running.context().parallelize(1..=1000, 10));
        thread::sleep(arguments.interval);
    }
    // A busy machine may be a batch or two behind.
    while !queue.is_empty() {
        thread::sleep(arguments.interval);
    }
    running.stop(true, true)
}
