//! Counts the words a server sends, but for those on a list that every task is sent once, and counts how many it has dropped.
//!
//! `millstream nc 9999`, then `millstream run-example streaming.WordBlacklist localhost 9999`; the list is a, b and c unless
//! it is given.

use std::process::ExitCode;

use clap::Parser;
use millstream::core::LongAccumulator;
use millstream::prelude::*;

/// Counts words, but for those on a list, and how many it has dropped.
#[derive(Parser)]
struct Arguments {
    /// The server's host, e.g. localhost.
    host: String,
    /// The server's port, e.g. 9999.
    #[arg(value_parser = millstream_examples::port)]
    port: u16,
    /// The words to drop.
    #[arg(default_values = ["a", "b", "c"])]
    words: Vec<String>,
    /// The time between two batches.
    #[arg(long, default_value = "1s", value_parser = millstream::parse_duration)]
    interval: Duration,
}

fn main() -> ExitCode {
    millstream_examples::run(word_blacklist)
}

fn word_blacklist(conf: Conf, arguments: Arguments) -> Result<()> {
    let conf = conf.set_if_missing("spark.app.name", "WordBlacklist");
    let context = StreamingContext::new(conf, arguments.interval)?;
    let blacklist = context.context().broadcast(arguments.words);
    let dropped: LongAccumulator = context.context().long_accumulator("dropped words");

    let lines = context.socket_text_stream(&arguments.host, arguments.port);
    let words = lines.flat_map_into(|line, out| out.extend(words(line)));
    let counts = words.map(|word| (word.to_string(), 1_i64)).reduce_by_key(|a, b| a + b);
    counts.foreach_rdd_with(move |batch, time| {
        let kept =
            batch.filter_env((blacklist.clone(), dropped.clone()), |(blacklist, dropped), (word, count)| {
                let keep = !blacklist.contains(word);
                if !keep {
                    dropped.add(*count);
                }
                keep
            });
        let counts: String = kept.collect()?.iter().map(|(word, count)| format!(" {word}={count}")).collect();
        millstream_examples::tell(format!("{time}:{counts}; {} dropped so far", dropped.value()))
    });

    context.start()?.await_termination()
}
