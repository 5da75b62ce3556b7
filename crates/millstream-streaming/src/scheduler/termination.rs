//! Where the program waits for the end of its streams.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::time::Time;

/// How far the streams have come: which batch was completed last, whether they were stopped, what failed first.
#[derive(Default)]
pub(crate) struct Termination {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stopped: bool,
    /// A stop at once was asked for: nothing that takes long is waited for any more.
    at_once: bool,
    failure: Option<Error>,
    /// All batches up to this one were completed.
    completed: Option<Time>,
}

impl Termination {
    /// Notes the first failure; later ones are logged.
    pub(crate) fn fail(&self, error: Error) {
        let mut state = self.state();
        if state.failure.is_some() {
            tracing::error!("{error}");
        } else {
            state.failure = Some(error);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Returns whether something failed, so that no later batch will be completed.
    pub(crate) fn has_failed(&self) -> bool {
        self.state().failure.is_some()
    }

    pub(crate) fn stop_at_once(&self) {
        self.state().at_once = true;
        self.changed.notify_all();
    }

    pub(crate) fn stops_at_once(&self) -> bool {
        self.state().at_once
    }

    pub(crate) fn stopped(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    pub(crate) fn completed(&self, batch: Time) {
        let mut state = self.state();
        state.completed = state.completed.max(Some(batch));
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until the streams were stopped or something failed; returns whether that has happened in time.
    pub(crate) fn wait_end(&self, timeout: Option<Duration>) -> Result<bool> {
        self.wait(timeout, |state| state.stopped)
    }

    /// Waits until all batches up to `batch` were completed, or something failed or was stopped at once.
    pub(crate) fn wait_completed(&self, batch: Time, timeout: Duration) -> Result<bool> {
        let done = |state: &State| state.completed >= Some(batch);
        self.wait(Some(timeout), |state| done(state) || state.stopped || state.at_once)?;
        Ok(done(&self.state()))
    }

    fn wait(&self, timeout: Option<Duration>, enough: impl Fn(&State) -> bool) -> Result<bool> {
        let start = Instant::now();
        let mut state = self.state();
        loop {
            if let Some(failure) = &state.failure {
                return Err(failure.clone());
            }
            if enough(&state) {
                return Ok(true);
            }
            state = match timeout {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(timeout) => {
                    let left = timeout.saturating_sub(start.elapsed());
                    if left.is_zero() {
                        return Ok(false);
                    }
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Nothing that can panic runs under this lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
