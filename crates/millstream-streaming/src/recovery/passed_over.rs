//! The intervals that were missed and in which no batch was run, since there was nothing to do.
//!
//! They are no batches: outputs do not see them, no source and no function of a state is asked for them, and the batch before the
//! next one is the last before them. A window that reaches into them finds batches without records there, and states that go on as
//! they were.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// The times after a batch up to the last one before the next batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    after: Time,
    to: Time,
}

impl Span {
    pub(crate) fn has(&self, time: Time) -> bool {
        self.after < time && time <= self.to
    }
}

/// The spans that are still asked for, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct PassedOver(Mutex<Vec<Span>>);

impl PassedOver {
    /// Takes over what an earlier run has passed over.
    pub(crate) fn restore(&self, spans: Vec<Span>) {
        *self.lock() = spans;
    }

    /// Notes that no batch is run after the one of `after` up to `to`.
    pub(crate) fn add(&self, after: Time, to: Time) {
        self.lock().push(Span { after, to });
    }

    pub(crate) fn has(&self, time: Time) -> bool {
        self.before(time).is_some()
    }

    /// Returns the last batch before a time that was passed over; nothing if it was not.
    pub(crate) fn before(&self, time: Time) -> Option<Time> {
        self.lock().iter().rev().find(|span| span.has(time)).map(|span| span.after)
    }

    /// Returns the spans before the batch of `last` that reach beyond `oldest`.
    pub(crate) fn between(&self, oldest: Time, last: Time) -> Vec<Span> {
        // One at the end is none yet: as long as no batch follows, a restart decides anew.
        self.lock().iter().copied().filter(|span| span.to > oldest && span.to < last).collect()
    }

    /// Returns up to which batch is forgotten when `batch` was completed, where each is kept for `duration`.
    ///
    /// A batch goes on from the one before it. So where that time begins in a span it is reckoned from before the span, until every
    /// stream has had a batch again.
    pub(crate) fn forgotten(&self, batch: Time, duration: Duration) -> Time {
        let from = |last: Time| last - duration;
        self.lock().iter().rev().fold(from(batch), |forgotten, span| {
            if span.after < batch && forgotten < span.to {
                forgotten.min(from(span.after))
            } else {
                forgotten
            }
        })
    }

    /// Returns after which batch those of a state with this slide are asked for where windows ask for the times after `after`: of a
    /// time that was passed over, its last batch before.
    pub(crate) fn asked_after(&self, after: Time, slide: Duration) -> Time {
        self.lock()
            .iter()
            .rev()
            .fold(after, |after, span| if after < span.to { after.min(span.after - slide) } else { after })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Span>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the spans of several manifests, the oldest first.
pub(crate) fn all<'a>(manifests: impl Iterator<Item = &'a [Span]>) -> Vec<Span> {
    let spans: BTreeMap<Time, Span> = manifests.flatten().map(|span| (span.after, *span)).collect();
    spans.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time::from_millis(second * 1000)
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Batches up to 10, of 21 to 40, and from 91 on.
    fn passed_over() -> PassedOver {
        let passed_over = PassedOver::default();
        passed_over.add(at(10), at(20));
        passed_over.add(at(40), at(90));
        passed_over
    }

    #[test]
    fn what_was_passed_over_lies_between_two_batches() {
        let before = |second| passed_over().before(at(second));
        assert_eq!(
            [before(10), before(11), before(20), before(21)],
            [None, Some(at(10)), Some(at(10)), None]
        );
        assert_eq!([before(40), before(89), before(91)], [None, Some(at(40)), None]);
    }

    #[test]
    fn batches_are_kept_until_every_stream_has_had_one_again() {
        let forgotten = |batch, duration| {
            let millis = passed_over().forgotten(at(batch), seconds(duration)).as_millis();
            millis / 1000
        };
        assert_eq!([forgotten(40, 3), forgotten(91, 1), forgotten(93, 3)], [37, 90, 90]);
        // As of the batch before.
        assert_eq!([forgotten(91, 3), forgotten(92, 3)], [37, 37]);
        assert_eq!([forgotten(30, 10), forgotten(29, 10), forgotten(91, 25)], [20, 0, -15]);
        // Before it there was none.
        assert_eq!(forgotten(5, 3), 2);
    }

    #[test]
    fn who_asks_for_what_was_passed_over_asks_for_the_batch_before() {
        let asked = |after, slide| passed_over().asked_after(at(after), seconds(slide)).as_millis() / 1000;
        assert_eq!([asked(89, 1), asked(40, 1), asked(39, 3), asked(36, 3)], [39, 39, 37, 36]);
        assert_eq!([asked(90, 1), asked(30, 3), asked(19, 3)], [90, 30, 7]);
    }

    #[test]
    fn a_manifest_names_what_lies_before_its_last_batch_and_is_asked_for() {
        let between = |oldest, last| passed_over().between(at(oldest), at(last));
        assert_eq!(between(0, 91).len(), 2);
        assert_eq!(between(20, 91), between(40, 91));
        assert_eq!(between(90, 91), []);
        // No batch has followed on the second one.
        assert_eq!(between(0, 40).len(), 1);
        let all = all([&*between(0, 40), &*between(0, 91), &*between(20, 91)].into_iter());
        assert_eq!(all, between(0, 91));
    }
}
