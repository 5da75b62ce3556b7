//! Lines of text from a TCP server.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use millstream_core::StorageLevel;

use super::line_splitter::{Found, LineSplitter};
use super::text_lines::{BUFFER, Text, TextBuffers, TextLines};
use super::{ReceiverHandle, Server, SocketReceiver, StreamId};

/// After the first, one broken line out of so many is logged.
const LOG_EVERY: u64 = 10_000;

impl SocketReceiver<String> {
    /// Makes a receiver for a server, of lines of at most `max_line_bytes`.
    ///
    /// Lines end with `\n` or `\r\n`; bytes that are not UTF-8 become U+FFFD.
    pub(crate) fn lines(server: Server, max_line_bytes: usize, level: StorageLevel) -> Self {
        let lines = SocketLines {
            address: server.to_string(),
            max_line_bytes,
            level,
            buffers: Arc::default(),
            repaired: AtomicU64::new(0),
        };
        Self::reading(server, Arc::new(move |socket, handle| lines.read(socket, handle)), level)
    }
}

struct SocketLines {
    address: String,
    max_line_bytes: usize,
    level: StorageLevel,
    buffers: Arc<TextBuffers>,
    /// How many lines were not UTF-8, over all connections.
    repaired: AtomicU64,
}

impl SocketLines {
    /// Reads until the server ends the connection or the receiver is stopped.
    fn read(&self, mut socket: TcpStream, handle: &ReceiverHandle<String>) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        let mut splitter = LineSplitter::new(self.max_line_bytes);
        while !handle.is_stopped() {
            let read = match socket.read(&mut buffer) {
                // The beginning of a line that a stop cut off is not a line.
                Ok(0) if handle.is_stopped() => return Ok(()),
                Ok(0) => {
                    let mut text = self.buffers.text(splitter.waiting() + 1);
                    let found = splitter.finish(&mut text.text);
                    self.store(handle, text, found);
                    return Ok(());
                }
                Ok(read) => buffer.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let mut text = self.buffers.text(splitter.waiting() + read.len());
            let found = splitter.split(read, &mut text.text);
            self.store(handle, text, found);
        }
        Ok(())
    }

    fn store(&self, handle: &ReceiverHandle<String>, text: Text, found: Found) {
        if found.repaired > 0 {
            self.count_repaired(handle, found.repaired);
        }
        if found.skipped > 0 {
            let error = LineTooLong {
                stream: handle.stream_id(),
                address: self.address.clone(),
                lines: found.skipped,
                max_line_bytes: self.max_line_bytes,
            };
            handle.report_error("Lines were skipped", &error);
        }
        // Refused means stopped, which ends the loop.
        let _ = if found.lines == 0 {
            Ok(())
        } else if self.level.deserialized() {
            let lines: Vec<String> = text.text.split_terminator('\n').map(str::to_owned).collect();
            let bytes = text.text.len() + lines.len() * size_of::<String>();
            handle.store_each_with(lines, bytes)
        } else {
            handle.store_lines(TextLines::of(text, found.lines))
        };
    }

    fn count_repaired(&self, handle: &ReceiverHandle<String>, lines: u64) {
        let before = self.repaired.fetch_add(lines, Ordering::Relaxed);
        let now = before + lines;
        if before == 0 || now / LOG_EVERY > before / LOG_EVERY {
            tracing::warn!(
                "stream {}: {now} lines from {} were not UTF-8; U+FFFD stands for each broken character",
                handle.stream_id(),
                self.address
            );
        }
    }
}

/// Lines longer than the limit came and were skipped.
#[derive(Debug)]
struct LineTooLong {
    stream: StreamId,
    address: String,
    lines: u64,
    max_line_bytes: usize,
}

impl fmt::Display for LineTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "stream {}: {} {} from {} had more than {} bytes; raise `millstream.streaming.socket.maxLineBytes` if that \
             is no mistake of the sender",
            self.stream,
            self.lines,
            if self.lines == 1 { "line" } else { "lines" },
            self.address,
            self.max_line_bytes
        )
    }
}

impl Error for LineTooLong {}
