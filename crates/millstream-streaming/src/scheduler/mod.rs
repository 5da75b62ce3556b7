//! The driver's side: when batches are cut, in which order they run, which received block belongs to which.

mod batches_first;
mod catch_up;
pub(crate) mod job_generator;
pub(crate) mod job_scheduler;
mod received_block_tracker;
pub(crate) mod receiver_tracker;
mod termination;

pub(crate) use batches_first::{BatchesFirst, Pace};
pub(crate) use job_generator::JobGenerator;
pub(crate) use job_scheduler::JobScheduler;
pub(crate) use termination::Termination;

use std::cell::Cell;
use std::time::Duration;

use self::catch_up::CatchUp;

thread_local! {
    static ENGINE_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread as one that a stop waits for, so that it must not wait for a stop.
fn mark_engine_thread() {
    ENGINE_THREAD.set(true);
}

/// Returns whether a stop would wait for this thread.
pub(crate) fn is_engine_thread() -> bool {
    ENGINE_THREAD.get() || millstream_core::TaskContext::get().is_some()
}

/// Waits for something as long as time is `left`, which may suddenly be less; returns whether it came to pass.
fn waited_for(left: impl Fn() -> Duration, comes_in: impl Fn(Duration) -> bool) -> bool {
    const LOOK: Duration = Duration::from_millis(5);
    loop {
        let time = left();
        if comes_in(time.min(LOOK)) {
            return true;
        }
        if time.is_zero() {
            return false;
        }
    }
}
