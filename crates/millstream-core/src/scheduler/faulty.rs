//! An executor that loses, delays and repeats the results of another: for tests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::executor::{Ended, Executor, Report};
use super::task::Task;
use crate::ids::JobId;
use crate::shuffle::hash::pinned_hash;

/// How often which fault happens, each from 0 (never) to 1 (always).
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// The same seed gives the same faults to the same sequence of results.
    pub seed: u64,
    /// The share of results that are lost on their way.
    pub lose: f64,
    /// The share of results that come late.
    pub delay: f64,
    /// How late they come.
    pub by: Duration,
    /// The share of results that are reported twice, the second time as lost.
    pub repeat: f64,
}

impl Default for Faults {
    fn default() -> Self {
        Faults { seed: 1, lose: 0.0, delay: 0.0, by: Duration::from_millis(5), repeat: 0.0 }
    }
}

/// An executor that loses, delays and repeats the results of another.
///
/// # Examples
/// ```
/// use millstream_core::scheduler::faulty::{FaultyExecutor, Faults};
/// use millstream_core::scheduler::local::LocalExecutor;
/// use millstream_core::{Conf, Context};
///
/// let faults = Faults { lose: 0.3, ..Faults::default() };
/// let executor = FaultyExecutor::new(LocalExecutor::new(2)?, faults);
/// let context = Context::with_executor(Conf::empty(), executor)?;
/// let sums = context.parallelize(0..100, 8).map(|n| (n % 3, n)).reduce_by_key(|a, b| a + b);
/// let mut sums = sums.collect()?;
/// sums.sort();
/// assert_eq!(sums, [(0, 1683), (1, 1617), (2, 1650)]);
/// # Ok::<(), millstream_core::Error>(())
/// ```
pub struct FaultyExecutor<E> {
    inner: E,
    faults: Faults,
    launched: AtomicU64,
}

impl<E: Executor> FaultyExecutor<E> {
    /// Wraps an executor.
    pub fn new(inner: E, faults: Faults) -> Self {
        FaultyExecutor { inner, faults, launched: AtomicU64::new(0) }
    }
}

impl Faults {
    /// Whether the fault called `name` happens to the n-th task.
    fn happens(&self, name: &str, n: u64, share: f64) -> bool {
        (pinned_hash(&(self.seed, name, n)) as f64) < share * u64::MAX as f64
    }
}

impl<E: Executor> Executor for FaultyExecutor<E> {
    fn slots(&self) -> usize {
        self.inner.slots()
    }

    fn launch(&self, task: Task, report: Report) {
        let n = self.launched.fetch_add(1, Ordering::Relaxed);
        let faults = self.faults;
        let faulty = Report::new(move |id, how| {
            let lost = || Ended::Lost("a fault was asked for".into());
            let how = if faults.happens("lose", n, faults.lose) { lost() } else { how };
            let repeat = faults.happens("repeat", n, faults.repeat);
            let report = report.clone();
            let send = move || {
                report.ended(id, how);
                if repeat {
                    report.ended(id, lost());
                }
            };
            if faults.happens("delay", n, faults.delay) {
                std::thread::spawn(move || {
                    std::thread::sleep(faults.by);
                    send();
                });
            } else {
                send();
            }
        });
        self.inner.launch(task, faulty);
    }

    fn help(&self, job: JobId, submit: &mut dyn FnMut(), has_ended: &dyn Fn() -> bool) {
        self.inner.help(job, submit, has_ended);
    }

    fn cancel(&self, job: JobId) {
        self.inner.cancel(job);
    }
}
