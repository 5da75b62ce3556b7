//! Joins the lines of two servers by their first word, in each way there is: batch by batch, or window by window.
//!
//! Two servers, `millstream nc 9998` and `millstream nc 9999`; type `apple red` into the one and `apple 3` into the other.
//! Without windows only what comes in the same batch meets, which is hard to type, so:
//! `millstream run-example streaming.StatelessJoin localhost 9998 9999 --left-window 20s --right-window 1min`, and once more with
//! `--join full-outer`.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use millstream::prelude::*;

/// Joins the lines of two servers by their first word.
#[derive(Parser)]
struct Arguments {
    /// The servers' host, e.g. localhost.
    host: String,
    /// The port of the first server.
    #[arg(value_parser = millstream_examples::port)]
    left: u16,
    /// The port of the second server.
    #[arg(value_parser = millstream_examples::port)]
    right: u16,
    /// Whose words are printed: those on both sides, also those on one side only, or all with all that came of them.
    #[arg(long, value_enum, default_value_t = Join::Inner)]
    join: Join,
    /// How far the first stream is looked back at, instead of one batch.
    #[arg(long, value_parser = millstream::parse_duration)]
    left_window: Option<Duration>,
    /// How far the second stream is looked back at, instead of one batch.
    #[arg(long, value_parser = millstream::parse_duration)]
    right_window: Option<Duration>,
    /// The time between two batches; windows are multiples of it.
    #[arg(long, default_value = "1s", value_parser = millstream::parse_duration)]
    interval: Duration,
}

#[derive(Clone, Copy, ValueEnum)]
enum Join {
    Inner,
    LeftOuter,
    RightOuter,
    FullOuter,
    Cogroup,
}

fn main() -> ExitCode {
    millstream_examples::run(stateless_join)
}

fn stateless_join(conf: Conf, arguments: Arguments) -> Result<()> {
    let Arguments { host, left, right, join, left_window, right_window, interval } = arguments;
    let conf = conf.set_if_missing("spark.app.name", "StatelessJoin");
    let context = StreamingContext::new(conf, interval)?;

    let pairs = |port, window: Option<Duration>| {
        let pairs = context.socket_text_stream(&host, port).flat_map(|line| pair(&line));
        match window {
            Some(length) => pairs.window(length, None),
            None => pairs,
        }
    };
    let (left, right) = (pairs(left, left_window), pairs(right, right_window));
    match join {
        Join::Inner => {
            left.join(&right).print();
        }
        Join::LeftOuter => {
            left.left_outer_join(&right).print();
        }
        Join::RightOuter => {
            left.right_outer_join(&right).print();
        }
        Join::FullOuter => {
            left.full_outer_join(&right).print();
        }
        Join::Cogroup => {
            left.cogroup(&right).print();
        }
    }

    context.start()?.await_termination()
}

/// The first word of a line and the rest; nothing of a line with fewer than two words.
fn pair(line: &str) -> Option<(String, String)> {
    let (key, value) = line.split_once(' ')?;
    Some((key.to_owned(), value.to_owned()))
}
