//! `received`: what a receiver stores, for tests of it.

use std::time::{Duration, Instant};

use millstream_core::{Conf, Data};

use super::{Driver, PATIENCE};
use crate::error::Result;
use crate::receiver::Receiver;

/// Runs a receiver until batches have carried `count` of its records or more, and returns what they carried.
///
/// Batches are cut each second of a clock that does not wait: the delay of a restart takes no time.
///
/// # Errors
/// The error of a batch, or one that says that so many records did not come within a minute.
///
/// # Examples
/// ```
/// use millstream_streaming::testing::received;
/// use millstream_streaming::{Receiver, ReceiverHandle};
///
/// struct Numbers;
///
/// impl Receiver<u64> for Numbers {
///     fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///         Ok(handle.store_each(vec![1, 2, 3])?)
///     }
/// }
///
/// assert_eq!(received(Numbers, 3)?, [1, 2, 3]);
/// # Ok::<(), millstream_streaming::Error>(())
/// ```
pub fn received<T: Data>(receiver: impl Receiver<T>, count: usize) -> Result<Vec<T>> {
    let driver = Driver::new(Conf::empty().set_master("local[2]"), Duration::from_secs(1))?;
    let collected = driver.collect(&driver.streaming().receiver_stream(receiver));
    let (steps, start) = (driver.start()?, Instant::now());
    loop {
        steps.step()?;
        let records = collected.batches().concat();
        if records.len() >= count {
            return Ok(records);
        }
        if start.elapsed() > PATIENCE {
            let few = format!("the receiver stored {} of {count} records within {PATIENCE:?}", records.len());
            return Err(millstream_core::Error::user(few).into());
        }
    }
}
