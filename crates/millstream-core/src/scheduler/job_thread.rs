//! A thread that runs jobs, and does tasks of theirs while it waits.

use std::cell::Cell;
use std::thread::{Builder, JoinHandle};

use crate::rdd::lineage;

thread_local! {
    static IS_ONE: Cell<bool> = const { Cell::new(false) };
}

/// Starts a thread for code that does nothing but run one job after the other: while one of its jobs runs, it does tasks of that job itself.
///
/// A job of short tasks is done sooner so, by the time it takes to wake other threads. It also ends no sooner than the task that
/// the thread is at, even if another has failed or it is cancelled, which a task notices between two chunks of records; so other
/// threads that run jobs only wait.
///
/// # Errors
/// If the operating system refuses the thread.
pub fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    // Tasks need it.
    let thread = Builder::new().name(name).stack_size(lineage::LARGE_STACK);
    thread.spawn(move || {
        lineage::on_large_stack();
        IS_ONE.set(true);
        run();
    })
}

/// Returns whether the current thread is one.
pub(super) fn is_one() -> bool {
    IS_ONE.get()
}
