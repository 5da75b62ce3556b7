//! Prints the words of each batch by their counts, the most frequent first: each batch is sorted inside of `foreach_rdd`.
//!
//! `millstream nc 9999`, then `millstream run-example streaming.SortInForeachRdd localhost 9999`.

use std::process::ExitCode;

use clap::Parser;
use millstream::prelude::*;

/// Prints the words of each batch by their counts, the most frequent first.
#[derive(Parser)]
struct Arguments {
    /// The server's host, e.g. localhost.
    host: String,
    /// The server's port, e.g. 9999.
    #[arg(value_parser = millstream_examples::port)]
    port: u16,
    /// How many words are printed of a batch.
    #[arg(long, default_value = "10")]
    top: usize,
    /// The time between two batches.
    #[arg(long, default_value = "1s", value_parser = millstream::parse_duration)]
    interval: Duration,
}

fn main() -> ExitCode {
    millstream_examples::run(sort_in_foreach_rdd)
}

fn sort_in_foreach_rdd(conf: Conf, arguments: Arguments) -> Result<()> {
    let Arguments { host, port, top, interval } = arguments;
    let conf = conf.set_if_missing("spark.app.name", "SortInForeachRdd");
    let context = StreamingContext::new(conf, interval)?;

    let words = context.socket_text_stream(&host, port).flat_map_into(|line, out| out.extend(words(line)));
    let counts = words.map(|word| (word, 1_u64)).reduce_by_key(|a, b| a + b);
    counts.foreach_rdd_with(move |batch, time| {
        // By count and, where that is the same, by word: whatever the order in which the words came, it is one and the same.
        let by_count =
            batch.map(|(word, count)| (std::cmp::Reverse(count), word)).sort_by(|pair| pair.clone());
        let shown = by_count.take(top)?.into_iter().map(|(count, word)| format!(" {word}={}", count.0));
        millstream_examples::tell(format!("{time}:{}", shown.collect::<String>()))
    });

    context.start()?.await_termination()
}
