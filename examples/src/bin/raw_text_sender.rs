//! Sends the lines of a file over and over, as blocks of bytes, to each program that connects.
//!
//! `millstream run-example streaming.util.RawTextSender 9999 LICENSE 1000` sends a thousand lines in a block.

use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::Parser;
use millstream::core::Error as CoreError;
use millstream::prelude::*;
use millstream::streaming::receiver::RawBlockWriter;

/// Sends the lines of a file over and over, as blocks of bytes, to each program that connects.
#[derive(Parser)]
struct Arguments {
    /// The port to listen on, e.g. 9999.
    #[arg(value_parser = millstream_examples::port)]
    port: u16,
    /// The file.
    file: std::path::PathBuf,
    /// How many lines make a block.
    block_lines: NonZeroUsize,
    /// The time between two blocks of a connection.
    #[arg(long, default_value = "10ms", value_parser = millstream::parse_duration)]
    pause: Duration,
}

fn main() -> ExitCode {
    millstream_examples::run(raw_text_sender)
}

fn raw_text_sender(_: Conf, arguments: Arguments) -> Result<()> {
    let Arguments { port, file, block_lines, pause } = arguments;
    let text = std::fs::read_to_string(&file)
        .map_err(|error| CoreError::io(format!("reading {}", file.display()), error))?;
    let lines: Vec<String> = text.lines().map(String::from).collect();
    if lines.is_empty() {
        return Err(CoreError::user(format!("{} is empty; name a file with text", file.display())).into());
    }
    let blocks: Vec<Vec<String>> = lines.chunks(block_lines.get()).map(<[String]>::to_vec).collect();
    let listening = |error| CoreError::io(format!("listening on port {port}"), error);
    let server = TcpListener::bind(("0.0.0.0", port)).map_err(listening)?;
    std::thread::scope(|scope| {
        loop {
            let client = server.accept().map_err(listening)?.0;
            let blocks = &blocks;
            scope.spawn(move || {
                let mut to = RawBlockWriter::new(client);
                for block in blocks.iter().cycle() {
                    if to.write(block.clone()).is_err() {
                        return; // the client is gone
                    }
                    std::thread::sleep(pause);
                }
            });
        }
    })
}
