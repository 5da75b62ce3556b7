//! What time it is, and waiting for it.

mod manual_clock;
mod stop_signal;
mod system_clock;

use std::fmt;

pub use manual_clock::ManualClock;
pub use stop_signal::StopSignal;
pub use system_clock::SystemClock;

use crate::time::Time;

/// A clock: everything that waits for a time in the stream engine waits through it.
///
/// A context runs on the [`SystemClock`]; tests and benchmarks put in a [`ManualClock`] and move the time themselves.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> Time;

    /// Waits until the clock shows `time` or something later, or until `stop` is raised.
    ///
    /// Returns at once if either has already happened; a raised `stop` goes first.
    fn wait_till(&self, time: Time, stop: &StopSignal) -> Waited;
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// The time has come.
    Reached,
    /// The wait was stopped.
    Stopped,
}
