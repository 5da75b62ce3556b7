//! `millstream demo wordcount`: the words of a stream, counted, with nothing else to install.
//!
//! | module | what is in it |
//! |---|---|
//! | here | the stream, and how it ends |
//! | `generator` | the server whose text is counted |
//! | `english` | what it says |
//! | `screen` | batches on stdout, the status line on stderr |

mod english;
mod generator;
mod screen;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use millstream::listener::{BatchInfo, StreamingListener};
use millstream::prelude::*;
use millstream::settings;

use self::screen::{RECORDS, Screen};
use super::signals;
use crate::stderr;

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Arguments {
    /// Ends after so many batches; without it Ctrl-C ends the demo.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    batches: Option<u64>,
    /// The time between two batches, e.g. 200ms; one second unless given.
    #[arg(long, value_name = "DURATION", value_parser = millstream::parse_duration)]
    interval: Option<Duration>,
    /// Reads from a server of your own on this port, e.g. `millstream nc PORT`, instead of the built-in generator.
    #[arg(long, value_name = "PORT", conflicts_with = "rate", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// How many lines the generator sends per second; 20000 unless given.
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    rate: Option<u64>,
    /// Where it runs: local, local[n], local[*]; all cores unless given.
    #[arg(long, value_name = "URL")]
    master: Option<String>,
    /// Any setting; may be repeated. `millstream settings` lists them.
    #[arg(long, short, value_name = "KEY=VALUE")]
    conf: Vec<String>,
    /// A file of settings, read instead of spark-defaults.conf.
    #[arg(long, value_name = "FILE")]
    properties_file: Option<String>,
}

/// Lines per second.
const RATE: u64 = 20_000;

impl Arguments {
    fn conf(&self) -> Result<Conf> {
        let named = [("--master", &self.master), ("--properties-file", &self.properties_file)];
        let named = named.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)));
        let (conf, _) = Conf::from_args(named.chain(self.conf.iter().map(|pair| format!("--conf={pair}"))))?;
        Ok(conf.set_if_missing(settings::APP_NAME.key(), "demo wordcount"))
    }
}

/// Runs until the batches are done or a signal comes; the first signal ends the stream gracefully, the second at once.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    millstream::log_to_stderr();
    let interval = arguments.interval.unwrap_or(Duration::from_secs(1));
    let context = StreamingContext::new(arguments.conf()?, interval)?;

    let port = match arguments.port {
        Some(port) => {
            stderr::line(format_args!(
                "counting the words that come from localhost:{port} (`millstream nc {port}` is a server)"
            ));
            port
        }
        None => generator::start(arguments.rate.unwrap_or(RATE)).map_err(|error| {
            millstream::core::Error::io("starting the generator's server on 127.0.0.1", error)
        })?,
    };
    let lines = context.socket_text_stream("localhost", port);
    let words = lines.flat_map_into(|line, out| out.extend(words(line)));
    let counts = words.map(|word| (word, 1_u64)).reduce_by_key(|a, b| a + b);

    let screen = Arc::new(Screen::new());
    let on_screen = Arc::clone(&screen);
    let batches = arguments.batches.unwrap_or(u64::MAX);
    let printed = AtomicU64::new(0);
    let (end, ended) = channel();
    let unread = end.clone();
    // `print` would go on with the batches that are made while the stream is being stopped, and for no reader.
    counts.foreach_rdd_with(move |rdd, time| {
        if printed.fetch_add(1, Ordering::Relaxed) < batches
            && !on_screen.print(time, &rdd.take(RECORDS + 1)?)?
        {
            // Refused means that it is ending already.
            let _ = unread.send(End::AtOnce);
        }
        Ok::<_, millstream::core::Error>(())
    });

    let status =
        Status { screen: Arc::clone(&screen), interval, batches, seen: AtomicU64::new(0), end: end.clone() };
    context.add_streaming_listener(Arc::new(status))?;
    let on_screen = Arc::clone(&screen);
    signals::first_to(move || {
        on_screen.leave();
        stderr::line(format_args!("finishing what was received; the next signal ends the demo at once"));
        // Refused means that it is ending already.
        let _ = end.send(End::Gracefully);
    });

    let running = context.start()?;
    let handle = running.stop_handle();
    thread::spawn(move || {
        let Ok(end) = ended.recv() else { return };
        if let Err(error) = handle.stop(true, matches!(end, End::Gracefully)) {
            tracing::error!("the demo can not be stopped: {error}");
        }
    });
    let outcome = running.await_termination();
    screen.leave();
    outcome
}

/// How the stream is to end.
enum End {
    Gracefully,
    AtOnce,
}

/// Shows how each batch went, and ends the demo after the last.
struct Status {
    screen: Arc<Screen>,
    interval: Duration,
    batches: u64,
    seen: AtomicU64,
    end: Sender<End>,
}

impl StreamingListener for Status {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        let seen = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        if seen <= self.batches {
            self.screen.status(batch, self.interval);
        }
        if seen == self.batches {
            // Refused means that it is ending already.
            let _ = self.end.send(End::AtOnce);
        }
    }
}
