//! The TCP server from which is received.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// How long an address of a server may take to answer.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a server that is silent is asked before it counts as gone.
const PROBES: u32 = 6;

/// A TCP server from which is received; prints `host:port`.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    host: String,
    port: u16,
    /// `millstream.streaming.socket.keepAlive`: how long it may be silent before it is asked whether it is still there.
    keep_alive: Duration,
}

impl Server {
    /// Names the server at `host:port`.
    pub(crate) fn new(host: &str, port: u16, keep_alive: Duration) -> Self {
        Server { host: host.to_owned(), port, keep_alive }
    }

    /// Connects to the first address of the host that answers; `None` if there are more and `is_stopped`.
    pub(super) fn connect(&self, is_stopped: impl Fn() -> bool) -> io::Result<Option<TcpStream>> {
        let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            if is_stopped() {
                return Ok(None);
            }
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(socket) => {
                    SockRef::from(&socket).set_tcp_keepalive(&self.probes())?;
                    return Ok(Some(socket));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// A receiver only listens, so that it would wait for ever for a server whose machine was switched off.
    fn probes(&self) -> TcpKeepalive {
        let between = (self.keep_alive / PROBES).max(Duration::from_secs(1));
        TcpKeepalive::new().with_time(self.keep_alive).with_interval(between).with_retries(PROBES)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_system_asks_a_silent_server_whether_it_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for (keep_alive, between) in [(60, 10), (1, 1), (32_767, 5461)] {
            let server = Server::new("127.0.0.1", port, Duration::from_secs(keep_alive));
            let socket = server.connect(|| false).unwrap().unwrap();
            let socket = SockRef::from(&socket);
            assert!(socket.keepalive().unwrap());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(keep_alive));
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(between));
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), PROBES);
        }
    }
}
