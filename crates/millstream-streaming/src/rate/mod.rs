//! Backpressure: how fast an input may be, by how fast its batches are processed.
//!
//! | name | what it is |
//! |---|---|
//! | [`RateEstimator`] | from what a completed batch was like, the rate of the next ones |
//! | [`PidRateEstimator`] | the one that `spark.streaming.backpressure.rateEstimator` knows, `pid` |
//! | [`RateController`] | a listener that asks an estimator after each batch and hands the rate on |

mod pid;
mod rate_controller;

use std::time::Duration;

pub use self::pid::PidRateEstimator;
pub use self::rate_controller::RateController;
use crate::time::Time;

/// Estimates how many records a second an input may take in.
pub trait RateEstimator: Send + 'static {
    /// Returns the new rate in records a second, or nothing if the batch teaches nothing.
    ///
    /// The batch ended at `time`, had `records` records of this input, ran for `processing_delay` and had waited for
    /// `scheduling_delay`.
    fn compute(
        &mut self,
        time: Time,
        records: u64,
        processing_delay: Duration,
        scheduling_delay: Duration,
    ) -> Option<f64>;
}
