//! A server that sends a list of records, each again until it was acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Result;
use crate::data::Data;

/// How many records are sent at once, each with its number before it.
const AT_ONCE: u64 = 20;

/// How many when the rest is to be sent.
const IN_A_HURRY: u64 = 200;

/// How long the server rests after each of them while it is to last.
const REST: Duration = Duration::from_millis(30);

/// The server's own account, which outlives every connection.
pub(crate) struct Server {
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    data: Data,
    position: Mutex<Position>,
    hurry: AtomicBool,
}

#[derive(Clone, Copy, Default)]
struct Position {
    /// The first record that was not acknowledged.
    next: u64,
    /// How often the server was set back: what earlier connections acknowledge is of no account.
    set_back: u64,
}

impl Server {
    /// Serves one connection after the other; what the last one has not acknowledged is sent to the next.
    pub(crate) fn start(data: Data) -> Result<Self> {
        let failed = |error| format!("cannot serve on 127.0.0.1: {error}");
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let state = Arc::new(State { data, position: Mutex::default(), hurry: AtomicBool::new(false) });
        let serving = Arc::clone(&state);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // A client that dies is what this is about.
                let _ = serving.serve(connection);
            }
        });
        Ok(Server { port, state })
    }

    /// Returns up to which record all was acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.state.position().next
    }

    /// Sends all from a record on again: what has become of it is known up to there only.
    pub(crate) fn set_back(&self, to: u64) {
        let mut position = self.state.position();
        *position = Position { next: to, set_back: position.set_back + 1 };
    }

    /// Sends the rest as fast as it is taken.
    pub(crate) fn hurry(&self) {
        self.state.hurry.store(true, Ordering::Relaxed);
    }
}

impl State {
    fn position(&self) -> MutexGuard<'_, Position> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut connection: TcpStream) -> std::io::Result<()> {
        let mut answers = BufReader::new(connection.try_clone()?).lines();
        let set_back = self.position().set_back;
        loop {
            let from = self.position().next;
            let hurry = self.hurry.load(Ordering::Relaxed);
            let to = self.data.sent.min(from + if hurry { IN_A_HURRY } else { AT_ONCE });
            if from == to {
                // The end is told by silence: the connection stays, as that of a server that waits would.
                answers.next();
                return Ok(());
            }
            let records: String = (from..to).map(|n| format!("{n} {}\n", self.data.sent_word(n))).collect();
            connection.write_all(format!("{}\n{records}", to - from).as_bytes())?;
            let Some(answer) = answers.next() else { return Ok(()) };
            if let Ok(acknowledged) = answer?.parse() {
                let mut position = self.position();
                if position.set_back != set_back {
                    return Ok(());
                }
                position.next = acknowledged;
            }
            if !hurry {
                std::thread::sleep(REST);
            }
        }
    }
}
