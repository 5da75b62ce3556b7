//! Counts the words of the text that a server sends, which a receiver of the program's own brings in.
//!
//! Start a server first, and type words into it: `millstream nc 9999`. Then, in a second terminal:
//! `millstream run-example streaming.CustomReceiver localhost 9999`.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::{Shutdown, TcpStream};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::Parser;
use millstream::prelude::*;
use millstream::streaming::{Receiver, ReceiverHandle};

/// Counts the words of the text that a server sends, which a receiver of the program's own brings in.
#[derive(Parser)]
struct Arguments {
    /// The server's host, e.g. localhost.
    host: String,
    /// The server's port, e.g. 9999.
    #[arg(value_parser = millstream_examples::port)]
    port: u16,
    /// The time between two batches.
    #[arg(long, default_value = "1s", value_parser = millstream::parse_duration)]
    interval: Duration,
}

struct Lines {
    server: (String, u16),
    connection: Mutex<Option<TcpStream>>,
}

impl Receiver<String> for Lines {
    fn on_start(&self, handle: &ReceiverHandle<String>) -> Result<(), Box<dyn Error + Send + Sync>> {
        let socket = TcpStream::connect((self.server.0.as_str(), self.server.1))?;
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(socket.try_clone()?);
        for line in BufReader::new(socket).lines() {
            handle.store(line?)?;
        }
        handle.restart("the server has closed the connection");
        Ok(())
    }

    fn on_stop(&self) {
        // The thread of `on_start` waits for a line: this ends the wait.
        if let Some(socket) = self.connection.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

fn main() -> ExitCode {
    millstream_examples::run(custom_receiver)
}

fn custom_receiver(conf: Conf, arguments: Arguments) -> Result<()> {
    let conf = conf.set_if_missing("spark.app.name", "CustomReceiver");
    let context = StreamingContext::new(conf, arguments.interval)?;

    let lines = Lines { server: (arguments.host, arguments.port), connection: Mutex::new(None) };
    let words = context.receiver_stream(lines).flat_map_into(|line, out| out.extend(words(line)));
    words.map(|word| (word, 1)).reduce_by_key(|a, b| a + b).print();

    context.start()?.await_termination()
}
