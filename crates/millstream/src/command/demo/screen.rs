//! Batches on stdout, the status line on stderr.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millstream::core::{Error, Result};
use millstream::listener::BatchInfo;
use millstream::prelude::Time;
use millstream::show::{Show, shown};

/// How many records are printed of a batch, as `print` does.
pub(super) const RECORDS: usize = 10;

const RULE: &str = "-------------------------------------------";

/// Moves to the beginning of a terminal's line and empties it.
const CLEAR: &str = "\r\x1b[K";

/// What the user looks at.
pub(super) struct Screen {
    /// Whether the status line is rewritten in place.
    in_place: bool,
    /// Whether the status line stands there without an end; held while writing, so that nothing gets in between.
    status_stands: Mutex<bool>,
}

impl Screen {
    pub(super) fn new() -> Self {
        Screen { in_place: io::stderr().is_terminal(), status_stands: Mutex::new(false) }
    }

    /// Prints a batch to stdout in Spark's form; `records` holds one more than are printed if there are more. Returns whether
    /// anyone reads it.
    pub(super) fn print<T: Show>(&self, time: Time, records: &[T]) -> Result<bool> {
        let text = batch_text(time, records);
        let mut stands = self.lock();
        if std::mem::take(&mut *stands) {
            write_to_stderr(CLEAR);
        }
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            // Whoever read has gone, as with `| head`.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Error::io("printing a batch to standard output", error)),
        }
    }

    /// Tells on stderr how a batch went.
    pub(super) fn status(&self, batch: &BatchInfo, interval: Duration) {
        let text = status_text(batch, interval);
        let mut stands = self.lock();
        if self.in_place {
            write_to_stderr(&format!("{CLEAR}{text}"));
            *stands = true;
        } else {
            write_to_stderr(&format!("{text}\n"));
        }
    }

    /// Ends the status line, so that the shell's prompt stands below it.
    pub(super) fn leave(&self) {
        if std::mem::take(&mut *self.lock()) {
            write_to_stderr("\n");
        }
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.status_stands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where stderr is closed nobody wants to know.
fn write_to_stderr(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

fn batch_text<T: Show>(time: Time, records: &[T]) -> String {
    let mut text = format!("{RULE}\nTime: {time}\n{RULE}\n");
    for record in records.iter().take(RECORDS) {
        // Writing to a string can not fail.
        let _ = writeln!(text, "{}", shown(record));
    }
    text.push_str(if records.len() > RECORDS { "...\n\n" } else { "\n" });
    text
}

fn status_text(batch: &BatchInfo, interval: Duration) -> String {
    let rate = u128::from(batch.num_records()) * 1000 / interval.as_millis().max(1);
    format!(
        "{}: {} records/s, scheduling delay {} ms, processing time {} ms",
        batch.batch_time,
        with_commas(rate),
        batch.scheduling_delay().unwrap_or_default().as_millis(),
        batch.processing_delay().unwrap_or_default().as_millis()
    )
}

/// `1234567` = `1,234,567`.
fn with_commas(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_sparks_form() {
        let time = Time::from_millis(1_700_000_000_000);
        let header = format!("{RULE}\nTime: 1700000000000 ms\n{RULE}\n");
        assert_eq!(RULE.len(), 43);
        assert_eq!(batch_text::<i32>(time, &[]), format!("{header}\n"));
        assert_eq!(batch_text(time, &[("hello", 1)]), format!("{header}(hello,1)\n\n"));
        let ten = "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        assert_eq!(batch_text(time, &(0..10).collect::<Vec<_>>()), format!("{header}{ten}\n"));
        assert_eq!(batch_text(time, &(0..11).collect::<Vec<_>>()), format!("{header}{ten}...\n\n"));
    }

    #[test]
    fn numbers_have_commas() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (123_456, "123,456"), (7_654_321, "7,654,321")]
        {
            assert_eq!(with_commas(number), text);
        }
    }
}
