//! A server that sends a list of records, each again until it was acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::Result;
use crate::data::Data;

/// How many records are sent at once, each with its number before it.
const AT_ONCE: u64 = 20;

/// How long the server rests after each of them while it is to last.
const REST: Duration = Duration::from_millis(15);

/// The server's own account, which outlives every connection.
pub(crate) struct Server {
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    data: Data,
    acknowledged: AtomicU64,
    hurry: AtomicBool,
}

impl Server {
    /// Serves one connection after the other; what the last one has not acknowledged is sent to the next.
    pub(crate) fn start(data: Data) -> Result<Self> {
        let failed = |error| format!("cannot serve on 127.0.0.1: {error}");
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let state = Arc::new(State { data, acknowledged: AtomicU64::new(0), hurry: AtomicBool::new(false) });
        let serving = Arc::clone(&state);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // A client that dies is what this is about.
                let _ = serving.serve(connection);
            }
        });
        Ok(Server { port, state })
    }

    /// Sends the rest as fast as it is taken.
    pub(crate) fn hurry(&self) {
        self.state.hurry.store(true, Ordering::Relaxed);
    }
}

impl State {
    fn serve(&self, mut connection: TcpStream) -> std::io::Result<()> {
        let mut answers = BufReader::new(connection.try_clone()?).lines();
        loop {
            let from = self.acknowledged.load(Ordering::Relaxed);
            let to = self.data.sent.min(from + AT_ONCE);
            if from == to {
                // The end is told by silence: the connection stays, as that of a server that waits would.
                answers.next();
                return Ok(());
            }
            let records: String = (from..to).map(|n| format!("{n} {}\n", self.data.sent_word(n))).collect();
            connection.write_all(format!("{}\n{records}", to - from).as_bytes())?;
            let Some(answer) = answers.next() else { return Ok(()) };
            if let Ok(acknowledged) = answer?.parse() {
                self.acknowledged.store(acknowledged, Ordering::Relaxed);
            }
            if !self.hurry.load(Ordering::Relaxed) {
                std::thread::sleep(REST);
            }
        }
    }
}
