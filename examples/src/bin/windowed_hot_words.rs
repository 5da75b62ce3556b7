//! Names the three words that a server has sent most often within a sliding window.
//!
//! Start a server first, and type words into it: `millstream nc 9999`. Then, in a second terminal:
//! `millstream run-example streaming.WindowedHotWords localhost 9999 20s 2s`.

use std::cmp::Reverse;
use std::process::ExitCode;

use clap::Parser;
use millstream::prelude::*;

/// Names the three words that a server has sent most often within a sliding window.
#[derive(Parser)]
struct Arguments {
    /// The server's host, e.g. localhost.
    host: String,
    /// The server's port, e.g. 9999.
    #[arg(value_parser = millstream_examples::port)]
    port: u16,
    /// How far the window reaches back.
    #[arg(default_value = "60s", value_parser = millstream::parse_duration)]
    window: Duration,
    /// How often the words are named.
    #[arg(default_value = "10s", value_parser = millstream::parse_duration)]
    slide: Duration,
    /// The time between two batches; window and slide are multiples of it.
    #[arg(long, default_value = "1s", value_parser = millstream::parse_duration)]
    interval: Duration,
}

/// How many words are named.
const TOP: usize = 3;

fn main() -> ExitCode {
    millstream_examples::run(windowed_hot_words)
}

fn windowed_hot_words(conf: Conf, arguments: Arguments) -> Result<()> {
    let Arguments { host, port, window, slide, interval } = arguments;
    let conf = conf.set_if_missing("spark.app.name", "WindowedHotWords");
    let context = StreamingContext::new(conf, interval)?;

    let lines = context.socket_text_stream(&host, port);
    let words = lines.flat_map_into(|line, out| out.extend(words(line)));
    // What leaves the window is taken out again, so that a slide does not count the whole window anew.
    let counts = words
        .map(|word| (word, 1))
        .reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, window, slide)
        .filter(|(_, count)| *count > 0);
    // Each partition names its hottest words, and of these few the hottest are chosen.
    let hottest_words = counts
        .map_partitions(|counts| [((), hottest(counts.collect()))])
        .reduce_by_key(|a, b| hottest([a, b].concat()))
        .flat_map(|((), hottest)| hottest);
    hottest_words.print();

    context.start()?.await_termination()
}

/// The words with the highest counts, the highest first; the alphabet decides between equals.
fn hottest(mut counts: Vec<(Text, i64)>) -> Vec<(Text, i64)> {
    counts.sort_by(|(a, of_a), (b, of_b)| (Reverse(of_a), a).cmp(&(Reverse(of_b), b)));
    counts.truncate(TOP);
    counts
}
