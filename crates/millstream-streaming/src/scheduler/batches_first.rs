//! What is done beside the batches makes way for them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a piece of work waits at most: it must come to an end also where batches follow each other without a pause.
const PATIENCE: Duration = Duration::from_millis(1);

/// Knows whether a batch is being processed, for work that can wait.
///
/// Where all cores have batches to process, a thread beside them delays the batch of which it takes a core, by as long as
/// the system lets it run. So such work is done in short pieces, each when no batch is processed.
#[derive(Debug, Default)]
pub(crate) struct BatchesFirst {
    jobs: Mutex<usize>,
    quiet: Condvar,
}

/// A job of a batch that is running.
#[derive(Debug)]
pub(crate) struct Running<'a>(&'a BatchesFirst);

impl BatchesFirst {
    /// Says that a job of a batch runs, until what is returned is dropped.
    pub(crate) fn runs(&self) -> Running<'_> {
        *self.jobs() += 1;
        Running(self)
    }

    /// Waits until no batch is processed, for a millisecond at most.
    pub(crate) fn make_way(&self) {
        let jobs = self.jobs();
        if *jobs > 0 {
            drop(self.quiet.wait_timeout_while(jobs, PATIENCE, |jobs| *jobs > 0));
        }
    }

    fn jobs(&self) -> MutexGuard<'_, usize> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut jobs = self.0.jobs();
        *jobs -= 1;
        if *jobs == 0 {
            self.0.quiet.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn work_waits_for_a_batch_and_goes_on_all_the_same() {
        let first = BatchesFirst::default();
        first.make_way();
        let running = first.runs();
        // One that never ends holds nobody for good.
        first.make_way();
        let (made_way, told) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                first.make_way();
                made_way.send(()).unwrap();
            });
            drop(running);
            told.recv().unwrap();
        });
        assert_eq!(*first.jobs(), 0);
    }
}
