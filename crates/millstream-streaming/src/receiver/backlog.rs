//! How much was received and not yet processed, and the limit on it.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::clock::StopSignal;

/// Counts the bytes of a receiver that no batch has processed yet, and holds the receiver back above a limit.
///
/// A store begins only below the limit, so the bytes exceed it by what the receiver stores at once, at most. That a
/// store is never refused for its size is meant: a single record may be larger than the limit.
#[derive(Debug)]
pub(crate) struct Backlog {
    limit: usize,
    held: AtomicUsize,
    /// How many threads are held back. All orders are sequential: either the thread that frees sees the waiter, or the
    /// waiter sees what was freed.
    waiting: AtomicUsize,
    look: Mutex<()>,
    freed: Condvar,
}

impl Backlog {
    /// Makes an empty backlog of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Backlog {
            limit: limit.max(1),
            held: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            look: Mutex::new(()),
            freed: Condvar::new(),
        })
    }

    /// Counts `bytes`, after it has waited until the backlog is below its limit or `stop` is raised.
    ///
    /// Whoever raises `stop` calls [`wake`](Self::wake) after that.
    pub(crate) fn admit(&self, bytes: usize, stop: &StopSignal) {
        if self.is_full() {
            self.wait(stop);
        }
        self.held.fetch_add(bytes, SeqCst);
    }

    /// Returns how many bytes are held.
    pub(crate) fn held(&self) -> usize {
        self.held.load(SeqCst)
    }

    /// Makes the threads that are held back look again.
    pub(crate) fn wake(&self) {
        let _look = self.look.lock().unwrap_or_else(PoisonError::into_inner);
        self.freed.notify_all();
    }

    /// Gives back bytes that were counted.
    pub(crate) fn free(&self, bytes: usize) {
        self.held.fetch_sub(bytes, SeqCst);
        if self.waiting.load(SeqCst) > 0 && !self.is_full() {
            self.wake();
        }
    }

    /// Returns whether no store may begin.
    pub(crate) fn is_full(&self) -> bool {
        self.held() >= self.limit
    }

    #[cold]
    fn wait(&self, stop: &StopSignal) {
        let mut look = self.look.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_add(1, SeqCst);
        while self.is_full() && !stop.is_stopped() {
            look = self.freed.wait(look).unwrap_or_else(PoisonError::into_inner);
        }
        self.waiting.fetch_sub(1, SeqCst);
    }
}

/// Bytes of a backlog that are given back when they are processed or dropped, whichever comes first.
#[derive(Debug)]
pub(crate) struct Charge {
    backlog: Arc<Backlog>,
    bytes: AtomicUsize,
}

impl Charge {
    /// Takes over `bytes` that were admitted.
    pub(crate) fn new(backlog: Arc<Backlog>, bytes: usize) -> Self {
        Charge { backlog, bytes: AtomicUsize::new(bytes) }
    }

    /// Returns how many bytes there are to give back.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(SeqCst)
    }

    /// Gives back all but `bytes`.
    pub(crate) fn shrink(&self, bytes: usize) {
        let before = self.bytes.fetch_min(bytes, SeqCst);
        if before > bytes {
            self.backlog.free(before - bytes);
        }
    }

    /// Returns whether the backlog is so full that what is gathered for the next block needs the rest.
    pub(crate) fn is_crowded(&self) -> bool {
        self.backlog.held() > self.backlog.limit / 4 * 3
    }

    /// Gives the bytes back.
    pub(crate) fn release(&self) {
        let bytes = self.bytes.swap(0, SeqCst);
        if bytes > 0 {
            self.backlog.free(bytes);
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn holds_back_until_blocks_are_freed() {
        let backlog = Backlog::new(100);
        let stop = StopSignal::new();
        backlog.admit(1000, &stop);
        let first = Charge::new(Arc::clone(&backlog), 1000);
        let (admitted, told) = mpsc::channel();
        let waiter = thread::spawn({
            let (backlog, stop) = (Arc::clone(&backlog), stop.clone());
            move || {
                backlog.admit(60, &stop);
                backlog.admit(60, &stop);
                admitted.send(()).unwrap();
                backlog.admit(1, &stop);
            }
        });
        while backlog.waiting.load(SeqCst) == 0 {
            thread::yield_now();
        }
        assert_eq!(backlog.held(), 1000);
        first.release();
        drop(first);
        told.recv().unwrap();
        while backlog.waiting.load(SeqCst) == 0 {
            thread::yield_now();
        }
        assert_eq!(backlog.held(), 120);
        stop.stop();
        backlog.wake();
        waiter.join().unwrap();
        assert_eq!(backlog.held(), 121);
    }

    #[test]
    fn nobody_sleeps_through_a_release() {
        let backlog = Backlog::new(1);
        let stop = StopSignal::new();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        backlog.admit(1, &stop);
                        drop(Charge::new(Arc::clone(&backlog), 1));
                    }
                });
            }
        });
        assert_eq!(backlog.held(), 0);
    }
}
