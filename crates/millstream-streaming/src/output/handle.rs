//! `OutputHandle`: an output operation, to say what becomes of a batch that it fails on.

use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millstream_core::operator::Operator;
use millstream_core::{Data, Rdd};

use super::FailedOutput;
use crate::error::Result;
use crate::graph::Graph;

/// An output operation that was put on a stream; what it is told concerns this output alone.
///
/// A batch that an output fails on keeps its place, first in line: unless the handle says otherwise, the streams end with
/// the error. [`retry`](Self::retry) tries again first; [`dead_letter`](Self::dead_letter) puts the records of the batch
/// aside and lets the next batch go on. A handle that is not needed is dropped.
///
/// # Examples
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use std::time::Duration;
/// use millstream_core::Conf;
/// use millstream_streaming::testing::{Driver, batches};
///
/// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
/// let calls = AtomicU32::new(0);
/// let flaky = move |_| if calls.fetch_add(1, Ordering::Relaxed) == 0 { Err("not yet") } else { Ok(()) };
/// driver.input(batches![[1]]).foreach_rdd(flaky).retry(3, Duration::ZERO);
/// driver.run(1)?;
/// # Ok::<(), millstream_streaming::Error>(())
/// ```
pub struct OutputHandle<T: Data> {
    pub(super) graph: Arc<Graph>,
    pub(super) policy: Arc<Mutex<Policy<T>>>,
}

/// What becomes of a batch that an output has failed on.
pub(super) struct Policy<T: Data> {
    pub(super) retry: (u32, Duration),
    pub(super) put_aside: Option<PutAside<T>>,
}

pub(super) type PutAside<T> = Arc<dyn Fn(&Rdd<T>, &FailedOutput) -> Result<()> + Send + Sync>;

impl<T: Data> OutputHandle<T> {
    pub(super) fn new(graph: &Arc<Graph>) -> Self {
        let policy = Policy { retry: (0, Duration::ZERO), put_aside: None };
        OutputHandle { graph: Arc::clone(graph), policy: Arc::new(Mutex::new(policy)) }
    }

    /// Changes the policy, on behalf of a call of `name`.
    ///
    /// # Panics
    /// If the context has been started: the message names the caller's line.
    pub(super) fn change(
        self,
        name: &'static str,
        place: &'static Location<'static>,
        change: impl FnOnce(&mut Policy<T>),
    ) -> Self {
        self.graph.refuse_if_frozen(&Operator::call(name, place));
        change(&mut self.policy.lock().unwrap_or_else(PoisonError::into_inner));
        self
    }
}
