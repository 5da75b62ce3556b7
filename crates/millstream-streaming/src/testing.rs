//! For tests of programs on streams: a clock that is moved by hand, input tables, collected outputs.
//!
//! Most tests are three tables: input batches, operation, expected batches.
//!
//! # Examples
//! ```
//! use millstream_streaming::testing::{batches, check};
//!
//! check(batches![[1, 2, 3], [4]], |numbers| numbers.filter(|n| n % 2 == 0), batches![[2], [4]]);
//! ```

mod driver;
mod received;

use std::fmt::Debug;
use std::time::Duration;

use millstream_core::{Conf, Data};

pub use self::driver::{Collected, Driver, Steps};
pub use self::received::received;
pub use crate::batches;
use crate::dstream::DStream;

/// How long a batch of a test may take before it is taken for hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a table of batches: a vector of vectors.
///
/// # Examples
/// ```
/// use millstream_streaming::testing::batches;
/// assert_eq!(batches![[1, 2], []], vec![vec![1, 2], vec![]]);
/// ```
#[macro_export]
macro_rules! batches {
    ($([$($record:expr),* $(,)?]),* $(,)?) => {
        ::std::vec![$(::std::vec![$($record),*]),*]
    };
}

/// Runs an operation on input batches and compares what comes out, batch by batch and record by record.
///
/// Runs as many batches as are expected, on `local[2]` with strict closures, batch interval 1 s; the batch times are 1000
/// ms, 2000 ms and so on. Batches after the last of the input are empty.
///
/// # Panics
/// If the output differs, or a batch fails.
///
/// # Examples
/// ```
/// use millstream_streaming::testing::{batches, check};
///
/// check(batches![["to be".to_owned()], []], |lines| lines.map(|line| line.len()), batches![[5], []]);
/// ```
#[track_caller]
pub fn check<T: Data, U: Data + Debug + PartialEq>(
    input: Vec<Vec<T>>,
    operation: impl FnOnce(&DStream<T>) -> DStream<U>,
    expected: Vec<Vec<U>>,
) {
    let actual = outputs(input, operation, expected.len());
    assert!(actual == expected, "\nexpected: {expected:?}\n  actual: {actual:?}");
}

/// Like [`check`], for operations that do not promise an order within a batch.
///
/// # Panics
/// If the output differs, or a batch fails.
///
/// # Examples
/// ```
/// use millstream_streaming::testing::{batches, check_unordered};
///
/// check_unordered(batches![[3, 1, 3]], |numbers| numbers.count_by_value(), batches![[(1, 1), (3, 2)]]);
/// ```
#[track_caller]
pub fn check_unordered<T: Data, U: Data + Debug + Ord>(
    input: Vec<Vec<T>>,
    operation: impl FnOnce(&DStream<T>) -> DStream<U>,
    expected: Vec<Vec<U>>,
) {
    let sorted = |mut batches: Vec<Vec<U>>| {
        batches.iter_mut().for_each(|batch| batch.sort());
        batches
    };
    let batches = expected.len();
    let (actual, expected) = (sorted(outputs(input, operation, batches)), sorted(expected));
    assert!(actual == expected, "\nexpected: {expected:?}\n  actual: {actual:?}");
}

#[allow(clippy::panic, reason = "the assertion of a test")]
#[track_caller]
fn outputs<T: Data, U: Data>(
    input: Vec<Vec<T>>,
    operation: impl FnOnce(&DStream<T>) -> DStream<U>,
    batches: usize,
) -> Vec<Vec<U>> {
    let run = || {
        let conf = Conf::empty().set_master("local[2]").set("millstream.closures.strict", "true");
        let driver = Driver::new(conf, Duration::from_secs(1))?;
        let collected = driver.collect(&operation(&driver.input(input)));
        driver.run(batches)?;
        Ok(collected.batches())
    };
    match run() {
        Ok(batches) => batches,
        Err::<_, crate::Error>(error) => panic!("{error}"),
    }
}
