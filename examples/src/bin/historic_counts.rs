//! Puts the count of each word of a batch beside its count in a file of old counts.
//!
//! The file has a word and its count in each line. `millstream nc 9999`, then
//! `millstream run-example streaming.HistoricCounts localhost 9999 counts.txt`.

use std::process::ExitCode;

use clap::Parser;
use millstream::prelude::*;

/// Puts the count of each word of a batch beside its count in a file of old counts.
#[derive(Parser)]
struct Arguments {
    /// The server's host, e.g. localhost.
    host: String,
    /// The server's port, e.g. 9999.
    #[arg(value_parser = millstream_examples::port)]
    port: u16,
    /// The old counts: a file, a directory or a pattern; a word and its count in each line.
    history: String,
    /// The time between two batches.
    #[arg(long, default_value = "1s", value_parser = millstream::parse_duration)]
    interval: Duration,
}

fn main() -> ExitCode {
    millstream_examples::run(historic_counts)
}

fn historic_counts(conf: Conf, arguments: Arguments) -> Result<()> {
    let Arguments { host, port, history, interval } = arguments;
    let conf = conf.set_if_missing("spark.app.name", "HistoricCounts");
    let context = StreamingContext::new(conf, interval)?;

    // Read once, with the first batch, and kept.
    let history = context.context().text_file(history).flat_map(|line| count(&line)).cache();

    let words = context.socket_text_stream(&host, port).flat_map_into(|line, out| out.extend(words(line)));
    let counts = words.map(|word| (word, 1)).reduce_by_key(|a, b| a + b);
    counts.left_outer_join(&history).print();

    context.start()?.await_termination()
}

fn count(line: &str) -> Option<(Text, u64)> {
    let (word, count) = line.split_once(' ')?;
    Some((Text::from(word), count.trim().parse().ok()?))
}
