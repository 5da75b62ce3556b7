//! Joins two streams by key, batch by batch: what came in the same batch is put together.
//!
//! Two servers, `millstream nc 9998` and `millstream nc 9999`; type `apple red` into the one and `apple 3` into the other.
//! Then: `millstream run-example streaming.StatelessJoin localhost 9998 9999`.

use std::process::ExitCode;

use clap::Parser;
use millstream::prelude::*;

/// Joins the lines of two servers by their first word.
#[derive(Parser)]
struct Arguments {
    /// The servers' host, e.g. localhost.
    host: String,
    /// The port of the first server.
    left: u16,
    /// The port of the second server.
    right: u16,
    /// How far both streams are looked back at.
    #[arg(long, default_value = "10s", value_parser = millstream::parse_duration)]
    window: Duration,
    /// The time between two batches; the window is a multiple of it.
    #[arg(long, default_value = "1s", value_parser = millstream::parse_duration)]
    interval: Duration,
}

fn main() -> ExitCode {
    millstream_examples::run(stateless_join)
}

fn stateless_join(conf: Conf, arguments: Arguments) -> Result<()> {
    let Arguments { host, left, right, window, interval } = arguments;
    let conf = conf.set_if_missing("spark.app.name", "StatelessJoin");
    let context = StreamingContext::new(conf, interval)?;

    let pairs = |port| context.socket_text_stream(&host, port).flat_map(|line| pair(&line));
    // What a person types into two terminals does not meet within a second, so the left side is a window.
    pairs(left).window(window, interval).join(&pairs(right)).print();

    context.start()?.await_termination()
}

/// The first word of a line and the rest; nothing of a line with fewer than two words.
fn pair(line: &str) -> Option<(String, String)> {
    let (key, value) = line.split_once(' ')?;
    Some((key.to_owned(), value.to_owned()))
}
