//! What other programs read: JSON lines, each flushed at once.
//!
//! ```text
//! {"event":"start","peer":"millstream","version":"..","epoch_ms":..}
//! {"event":"ready","epoch_ms":..}                  the records are in memory
//! {"event":"first_result","epoch_ms":..,"ms":..}       ms: since the start
//! {"event":"batch","i":0,"records":500000,"ms":12.345000,"result":"matches=5000"}
//! {"event":"done","epoch_ms":..}
//! ```
//!
//! A workload that is not known answers `{"event":"unsupported","workload":".."}` after the start. `--compare`
//! writes one `{"event":"compare",..}` instead of batches, and `log` a `{"event":"recovered",..}` after it.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::compare::{Comparison, Turn};
use crate::logged::Recovered;
use crate::workload::BatchResult;

/// Writes events.
pub(crate) struct Events<W> {
    out: W,
    begun: Instant,
    first_result_ms: f64,
}

impl<W: Write> Events<W> {
    /// Begins to write to `out`, and to count the time since the start.
    pub(crate) fn new(out: W) -> Self {
        Events { out, begun: Instant::now(), first_result_ms: 0.0 }
    }

    /// Returns after how many milliseconds the first batch had its result.
    pub(crate) fn first_result_ms(&self) -> f64 {
        self.first_result_ms
    }

    /// The program has started; `peer` names the side that is measured.
    pub(crate) fn start(&mut self, peer: &str) -> Result<(), String> {
        let version = env!("CARGO_PKG_VERSION");
        self.line(format_args!(
            r#"{{"event":"start","peer":"{peer}","version":"{version}","epoch_ms":{}}}"#,
            epoch_ms()
        ))
    }

    /// The workload is not known to this side.
    pub(crate) fn unsupported(&mut self, workload: &str) -> Result<(), String> {
        self.line(format_args!(r#"{{"event":"unsupported","workload":"{}"}}"#, escaped(workload)))
    }

    /// The records are in memory.
    pub(crate) fn ready(&mut self) -> Result<(), String> {
        self.line(format_args!(r#"{{"event":"ready","epoch_ms":{}}}"#, epoch_ms()))
    }

    /// The first batch has its result.
    pub(crate) fn first_result(&mut self) -> Result<(), String> {
        self.first_result_ms = self.begun.elapsed().as_secs_f64() * 1000.0;
        let ms = self.first_result_ms;
        self.line(format_args!(r#"{{"event":"first_result","epoch_ms":{},"ms":{ms:.3}}}"#, epoch_ms()))
    }

    /// A batch has its result; `allocated` bytes meanwhile, if they are counted.
    pub(crate) fn batch(
        &mut self,
        i: usize,
        batch: &BatchResult,
        allocated: Option<u64>,
    ) -> Result<(), String> {
        let BatchResult { records, ms, result } = batch;
        let allocated = allocated.map_or(String::new(), |bytes| format!(r#","allocated":{bytes}"#));
        let result = escaped(result);
        self.line(format_args!(
            r#"{{"event":"batch","i":{i},"records":{records},"ms":{ms:.6},"result":"{result}"{allocated}}}"#
        ))
    }

    /// Both sides have been compared.
    pub(crate) fn compare(&mut self, workload: &str, comparison: &Comparison) -> Result<(), String> {
        let plan = &comparison.plan;
        let list = |of: fn(&(Turn, Turn)) -> f64| {
            comparison.pairs.iter().map(|pair| format!("{:.4}", of(pair))).collect::<Vec<_>>().join(",")
        };
        let bytes = |bytes: Option<f64>| bytes.map_or("null".to_owned(), |bytes| format!("{bytes:.2}"));
        self.line(format_args!(
            r#"{{"event":"compare","workload":"{}","cores":{},"records":{},"batches":{},"pairs":{},"ratio":{:.4},"ratios":[{}],"hand_ms":[{}],"hand_p99_ms":[{}],"product_ms":[{}],"product_p99_ms":[{}],"hand_bytes_per_record":{},"product_bytes_per_record":{}}}"#,
            escaped(workload),
            plan.cores,
            plan.per_batch,
            plan.batches,
            plan.pairs,
            comparison.ratio(),
            list(|(hand, product)| product.rate / hand.rate),
            list(|(hand, _)| hand.ms),
            list(|(hand, _)| hand.p99_ms),
            list(|(_, product)| product.ms),
            list(|(_, product)| product.p99_ms),
            bytes(comparison.bytes_per_record(|(hand, _)| hand)),
            bytes(comparison.bytes_per_record(|(_, product)| product)),
        ))
    }

    /// Blocks were recovered from the log.
    pub(crate) fn recovered(&mut self, recovered: &Recovered) -> Result<(), String> {
        let Recovered { blocks, records, ms } = recovered;
        self.line(format_args!(
            r#"{{"event":"recovered","blocks":{blocks},"records":{records},"ms":{ms:.3}}}"#
        ))
    }

    /// Nothing more comes.
    pub(crate) fn done(&mut self) -> Result<(), String> {
        self.line(format_args!(r#"{{"event":"done","epoch_ms":{}}}"#, epoch_ms()))
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) -> Result<(), String> {
        let out = &mut self.out;
        let written: io::Result<()> = writeln!(out, "{text}").and_then(|()| out.flush());
        written.map_err(|error| format!("writing an event: {error}: keep standard output open"))
    }
}

fn epoch_ms() -> u128 {
    // A clock before 1970 reads as 0: the numbers are for comparison only.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
}

/// Escapes a text for a JSON string.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // Writing to a string does not fail.
            c if c < ' ' => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts how often it is flushed.
    struct Flushes(Vec<u8>, usize);

    impl Write for Flushes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.1 += 1;
            Ok(())
        }
    }

    #[test]
    fn every_line_begins_alike_and_is_flushed() {
        let mut events = Events::new(Flushes(Vec::new(), 0));
        events.start("millstream").unwrap();
        events.ready().unwrap();
        events.first_result().unwrap();
        events.unsupported("W\"6").unwrap();
        events.done().unwrap();
        let Flushes(bytes, flushed) = events.out;
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(flushed, 5);
        assert!(text.lines().all(|line| line.starts_with(r#"{"event":""#) && line.ends_with('}')), "{text}");
        assert!(text.contains(r#"{"event":"unsupported","workload":"W\"6"}"#), "{text}");
    }

    #[test]
    fn batches_carry_their_result_and_bytes() {
        let mut events = Events::new(Vec::new());
        let batch = BatchResult { records: 10, ms: 12.3456, result: "keys=1,sum=10".to_owned() };
        events.batch(3, &batch, None).unwrap();
        events.batch(3, &batch, Some(77)).unwrap();
        let start = r#"{"event":"batch","i":3,"records":10,"ms":12.345600,"result":"keys=1,sum=10""#;
        let expected = format!("{start}}}\n{start},\"allocated\":77}}\n");
        assert_eq!(String::from_utf8(events.out).unwrap(), expected);
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(escaped("a\\\"\n\u{1}é"), r#"a\\\"\u000a\u0001é"#);
    }
}
