//! Counts the words of the text that a server sends, from the start on: each word is printed with its count so far.
//!
//! Start a server first, and type words into it: `millstream nc 9999`. Then, in a second terminal:
//! `millstream run-example streaming.StatefulNetworkWordCount localhost 9999`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use millstream::prelude::*;

/// Counts the words of the text that a server sends, from the start on.
#[derive(Parser)]
struct Arguments {
    /// The server's host, e.g. localhost.
    host: String,
    /// The server's port, e.g. 9999.
    #[arg(value_parser = millstream_examples::port)]
    port: u16,
    /// Where checkpoints are written.
    #[arg(long, default_value = ".")]
    checkpoint_directory: PathBuf,
    /// The time between two batches.
    #[arg(long, default_value = "1s", value_parser = millstream::parse_duration)]
    interval: Duration,
}

fn main() -> ExitCode {
    millstream_examples::run(stateful_network_word_count)
}

fn stateful_network_word_count(conf: Conf, arguments: Arguments) -> Result<()> {
    let conf = conf.set_if_missing("spark.app.name", "StatefulNetworkWordCount");
    let streaming = StreamingContext::new(conf, arguments.interval)?;
    streaming.checkpoint(arguments.checkpoint_directory);

    // Counted before the first word came.
    let before =
        streaming.context().parallelize([("hello", 1), ("world", 1)].map(|(word, n)| (word.into(), n)), 1);
    let lines = streaming.socket_text_stream(&arguments.host, arguments.port);
    let words = lines.flat_map_into(|line, out| out.extend(words(line)));

    let count = StateSpec::function(|word: &Text, one: Option<u64>, state| {
        let sum = one.unwrap_or(0) + state.get_option().copied().unwrap_or(0);
        state.update(sum);
        (word.clone(), sum)
    });
    words.map(|word| (word, 1)).map_with_state(count.initial_state(before)).print();

    streaming.start()?.await_termination()
}
