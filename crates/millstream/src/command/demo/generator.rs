//! The server whose text the demo counts.

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::english::English;

/// How long it sleeps between two bursts of lines.
const TICK: Duration = Duration::from_millis(10);

/// Starts a server on a free port of this machine alone that sends `rate` lines per second, and returns the port.
pub(super) fn start(rate: u64) -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    thread::Builder::new().name("generator".to_owned()).spawn(move || {
        let mut english = English::new();
        for socket in listener.incoming() {
            // An error is the end of this client; the next one may come.
            let _ = socket.and_then(|socket| send(socket, &mut english, rate));
        }
    })?;
    Ok(port)
}

fn send(mut socket: TcpStream, english: &mut English, rate: u64) -> io::Result<()> {
    let mut pace = Pace { rate, sent: 0 };
    let mut text = String::new();
    let start = Instant::now();
    loop {
        text.clear();
        for _ in 0..pace.due(start.elapsed()) {
            english.push_line(&mut text);
        }
        socket.write_all(text.as_bytes())?;
        thread::sleep(TICK);
    }
}

/// How many lines are to be sent so that the rate holds.
struct Pace {
    rate: u64,
    sent: u64,
}

impl Pace {
    /// Returns how many lines are due, after this time since the start. What a slow reader made it miss is not made up for,
    /// beyond a tenth of a second.
    fn due(&mut self, elapsed: Duration) -> u64 {
        let wanted =
            u64::try_from(elapsed.as_micros() * u128::from(self.rate) / 1_000_000).unwrap_or(u64::MAX);
        let due = wanted.saturating_sub(self.sent).min(self.rate.div_ceil(10));
        self.sent = wanted.max(self.sent);
        due
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;

    #[test]
    fn the_pace_is_the_rate() {
        let mut pace = Pace { rate: 1000, sent: 0 };
        let due = [0, 10, 20, 20, 25, 1025, 1026].map(|millis| pace.due(Duration::from_millis(millis)));
        assert_eq!(due, [0, 10, 10, 0, 5, 100, 1], "what was missed in a second's pause stays missed");
        let mut slow = Pace { rate: 1, sent: 0 };
        assert_eq!(
            [999, 1000, 1999, 2000].map(|millis| slow.due(Duration::from_millis(millis))),
            [0, 1, 0, 1]
        );
    }

    #[test]
    fn lines_come_over_the_socket_to_one_client_after_the_other() {
        let port = start(100_000).unwrap();
        for _ in 0..2 {
            let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
            let lines: Vec<String> = BufReader::new(socket).lines().take(500).map(Result::unwrap).collect();
            assert!(lines.iter().all(|line| line.split(' ').count() > 3 && line.is_ascii()));
        }
    }
}
