//! Counts the words of a server from the start on, in its second version: goes on from the checkpoint of
//! `recoverable_network_word_count_v1`, and from its own.
//!
//! Words are counted whatever their case, by an operator that the first version has not, and of each word the batch is known in
//! which it came last, by a field that its state has not: `migrate_state` says what becomes of the old ones.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use millstream::prelude::*;
use serde::{Deserialize, Serialize};

/// Counts the words of a server from the start on, whatever their case, and says when each came last.
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

/// What the first version knew of a word.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename = "Total")]
struct TotalV1 {
    count: u64,
}

/// What is known of a word.
#[derive(Clone, Serialize, Deserialize)]
struct Total {
    count: u64,
    /// The time of the batch in which it came last, in milliseconds; nothing if only the first version has seen it.
    last_seen: Option<i64>,
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
    streaming.migrate_state::<TotalV1, Total>(|old| Total { count: old.count, last_seen: None });

    let lines = streaming.socket_text_stream(&arguments.host, arguments.port);
    let words = lines.flat_map_into(|line, out| out.extend(words(&line.to_lowercase())));
    let seen = words.transform_timed(|words, time| {
        words.map_env(time.as_millis(), |time, word| (word, (1, Some(*time))))
    });
    let totals = seen.update_state_by_key(|seen: Vec<(u64, Option<i64>)>, total: Option<Total>| {
        let before = total.unwrap_or(Total { count: 0, last_seen: None });
        let count = before.count + seen.iter().map(|(one, _)| one).sum::<u64>();
        Some(Total { count, last_seen: seen.last().map_or(before.last_seen, |(_, time)| *time) })
    });
    let totals = totals.uid("totals").checkpoint(arguments.interval);
    totals.map_values(|total| (total.count, total.last_seen)).print();
    Ok(streaming)
}
