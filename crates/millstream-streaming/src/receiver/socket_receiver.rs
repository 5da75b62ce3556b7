//! Receives lines of text from a TCP server.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::line_splitter::{LineSplitter, Lines};
use super::{Receiver, ReceiverHandle, StreamId};

#[cfg(test)]
mod tests;

/// Receives lines of text from a TCP server, as `socket_text_stream` does.
///
/// Lines end with `\n` or `\r\n`; bytes that are not UTF-8 become U+FFFD. When the server ends the connection, or there
/// is none, the receiver is restarted after the delay.
#[derive(Debug)]
pub(crate) struct SocketReceiver {
    host: String,
    port: u16,
    max_line_bytes: usize,
    /// How many lines were not UTF-8, over all connections.
    repaired: Arc<AtomicU64>,
    current: Mutex<Option<Connection>>,
}

/// How many bytes are read at once.
const BUFFER: usize = 256 * 1024;

/// How long an address of the server may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// After the first, one broken line out of so many is logged.
const LOG_EVERY: u64 = 10_000;

impl SocketReceiver {
    /// Makes a receiver for the server at `host:port`, of lines of at most `max_line_bytes`.
    pub(crate) fn new(host: impl Into<String>, port: u16, max_line_bytes: usize) -> Self {
        SocketReceiver {
            host: host.into(),
            port,
            max_line_bytes,
            repaired: Arc::default(),
            current: Mutex::new(None),
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<Connection>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receiver<String> for SocketReceiver {
    fn on_start(&self, handle: &ReceiverHandle<String>) -> Result<(), Box<dyn Error + Send + Sync>> {
        let phase = Arc::new(Mutex::new(Phase::Connecting));
        let reader = Reader {
            host: self.host.clone(),
            port: self.port,
            max_line_bytes: self.max_line_bytes,
            repaired: Arc::clone(&self.repaired),
            handle: handle.clone(),
            phase: Arc::clone(&phase),
        };
        // Held while the thread starts: a stop waits for the lock, and then finds what it is to end.
        let mut current = self.current();
        let thread = thread::Builder::new()
            .name(format!("socket-receiver-{}", handle.stream_id()))
            .spawn(move || reader.run())?;
        *current = Some(Connection { phase, thread });
        Ok(())
    }

    fn on_stop(&self) {
        let connection = self.current().take();
        if let Some(connection) = connection {
            connection.end();
        }
    }
}

/// A connection, and the thread that makes and reads it.
#[derive(Debug)]
struct Connection {
    phase: Arc<Mutex<Phase>>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
enum Phase {
    Connecting,
    /// A second handle of the socket that is being read.
    Reading(TcpStream),
    Ended,
}

impl Connection {
    fn end(self) {
        let phase = std::mem::replace(&mut *lock(&self.phase), Phase::Ended);
        match phase {
            // Nothing ends a connect early. The thread is left alone: it ends by itself, and nothing can come from it.
            Phase::Connecting => {}
            Phase::Reading(socket) => {
                // An error means that the connection is gone already.
                let _ = socket.shutdown(Shutdown::Both);
                if self.thread.join().is_err() {
                    tracing::error!("the thread of a socket receiver panicked");
                }
            }
            Phase::Ended => {}
        }
    }
}

fn lock(phase: &Mutex<Phase>) -> MutexGuard<'_, Phase> {
    phase.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What runs on the receiver's thread.
struct Reader {
    host: String,
    port: u16,
    max_line_bytes: usize,
    repaired: Arc<AtomicU64>,
    handle: ReceiverHandle<String>,
    phase: Arc<Mutex<Phase>>,
}

impl Reader {
    fn run(self) {
        let mut socket = match self.connect() {
            Ok(Some(socket)) => socket,
            Ok(None) => return,
            Err(error) => {
                let message = format!("Error connecting to {}", self.address());
                return self.handle.restart_with(&message, Some(&error), None);
            }
        };
        tracing::info!("stream {}: connected to {}", self.handle.stream_id(), self.address());
        match self.read(&mut socket) {
            Ok(()) => self.handle.restart(&format!("{} ended the connection", self.address())),
            // A stop shuts the socket down; what that looks like from here is no error, and neither restarts.
            Err(error) => {
                let message = format!("Error receiving data from {}", self.address());
                self.handle.restart_with(&message, Some(&error), None);
            }
        }
    }

    /// Connects to the first address of the host that answers; `None` if the receiver was stopped meanwhile.
    fn connect(&self) -> io::Result<Option<TcpStream>> {
        let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            if self.handle.is_stopped() {
                return Ok(None);
            }
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(socket) => {
                    let other = socket.try_clone()?;
                    let mut phase = lock(&self.phase);
                    if matches!(*phase, Phase::Ended) {
                        return Ok(None);
                    }
                    *phase = Phase::Reading(other);
                    return Ok(Some(socket));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Reads until the server ends the connection or the receiver is stopped.
    fn read(&self, socket: &mut TcpStream) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        let mut splitter = LineSplitter::new(self.max_line_bytes);
        while !self.handle.is_stopped() {
            let lines = match socket.read(&mut buffer) {
                // The beginning of a line that a stop cut off is not a line.
                Ok(0) if self.handle.is_stopped() => return Ok(()),
                Ok(0) => {
                    self.store(splitter.finish());
                    return Ok(());
                }
                Ok(read) => splitter.split(buffer.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.store(lines);
        }
        Ok(())
    }

    fn store(&self, lines: Lines) {
        if lines.repaired > 0 {
            self.count_repaired(lines.repaired);
        }
        if lines.skipped > 0 {
            let error = LineTooLong {
                stream: self.handle.stream_id(),
                address: self.address(),
                lines: lines.skipped,
                max_line_bytes: self.max_line_bytes,
            };
            self.handle.report_error("Lines were skipped", &error);
        }
        if !lines.lines.is_empty() {
            let bytes = lines.bytes + lines.lines.len() * size_of::<String>();
            // Refused means stopped, which ends the loop.
            let _ = self.handle.store_many_with(lines.lines, bytes);
        }
    }

    fn count_repaired(&self, lines: u64) {
        let before = self.repaired.fetch_add(lines, Ordering::Relaxed);
        let now = before + lines;
        if before == 0 || now / LOG_EVERY > before / LOG_EVERY {
            tracing::warn!(
                "stream {}: {now} lines from {} were not UTF-8; U+FFFD stands for each broken character",
                self.handle.stream_id(),
                self.address()
            );
        }
    }

    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
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
