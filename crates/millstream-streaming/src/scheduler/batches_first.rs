//! What is done beside the batches makes way for them.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Knows whether a batch is being processed, for work that can wait.
///
/// Where all cores have batches to process, a thread beside them delays the batch of which it takes a core, by as long as
/// the system lets it run. So such work is done in short pieces, each when no batch is processed.
#[derive(Debug)]
pub(crate) struct BatchesFirst {
    state: Mutex<State>,
    changed: Condvar,
    /// How long a piece of work, or a batch, waits at most for the other: both come to an end whatever the other does.
    patience: Duration,
}

#[derive(Debug, Default)]
struct State {
    /// Jobs of batches that are running.
    jobs: usize,
    /// Pieces that began when no batch was processed and have not ended.
    pieces: usize,
}

/// A job of a batch that is running.
#[derive(Debug)]
pub(crate) struct Running<'a>(&'a BatchesFirst);

/// A piece of work that batches wait for.
struct Piece<'a>(&'a BatchesFirst);

impl Default for BatchesFirst {
    fn default() -> Self {
        BatchesFirst::new(Duration::from_millis(1))
    }
}

impl BatchesFirst {
    fn new(patience: Duration) -> Self {
        BatchesFirst { state: Mutex::default(), changed: Condvar::new(), patience }
    }

    /// Says that a job of a batch runs, until what is returned is dropped; waits for the piece of work that is at it.
    pub(crate) fn runs(&self) -> Running<'_> {
        let mut state = self.state();
        state.jobs += 1;
        drop(self.wait_while(state, |state| state.pieces > 0));
        Running(self)
    }

    /// Waits until no batch is processed, or for too long.
    fn make_way(&self) -> MutexGuard<'_, State> {
        self.wait_while(self.state(), |state| state.jobs > 0)
    }

    /// Begins a piece of work when no batch is processed; nothing if that takes too long.
    fn piece(&self) -> Option<Piece<'_>> {
        let mut state = self.make_way();
        (state.jobs == 0).then(|| {
            state.pieces += 1;
            Piece(self)
        })
    }

    fn wait_while<'a>(
        &self,
        state: MutexGuard<'a, State>,
        condition: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        if !condition(&state) {
            return state;
        }
        let waited = self.changed.wait_timeout_while(state, self.patience, |state| condition(state));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.jobs -= 1;
        if state.jobs == 0 {
            self.0.changed.notify_all();
        }
    }
}

impl Drop for Piece<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.pieces -= 1;
        // Seldom: to tell somebody who is not there takes longer than all else here.
        if state.jobs > 0 {
            self.0.changed.notify_all();
        }
    }
}

/// How work that comes in short pieces is done.
#[derive(Debug, Clone)]
pub(crate) enum Pace {
    /// Without a pause: somebody waits for it.
    AtOnce,
    BatchesFirst(Arc<BatchesFirst>),
}

impl Pace {
    /// To be called between two pieces.
    pub(crate) fn make_way(&self) {
        if let Pace::BatchesFirst(first) = self {
            drop(first.make_way());
        }
    }

    /// Does a piece of work that holds a lock which batches need.
    ///
    /// A batch that begins meanwhile waits for it before its first task. Else the tasks would take the core from a piece that they
    /// wait for, and it would have one again when there is nothing left to do but to wait.
    pub(crate) fn piece<R>(&self, work: impl FnOnce() -> R) -> R {
        let _piece = match self {
            Pace::AtOnce => None,
            Pace::BatchesFirst(first) => first.piece(),
        };
        work()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn with_patience(patience: Duration) -> (Arc<BatchesFirst>, Pace) {
        let first = Arc::new(BatchesFirst::new(patience));
        (Arc::clone(&first), Pace::BatchesFirst(first))
    }

    #[test]
    fn a_piece_waits_for_a_batch() {
        let (first, pace) = with_patience(Duration::MAX);
        let ended = AtomicBool::new(false);
        for _ in 0..1000 {
            ended.store(false, SeqCst);
            let running = first.runs();
            thread::scope(|scope| {
                scope.spawn(|| {
                    pace.make_way();
                    assert!(ended.load(SeqCst));
                });
                scope.spawn(|| pace.piece(|| assert!(ended.load(SeqCst))));
                thread::yield_now();
                ended.store(true, SeqCst);
                drop(running);
            });
        }
    }

    #[test]
    fn a_batch_waits_for_the_piece_that_is_at_it() {
        let (first, pace) = with_patience(Duration::MAX);
        let ended = AtomicBool::new(false);
        for _ in 0..1000 {
            ended.store(false, SeqCst);
            let (begun, begins) = mpsc::channel();
            thread::scope(|scope| {
                scope.spawn(|| {
                    pace.piece(|| {
                        begun.send(()).unwrap();
                        thread::yield_now();
                        ended.store(true, SeqCst);
                    });
                });
                begins.recv().unwrap();
                drop(first.runs());
                assert!(ended.load(SeqCst));
            });
        }
    }

    #[test]
    fn what_does_not_end_holds_nobody_for_good() {
        let (first, pace) = with_patience(Duration::from_millis(1));
        let running = first.runs();
        pace.make_way();
        assert_eq!(pace.piece(|| 1), 1);
        drop(running);
        // A batch in the midst of a piece.
        pace.piece(|| drop(first.runs()));
        let state = first.state();
        assert_eq!((state.jobs, state.pieces), (0, 0));
    }
}
