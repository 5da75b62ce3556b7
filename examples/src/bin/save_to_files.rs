//! Saves the word counts of each batch as text: a directory `PREFIX-TIME.SUFFIX` per batch.
//!
//! `millstream nc 9999`, then `millstream run-example streaming.SaveToFiles localhost 9999 counts/words txt`.

use std::process::ExitCode;

use clap::Parser;
use millstream::prelude::*;

/// Saves the word counts of each batch as text: a directory `PREFIX-TIME.SUFFIX` per batch.
#[derive(Parser)]
struct Arguments {
    /// The server's host, e.g. localhost.
    host: String,
    /// The server's port, e.g. 9999.
    #[arg(value_parser = millstream_examples::port)]
    port: u16,
    /// How the directories begin, e.g. counts/words.
    prefix: String,
    /// How they end, e.g. txt.
    suffix: String,
    /// The time between two batches.
    #[arg(long, default_value = "1s", value_parser = millstream::parse_duration)]
    interval: Duration,
}

fn main() -> ExitCode {
    millstream_examples::run(save_to_files)
}

fn save_to_files(conf: Conf, arguments: Arguments) -> Result<()> {
    let Arguments { host, port, prefix, suffix, interval } = arguments;
    let conf = conf.set_if_missing("spark.app.name", "SaveToFiles");
    let context = StreamingContext::new(conf, interval)?;

    let words = context.socket_text_stream(&host, port).flat_map_into(|line, out| out.extend(words(line)));
    let counts = words.map(|word| (word, 1)).reduce_by_key(|a, b| a + b);
    counts.save_as_text_files(prefix, suffix);

    context.start()?.await_termination()
}
