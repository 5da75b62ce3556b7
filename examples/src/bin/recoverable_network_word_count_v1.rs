//! Counts the words of a server from the start on, in its first version, of which `recoverable_network_word_count_v2` is the next.
//!
//! `millstream nc 9999` to type words, then
//! `millstream run-example streaming.RecoverableNetworkWordCountV1 localhost 9999 /tmp/checkpoint`. End it, and start the second
//! version on the same directory: it knows the words that the first has counted.
//!
//! `recoverable_network_word_count` is Spark's example: it counts each batch for itself and has no state, so that its checkpoint
//! says how far it has come and nothing of words. The two versions hold a count of each word, which is what an upgrade must keep.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use millstream::prelude::*;
use serde::{Deserialize, Serialize};

/// Counts the words of a server from the start on.
#[derive(Parser)]
struct Arguments {
    /// The server's host, e.g. localhost.
    host: String,
    /// The server's port, e.g. 9999.
    #[arg(value_parser = millstream_examples::port)]
    port: u16,
    /// Where checkpoints are written, and found after a restart.
    checkpoint_directory: PathBuf,
    /// The time between two batches.
    #[arg(long, default_value = "1s", value_parser = millstream::parse_duration)]
    interval: Duration,
}

/// What is known of a word.
#[derive(Clone, Serialize, Deserialize)]
struct Total {
    count: u64,
}

fn main() -> ExitCode {
    millstream_examples::run(recoverable_network_word_count)
}

fn recoverable_network_word_count(conf: Conf, arguments: Arguments) -> Result<()> {
    let directory = arguments.checkpoint_directory.clone();
    StreamingContext::get_or_create(directory, || describe(conf, arguments))?.start()?.await_termination()
}

fn describe(conf: Conf, arguments: Arguments) -> Result<StreamingContext> {
    let conf = conf.set_if_missing("spark.app.name", "RecoverableNetworkWordCount");
    let streaming = StreamingContext::new(conf, arguments.interval)?;

    let lines = streaming.socket_text_stream(&arguments.host, arguments.port);
    let words = lines.flat_map_into(|line, out| out.extend(words(line)));
    let totals = words.map(|word| (word, 1)).update_state_by_key(|ones: Vec<u64>, total: Option<Total>| {
        let before = total.map_or(0, |total| total.count);
        Some(Total { count: before + ones.iter().sum::<u64>() })
    });
    // Saved after each batch. The name outlives whatever the next version puts in front of it.
    let totals = totals.uid("totals").checkpoint(arguments.interval);
    totals.map_values(|total| total.count).print();
    Ok(streaming)
}
