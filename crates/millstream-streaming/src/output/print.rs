//! `print`: the first records of each batch, on standard output.

use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::Location;

use millstream_core::operator;
use millstream_core::show::shown;
use millstream_core::{Data, Error, Rdd, Result, Show};

use super::OutputHandle;
use crate::dstream::DStream;
use crate::time::Time;

/// How many records are printed unless a number is given, as in Spark.
const RECORDS: usize = 10;

/// The line above and below the time.
const RULE: &str = "-------------------------------------------";

impl<T: Data + Show> DStream<T> {
    /// Prints the first ten records of each batch, in Spark's form.
    ///
    /// The header is printed for an empty batch too.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// driver.input(batches![[("hello".to_owned(), 1)]]).print();
    /// driver.run(1)?; // prints two rules with `Time: 1000 ms` between them, `(hello,1)` and an empty line
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[doc(alias = "pprint")]
    #[track_caller]
    pub fn print(&self) -> OutputHandle<T> {
        self.print_with(RECORDS)
    }

    /// Prints the first `n` records of each batch, in Spark's form.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// driver.input(batches![[1, 2, 3]]).print_with(2);
    /// driver.run(1)?; // prints 1, 2 and `...`
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn print_with(&self, n: usize) -> OutputHandle<T> {
        self.output("print", Location::caller(), move |rdd, time, print| {
            operator::named(print, || write(&rdd, time, n))
        })
    }
}

fn write<T: Data + Show>(rdd: &Rdd<T>, time: Time, n: usize) -> Result<()> {
    let text = text(&rdd.take(n.saturating_add(1))?, time, n);
    // One write, so that batches of several contexts do not mix.
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    // Also if whoever read has gone, as with `| head`: the program is to end then.
    written.map_err(|error| Error::io("printing a batch to standard output", error))
}

/// What is printed of a batch; `records` holds one more than `n` if there are more.
fn text<T: Show>(records: &[T], time: Time, n: usize) -> String {
    let mut text = format!("{RULE}\nTime: {time}\n{RULE}\n");
    for record in records.iter().take(n) {
        // Writing to a string can not fail.
        let _ = writeln!(text, "{}", shown(record));
    }
    if records.len() > n {
        text.push_str("...\n");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_printed_as_in_spark() {
        let time = Time::from_millis(1_700_000_000_000);
        let header = "-------------------------------------------\nTime: 1700000000000 ms\n\
                      -------------------------------------------\n";
        let records = [("hello".to_owned(), 1), ("world".to_owned(), 2)];
        assert_eq!(text(&records, time, 10), format!("{header}(hello,1)\n(world,2)\n\n"));
        assert_eq!(text(&records, time, 2), format!("{header}(hello,1)\n(world,2)\n\n"));
        assert_eq!(text(&records, time, 1), format!("{header}(hello,1)\n...\n\n"));
        assert_eq!(text(&records, time, 0), format!("{header}...\n\n"));
        assert_eq!(text(&records, time, usize::MAX), text(&records, time, 2));
        assert_eq!(text::<i32>(&[], time, 10), format!("{header}\n"));
        assert_eq!(text::<i32>(&[], time, 0), format!("{header}\n"));
        assert_eq!(RULE.len(), 43);
    }
}
