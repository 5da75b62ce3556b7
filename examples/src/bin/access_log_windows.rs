//! Counts, within a sliding window, the responses of a web server by their status, and their bytes.
//!
//! Send it the lines of an access log in Apache's common format: `millstream nc 9999`, then
//! `millstream run-example streaming.AccessLogWindows localhost 9999 30s 10s`.

use std::process::ExitCode;

use clap::Parser;
use millstream::prelude::*;

/// Counts, within a sliding window, the responses of a web server by their status, and their bytes.
#[derive(Parser)]
struct Arguments {
    /// The host that sends the access log, e.g. localhost.
    host: String,
    /// Its port, e.g. 9999.
    #[arg(value_parser = millstream_examples::port)]
    port: u16,
    /// How far the window reaches back.
    #[arg(default_value = "30s", value_parser = millstream::parse_duration)]
    window: Duration,
    /// How often the responses are counted.
    #[arg(default_value = "10s", value_parser = millstream::parse_duration)]
    slide: Duration,
    /// The time between two batches; window and slide are multiples of it.
    #[arg(long, default_value = "1s", value_parser = millstream::parse_duration)]
    interval: Duration,
}

fn main() -> ExitCode {
    millstream_examples::run(access_log_windows)
}

fn access_log_windows(conf: Conf, arguments: Arguments) -> Result<()> {
    let Arguments { host, port, window, slide, interval } = arguments;
    let conf = conf.set_if_missing("spark.app.name", "AccessLogWindows");
    let context = StreamingContext::new(conf, interval)?;

    let lines = context.socket_text_stream(&host, port);
    let responses = lines.flat_map(|line| response(&line));
    let by_status = responses.map(|(status, bytes)| (status, (1_u64, bytes)));
    by_status.reduce_by_key_and_window(|a, b| (a.0 + b.0, a.1 + b.1), window, slide).print();

    context.start()?.await_termination()
}

/// Status and bytes of `host - user [time] "GET /path HTTP/1.1" 200 2326`; nothing of a line that is none.
fn response(line: &str) -> Option<(u16, u64)> {
    let (_, request) = line.split_once("] \"")?;
    let (_, behind_request) = request.split_once("\" ")?;
    let mut fields = behind_request.split(' ');
    let status = fields.next()?.parse().ok()?;
    let bytes = match fields.next()? {
        "-" => 0, // a response without a body
        bytes => bytes.parse().ok()?,
    };
    Some((status, bytes))
}
