//! Sends the word counts of each batch to a second server, each partition over a connection that is kept for the next.
//!
//! `millstream nc 9999` to type words, `millstream nc 9998` to see what arrives, then
//! `millstream run-example streaming.ConnectionPerPartition localhost 9999 localhost:9998`.

use std::io::{BufWriter, Write};
use std::net::TcpStream;
use std::process::ExitCode;

use clap::Parser;
use millstream::prelude::*;

/// Sends the word counts of each batch to a second server, each partition over a connection that is kept for the next.
#[derive(Parser)]
struct Arguments {
    /// The host of the server with the text, e.g. localhost.
    host: String,
    /// Its port, e.g. 9999.
    #[arg(value_parser = millstream_examples::port)]
    port: u16,
    /// The server that is sent the counts, e.g. localhost:9998.
    #[arg(value_parser = millstream_examples::address)]
    sink: String,
    /// The time between two batches.
    #[arg(long, default_value = "1s", value_parser = millstream::parse_duration)]
    interval: Duration,
}

/// The connections of this process: made when they are first needed, used for many batches.
static SINKS: WorkerPool<String, TcpStream> =
    WorkerPool::new(|address| Ok(TcpStream::connect(address)?)).alive(is_open);

fn main() -> ExitCode {
    millstream_examples::run(connection_per_partition)
}

fn connection_per_partition(conf: Conf, arguments: Arguments) -> Result<()> {
    let Arguments { host, port, sink, interval } = arguments;
    let conf = conf.set_if_missing("spark.app.name", "ConnectionPerPartition");
    let context = StreamingContext::new(conf, interval)?;

    let words = context.socket_text_stream(&host, port).flat_map_into(|line, out| out.extend(words(line)));
    let counts = words.map(|word| (word, 1)).reduce_by_key(|a, b| a + b);
    counts.foreach_rdd(move |batch| {
        // A connection can not be sent to a task; where it leads to can.
        batch.foreach_partition_env(sink.clone(), |sink, counts| {
            let mut counts = counts.peekable();
            if counts.peek().is_none() {
                return Ok(());
            }
            SINKS.with(sink, |connection| {
                let mut connection = BufWriter::new(connection);
                counts.try_for_each(|(word, count)| writeln!(connection, "{word} {count}"))?;
                connection.flush()
            })
        })
    });

    context.start()?.await_termination()
}

/// Returns whether the other side has not closed the connection; it is expected to send nothing.
fn is_open(connection: &mut TcpStream) -> bool {
    let open = connection.set_nonblocking(true).is_ok() && !matches!(connection.peek(&mut [0]), Ok(0));
    open && connection.set_nonblocking(false).is_ok()
}
