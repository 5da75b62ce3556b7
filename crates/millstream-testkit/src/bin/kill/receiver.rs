//! The receiver, and what makes its records come once.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use millstream_streaming::{DStream, Receiver, ReceiverHandle, State, StateSpec};

use crate::pipeline::BATCH;

/// A record: which life of the program has stored it, its number, its word.
pub(crate) type Stored = (u64, u64, String);

/// Receives numbered records, and acknowledges what the log has.
pub(crate) struct Replayed {
    pub(crate) port: u16,
    pub(crate) life: u64,
}

impl Receiver<Stored> for Replayed {
    fn on_start(
        &self,
        handle: &ReceiverHandle<Stored>,
    ) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port))?;
        let mut lines = BufReader::new(connection.try_clone()?).lines();
        while !handle.is_stopped() {
            let Some(count) = lines.next() else { break };
            let mut records = Vec::new();
            for _ in 0..count?.parse::<usize>()? {
                let line = lines.next().ok_or("the server is gone")??;
                let (number, word) = line.split_once(' ').ok_or("no record")?;
                records.push((self.life, number.parse::<u64>()?, word.to_owned()));
            }
            let Some(next) = records.last().map(|(_, number, _)| number + 1) else { break };
            // Returns when the log has them.
            handle.store_many(records)?;
            connection.write_all(format!("{next}\n").as_bytes())?;
        }
        Ok(())
    }
}

/// Lets each record through once: the server sends again what a child had stored but not acknowledged when it died.
pub(crate) fn once(stored: &DStream<Stored>) -> DStream<(u64, String)> {
    let seen = StateSpec::function(|(): &(), record: Option<(u64, String)>, next: &mut State<u64>| {
        let (number, word) = record?;
        let is_new = number >= next.get_option().copied().unwrap_or(0);
        if is_new {
            next.update(number + 1);
        }
        is_new.then_some((number, word))
    });
    let seen = stored.map(|(_, number, word)| ((), (number, word))).map_with_state(seen).uid("once");
    let seen = seen.checkpoint(4 * BATCH);
    seen.flat_map(|record| record)
}
