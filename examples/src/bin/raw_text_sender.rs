//! Sends the lines of a file over and over, as blocks of bytes, to each program that connects.
//!
//! `millstream run-example streaming.util.RawTextSender 9999 LICENSE 50000 5000000` sends blocks of about 50 kB of text, a
//! hundred of them in a second.

use std::net::TcpListener;
use std::num::{NonZeroU32, NonZeroUsize};
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
    /// How many bytes of text make a block; the line with the last of them is sent whole.
    block_size: NonZeroUsize,
    /// How many bytes of text each connection is sent in a second, at most.
    bytes_per_second: NonZeroU32,
}

fn main() -> ExitCode {
    millstream_examples::run(raw_text_sender)
}

fn raw_text_sender(_: Conf, arguments: Arguments) -> Result<()> {
    let Arguments { port, file, block_size, bytes_per_second } = arguments;
    let text = std::fs::read_to_string(&file)
        .map_err(|error| CoreError::io(format!("reading {}", file.display()), error))?;
    let lines: Vec<String> = text.lines().map(String::from).collect();
    if lines.is_empty() {
        return Err(CoreError::user(format!("{} is empty; name a file with text", file.display())).into());
    }
    let listening = |error| CoreError::io(format!("listening on port {port}"), error);
    let server = TcpListener::bind(("0.0.0.0", port)).map_err(listening)?;
    std::thread::scope(|scope| {
        loop {
            let client = server.accept().map_err(listening)?.0;
            let lines = &lines;
            scope.spawn(move || {
                let mut to = RawBlockWriter::new(client);
                let mut block = Vec::new();
                let mut bytes = 0;
                for line in lines.iter().cycle() {
                    block.push(line.clone());
                    // With its end, so that also blocks of empty lines are full at last.
                    bytes += line.len() + 1;
                    if bytes >= block_size.get() {
                        if to.write(std::mem::take(&mut block)).is_err() {
                            return; // the client is gone
                        }
                        let seconds = std::mem::take(&mut bytes) as f64 / f64::from(bytes_per_second.get());
                        std::thread::sleep(Duration::from_secs_f64(seconds));
                    }
                }
            });
        }
    })
}
