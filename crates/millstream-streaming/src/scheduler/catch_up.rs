//! Decides which of the batches that were missed are run.

use std::time::Duration;

use millstream_core::settings;

use crate::error::Result;
use crate::graph::Graph;
use crate::time::Time;

/// Decides which of the batches that were due while the program was away have nothing to do, and are none.
pub(super) struct CatchUp {
    /// `millstream.streaming.catchUp` is `grouped`.
    is_grouped: bool,
    has_timeouts: bool,
    /// The last batch that had something to do: windows may still hold what came in it.
    last_busy: Option<Time>,
    passed_over: u128,
}

impl CatchUp {
    /// Begins after the batch `last` of before the restart.
    ///
    /// # Errors
    /// If the setting can not be read.
    pub(super) fn new(graph: &Graph, last: Option<Time>) -> Result<Self> {
        let is_grouped = graph.context.conf().get(settings::CATCH_UP)? == "grouped";
        let has_timeouts = graph.stateful().iter().any(|operator| operator.has_timeouts());
        Ok(CatchUp { is_grouped, has_timeouts, last_busy: last, passed_over: 0 })
    }

    /// Returns whether it must be known what the states are to decide.
    pub(super) fn looks_at_states(&self) -> bool {
        self.is_grouped && self.has_timeouts
    }

    /// Decides whether the batch `time`, and which after it, have nothing to do; returns the last of these. The last one that was missed
    /// is `last`.
    ///
    /// A batch has nothing to do if nothing came in its interval, what came before has left all windows, and no key times out.
    /// It is decided at once up to the next batch that has something to do, so that none before that is run any more.
    pub(super) fn passes_over(&mut self, graph: &Graph, time: Time, last: Time) -> Option<Time> {
        if !self.is_grouped {
            return None;
        }
        let interval = graph.batch_interval;
        let is_busy = first_busy(graph, time, time).is_some();
        if is_busy {
            self.last_busy = Some(time);
        }
        let to = (!is_busy && self.has_left(graph, time)).then(|| match first_busy(graph, time, last) {
            Some(busy) => busy - interval,
            None => last,
        });
        let until = to.unwrap_or(time);
        self.passed_over += to.map_or(0, |to| (to - time).as_millis() / interval.as_millis().max(1) + 1);
        if until == last && self.passed_over > 0 {
            tracing::info!(
                "{} missed intervals in which nothing came were passed over; millstream.streaming.catchUp=perInterval runs a \
                 batch for each",
                self.passed_over
            );
        }
        to
    }

    /// Returns whether what the last batch was made of that had something to do has left all windows.
    fn has_left(&self, graph: &Graph, time: Time) -> bool {
        self.last_busy.is_none_or(|busy| time - busy >= graph.longest_memory())
    }
}

/// Returns the first batch from `time` to `last` that has something to do.
fn first_busy(graph: &Graph, time: Time, last: Time) -> Option<Time> {
    let times_out = graph.next_timeout(time).filter(|timeout| *timeout <= last);
    let until = times_out.unwrap_or(last + Duration::from_millis(1));
    let streams = graph.streams();
    let is_busy = |batch: &Time| !streams.iter().all(|stream| stream.is_quiet(*batch));
    time.until(until, graph.batch_interval).find(is_busy).or(times_out)
}
