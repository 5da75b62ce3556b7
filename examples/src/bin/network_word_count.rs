//! Counts the words of the text that a server sends, each second.
//!
//! Start a server first, and type words into it: `millstream nc 9999`. Then, in a second terminal:
//! `millstream run-example streaming.NetworkWordCount localhost 9999`.

use std::process::ExitCode;

use clap::Parser;
use millstream::prelude::*;

/// Counts the words of the text that a server sends, each second.
#[derive(Parser)]
struct Arguments {
    /// The server's host, e.g. localhost.
    host: String,
    /// The server's port, e.g. 9999.
    #[arg(value_parser = millstream_examples::port)]
    port: u16,
    /// The time between two batches.
    #[arg(long, default_value = "1s", value_parser = millstream::parse_duration)]
    interval: Duration,
    /// How many words are printed of each batch.
    #[arg(long, default_value_t = 10)]
    records: usize,
}

fn main() -> ExitCode {
    millstream_examples::run(network_word_count)
}

fn network_word_count(conf: Conf, arguments: Arguments) -> Result<()> {
    let conf = conf.set_if_missing("spark.app.name", "NetworkWordCount");
    let context = StreamingContext::new(conf, arguments.interval)?;

    let lines = context.socket_text_stream(&arguments.host, arguments.port);
    let words = lines.flat_map_into(|line, out| out.extend(words(line)));
    let counts = words.map(|word| (word, 1)).reduce_by_key(|a, b| a + b);
    counts.print_with(arguments.records);

    context.start()?.await_termination()
}
