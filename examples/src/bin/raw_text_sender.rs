//! Sends the lines of a file over and over, as blocks of bytes, to each program that connects.
//!
//! `millstream run-example streaming.util.RawTextSender 9999 LICENSE 1000` sends a thousand lines in a block.

use std::net::TcpListener;
use std::process::ExitCode;

use clap::Parser;
use millstream::prelude::*;
use millstream::streaming::receiver::RawBlockWriter;

/// Sends the lines of a file over and over, as blocks of bytes, to each program that connects.
#[derive(Parser)]
struct Arguments {
    /// The port to listen on, e.g. 9999.
    port: u16,
    /// The file.
    file: std::path::PathBuf,
    /// How many lines make a block.
    block_lines: usize,
    /// The time between two blocks of a connection.
    #[arg(long, default_value = "10ms", value_parser = millstream::parse_duration)]
    pause: Duration,
}

fn main() -> ExitCode {
    millstream_examples::run(raw_text_sender)
}

fn raw_text_sender(_: Conf, arguments: Arguments) -> Result<()> {
    let lines: Vec<String> = std::fs::read_to_string(&arguments.file)
        .map_err(millstream::core::Error::user)?
        .lines()
        .map(String::from)
        .collect();
    let blocks: Vec<Vec<String>> =
        lines.chunks(arguments.block_lines.max(1)).map(<[String]>::to_vec).collect();
    let server = TcpListener::bind(("0.0.0.0", arguments.port)).map_err(millstream::core::Error::user)?;
    std::thread::scope(|scope| {
        loop {
            let client = server.accept().map_err(millstream::core::Error::user)?.0;
            let (blocks, pause) = (&blocks, arguments.pause);
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
