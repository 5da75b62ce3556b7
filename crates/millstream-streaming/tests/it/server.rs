//! A TCP server of lines, as a test wants it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

pub(crate) const HOST: &str = "127.0.0.1";

pub(crate) struct Server(TcpListener);

impl Server {
    pub(crate) fn start() -> Self {
        Server(TcpListener::bind((HOST, 0)).unwrap())
    }

    /// Starts where the system lets no client and no other server of a test begin: so that the place is free when this one is gone.
    pub(crate) fn start_apart() -> Self {
        let first = std::process::id() % 10_000;
        let mut ports = (0..10_000).map(|n| 10_000 + ((first + n) % 10_000) as u16);
        Server(ports.find_map(|port| TcpListener::bind((HOST, port)).ok()).unwrap())
    }

    /// Starts again where a server was before.
    pub(crate) fn start_at(port: u16) -> Self {
        Server(TcpListener::bind((HOST, port)).unwrap())
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// Waits for a client.
    pub(crate) fn accept(&self) -> Connection {
        Connection(self.0.accept().unwrap().0)
    }

    /// Fills the queue of those who wait to be accepted: whoever connects now waits as long as what is returned lives.
    ///
    /// Returns nothing if this system lets everyone in.
    pub(crate) fn block(&self) -> Option<Vec<TcpStream>> {
        let address = self.0.local_addr().unwrap();
        let mut waiting = Vec::new();
        for _ in 0..10_000 {
            match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
                Ok(socket) => waiting.push(socket),
                Err(_) => return Some(waiting),
            }
        }
        None
    }
}

pub(crate) struct Connection(TcpStream);

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Connection {
    pub(crate) fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// Sends until the client is gone; returns how often the text was sent, as far as this side knows.
    pub(crate) fn send_until_closed(mut self, text: &str) -> u64 {
        let mut sent = 0;
        while self.0.write_all(text.as_bytes()).is_ok() {
            sent += 1;
        }
        sent
    }

    /// Ends the stream and waits until the client has read all of it and is gone.
    pub(crate) fn finish(mut self) {
        self.0.shutdown(Shutdown::Write).unwrap();
        // An error means as much as an end: the client is gone.
        let _ = self.0.read(&mut [0]);
    }
}
