//! The child: the pipeline.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use millstream_core::Conf;
use millstream_core::fs::TextFormat;
use millstream_core::sink::FileSink;
use millstream_streaming::{DStream, Receiver, ReceiverHandle, Result, State, StateSpec, StreamingContext};

use crate::data::Data;

const BATCH: Duration = Duration::from_millis(40);

/// What is compared of an output.
pub(crate) enum Kind {
    /// The sum over all batches.
    Sums,
    /// The last batch.
    Last,
}

/// The outputs, and what the two runs must agree on.
pub(crate) const OUTPUTS: &[(&str, Kind)] = &[
    ("counts", Kind::Sums),
    ("tumbling", Kind::Sums),
    ("sessions", Kind::Sums),
    ("sliding", Kind::Last),
    ("totals", Kind::Last),
    ("grown", Kind::Sums),
    ("lately", Kind::Last),
];

/// Returns what each output must hold in the end.
pub(crate) fn expected(data: &Data) -> Vec<(&'static str, String)> {
    let counts = data.counts();
    let text = |number: fn(i64) -> i64| -> String {
        counts.iter().map(|(word, n)| format!("{word} {}\n", number(*n))).collect()
    };
    OUTPUTS
        .iter()
        .map(|(name, _)| {
            // Of the sliding windows everything has left: what was added was taken out again.
            let number = if ["sliding", "lately"].contains(name) { |_| 0 } else { |n| n };
            (*name, format!("[{name}]\n{}", text(number)))
        })
        .collect()
}

/// Goes on where the last child died, and never ends.
pub(crate) fn run(directory: &Path, port: u16) -> Result<()> {
    let streaming =
        StreamingContext::get_or_create(directory.join("checkpoint"), || create(directory, port))?;
    streaming.start()?.await_termination()
}

fn create(directory: &Path, port: u16) -> Result<StreamingContext> {
    let conf = Conf::empty()
        .set_master("local[2]")
        .set("spark.default.parallelism", "2")
        .set("spark.streaming.receiver.writeAheadLog.enable", "true")
        // So short that a child lives to see segments rolled and cleaned.
        .set("spark.streaming.receiver.writeAheadLog.rollingIntervalSecs", "1")
        .set("spark.streaming.driver.writeAheadLog.rollingIntervalSecs", "1")
        .set("spark.streaming.receiverRestartDelay", "50ms")
        // A child may take its time to come back: no file is too old.
        .set("spark.streaming.fileStream.minRememberDuration", "10min");
    let streaming = StreamingContext::new(conf, BATCH)?;
    let received = streaming.receiver_stream(Replayed { port });
    let files = streaming.text_file_stream(directory.join("in")).flat_map_into(|line, out| {
        out.extend(line.split(' ').map(str::to_owned));
    });
    let words = once(&received).union(&files).map(|word| (word, 1_i64));
    let sink = FileSink::new(directory.join("out"), TextFormat::default())?;
    let save = |stream: DStream<(String, i64)>, name: &str| {
        stream.map(|(word, n)| format!("{word} {n}")).save_exactly_once(name, sink.clone());
    };
    save(words.reduce_by_key(|a, b| a + b), "counts");
    save(words.reduce_by_key_and_window(|a, b| a + b, 5 * BATCH, Some(5 * BATCH)), "tumbling");
    save(
        words.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, 10 * BATCH, Some(2 * BATCH)),
        "sliding",
    );
    let totals = words
        .update_state_by_key(|new, total: Option<i64>| Some(total.unwrap_or(0) + new.iter().sum::<i64>()));
    // A state of a state, and windows over that, each saved at other times: what is gone on from must fit together.
    let grown = grown(&totals.checkpoint(15 * BATCH)).checkpoint(7 * BATCH);
    save(totals, "totals");
    save(grown.reduce_by_key_and_window(|a, b| a + b, 5 * BATCH, Some(5 * BATCH)), "grown");
    let lately =
        grown.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, 9 * BATCH, Some(3 * BATCH));
    save(lately.checkpoint(12 * BATCH), "lately");
    let sessions = StateSpec::function(|word: &String, n: Option<i64>, total: &mut State<i64>| {
        if total.is_timing_out() {
            return Some((word.clone(), *total.get()));
        }
        let sum = total.get_option().copied().unwrap_or(0) + n.unwrap_or(0);
        total.update(sum);
        None
    });
    let sessions = words.map_with_state(sessions.timeout(25 * BATCH));
    save(sessions.flat_map(|ended| ended), "sessions");
    Ok(streaming)
}

/// By how much each total has grown since the batch before.
fn grown(totals: &DStream<(String, i64)>) -> DStream<(String, i64)> {
    let grown = StateSpec::function(|word: &String, total: Option<i64>, last: &mut State<i64>| {
        let total = total.unwrap_or(0);
        let before = last.get_option().copied().unwrap_or(0);
        last.update(total);
        (word.clone(), total - before)
    });
    totals.map_with_state(grown).stream()
}

/// Lets each record through once: the server sends again what a child had stored but not acknowledged when it died.
fn once(received: &DStream<(u64, String)>) -> DStream<String> {
    let seen = StateSpec::function(|(): &(), record: Option<(u64, String)>, next: &mut State<u64>| {
        let (number, word) = record?;
        let is_new = number >= next.get_option().copied().unwrap_or(0);
        if is_new {
            next.update(number + 1);
        }
        is_new.then_some(word)
    });
    received.map(|record| ((), record)).map_with_state(seen).flat_map(|word| word)
}

/// Receives numbered records, and acknowledges what the log has.
struct Replayed {
    port: u16,
}

impl Receiver<(u64, String)> for Replayed {
    fn on_start(
        &self,
        handle: &ReceiverHandle<(u64, String)>,
    ) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port))?;
        let mut lines = BufReader::new(connection.try_clone()?).lines();
        while !handle.is_stopped() {
            let Some(count) = lines.next() else { break };
            let mut records = Vec::new();
            for _ in 0..count?.parse::<usize>()? {
                let line = lines.next().ok_or("the server is gone")??;
                let (number, word) = line.split_once(' ').ok_or("no record")?;
                records.push((number.parse::<u64>()?, word.to_owned()));
            }
            let Some(next) = records.last().map(|(number, _)| number + 1) else { break };
            // Returns when the log has them.
            handle.store_many(records)?;
            connection.write_all(format!("{next}\n").as_bytes())?;
        }
        Ok(())
    }
}
