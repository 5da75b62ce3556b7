//! At which times a stream has batches: what does not depend on its records, and so is compiled once.

use std::time::Duration;

use crate::graph::Graph;
use crate::recovery::Slides;
use crate::time::Time;

/// Returns the time of a stream's batch before `batch`, past what was passed over.
pub(super) fn time_before(graph: &Graph, stream: Slides<'_>, batch: Time) -> Time {
    let mut before = last_due(graph, stream, batch - Duration::from_millis(1));
    while let Some(last) = graph.recovery.passed_over().before(before) {
        before = last_due(graph, stream, last);
    }
    before
}

/// Returns the last time up to `to` at which a stream is due.
fn last_due(graph: &Graph, stream: Slides<'_>, to: Time) -> Time {
    let due = to.floor_from(stream.slide, graph.zero().unwrap_or_default());
    let old = graph.recovery.old_grids().filter(|old| old.last().is_some_and(|last| due <= last));
    old.and_then(|old| old.last_due(to, stream)).unwrap_or(due)
}

/// Returns whether a stream has a batch at that time.
pub(super) fn is_due(graph: &Graph, stream: Slides<'_>, batch: Time) -> bool {
    if let Some(old) = graph.recovery.old_grids()
        && old.last().is_some_and(|last| batch <= last)
    {
        return old.is_due(batch, stream);
    }
    let zero = graph.zero();
    zero.is_some_and(|zero| batch > zero && batch.floor_from(stream.slide, zero) == batch)
}
