//! Receives records from a TCP server: the connection, whatever is read from it.

use std::error::Error;
use std::io::{self, BufReader};
use std::net::{Shutdown, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use millstream_core::{Data, StorageLevel};

use super::server::Server;
use super::{Receiver, ReceiverHandle};

#[cfg(test)]
mod tests;

/// Reads a connection until the server ends it or the receiver is stopped, and stores what it reads.
pub(super) type Read<T> = Arc<dyn Fn(TcpStream, &ReceiverHandle<T>) -> io::Result<()> + Send + Sync>;

/// Receives records from a TCP server.
///
/// When the server ends the connection, or there is none, the receiver is restarted after the delay.
pub(crate) struct SocketReceiver<T: Data> {
    server: Server,
    read: Read<T>,
    level: StorageLevel,
    current: Mutex<Option<Connection>>,
}

impl<T: Data> SocketReceiver<T> {
    /// Makes a receiver for a server that reads each connection by `read`.
    pub(super) fn reading(server: Server, read: Read<T>, level: StorageLevel) -> Self {
        SocketReceiver { server, read, level, current: Mutex::new(None) }
    }

    /// Makes a receiver whose records `decode` makes of what a server sends.
    pub(crate) fn decoding<I>(
        server: Server,
        decode: impl Fn(BufReader<TcpStream>) -> I + Send + Sync + 'static,
        level: StorageLevel,
    ) -> Self
    where
        I: IntoIterator<Item = io::Result<T>>,
    {
        let read = move |socket, handle: &ReceiverHandle<T>| {
            for record in decode(BufReader::new(socket)) {
                // Refused means stopped.
                if handle.store(record?).is_err() {
                    break;
                }
            }
            Ok(())
        };
        Self::reading(server, Arc::new(read), level)
    }

    fn current(&self) -> MutexGuard<'_, Option<Connection>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Data> Receiver<T> for SocketReceiver<T> {
    fn on_start(&self, handle: &ReceiverHandle<T>) -> Result<(), Box<dyn Error + Send + Sync>> {
        let phase = Arc::new(Mutex::new(Phase::Connecting));
        let reader = Reader {
            server: self.server.clone(),
            read: Arc::clone(&self.read),
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

    fn storage_level(&self) -> StorageLevel {
        self.level
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
struct Reader<T: Data> {
    server: Server,
    read: Read<T>,
    handle: ReceiverHandle<T>,
    phase: Arc<Mutex<Phase>>,
}

impl<T: Data> Reader<T> {
    fn run(self) {
        let socket = match self.connect() {
            Ok(Some(socket)) => socket,
            Ok(None) => return,
            Err(error) => {
                let message = format!("Error connecting to {}", self.server);
                return self.handle.restart_with(&message, Some(&error), None);
            }
        };
        tracing::info!("stream {}: connected to {}", self.handle.stream_id(), self.server);
        let read = || (self.read)(socket, &self.handle);
        // The code that reads may be the program's own.
        let read = catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
            Err(io::Error::other(format!("reading panicked: {}", crate::Error::panicked(&*panic))))
        });
        match read {
            Ok(()) => self.handle.restart(&format!("{} ended the connection", self.server)),
            // A stop shuts the socket down; what that looks like from here is no error, and neither restarts.
            Err(error) => {
                let message = format!("Error receiving data from {}", self.server);
                self.handle.restart_with(&message, Some(&error), None);
            }
        }
    }

    /// Connects; `None` if the receiver was stopped meanwhile.
    fn connect(&self) -> io::Result<Option<TcpStream>> {
        let Some(socket) = self.server.connect(|| self.handle.is_stopped())? else { return Ok(None) };
        let other = socket.try_clone()?;
        let mut phase = lock(&self.phase);
        if matches!(*phase, Phase::Ended) {
            return Ok(None);
        }
        *phase = Phase::Reading(other);
        Ok(Some(socket))
    }
}
