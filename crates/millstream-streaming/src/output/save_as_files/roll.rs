//! Which batches share a directory.

use std::time::Duration;

use crate::time::Time;

/// The batches of a span of time, counted from the epoch: those after its begin, up to and with its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// The first batch of the span: also the one at which the program was not yet running.
    pub(super) first: Time,
    /// Whether the batch that was asked for is the last.
    pub(super) is_last: bool,
}

impl Group {
    /// Finds the group of a batch, from nothing but times: the same after a restart.
    pub(super) fn of(batch: Time, slide: Duration, span: Duration) -> Self {
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).max(1);
        let (batch, slide, span) = (batch.as_millis(), millis(slide), millis(span));
        let begin = (batch - 1).div_euclid(span) * span;
        let first = batch - (batch - begin - 1) / slide * slide;
        Group {
            first: Time::from_millis(first),
            is_last: batch.saturating_add(slide) > begin.saturating_add(span),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(batch: i64, slide: u64, span: u64) -> (i64, bool) {
        let group =
            Group::of(Time::from_millis(batch), Duration::from_millis(slide), Duration::from_millis(span));
        (group.first.as_millis(), group.is_last)
    }

    #[test]
    fn batches_share_the_directory_of_the_first_of_their_span() {
        let groups: Vec<_> = (1..=7).map(|n| group(n * 1000, 1000, 3000)).collect();
        let expected = [(1, false), (1, false), (1, true), (4, false), (4, false), (4, true), (7, false)];
        assert_eq!(groups, expected.map(|(first, last)| (first * 1000, last)));
        // A span that is no multiple of the slide: 2.5 s has batches at 1, 2 | 3, 4, 5 | 6, 7 | ..
        let groups: Vec<_> = (1..=7).map(|n| group(n * 1000, 1000, 2500)).collect();
        let expected = [(1, false), (1, true), (3, false), (3, false), (3, true), (6, false), (6, true)];
        assert_eq!(groups, expected.map(|(first, last)| (first * 1000, last)));
        // Batches that do not begin at a multiple of their slide.
        assert_eq!(group(5_300, 2_000, 10_000), (1_300, false));
        assert_eq!(group(9_300, 2_000, 10_000), (1_300, true));
        assert_eq!(group(11_300, 2_000, 10_000), (11_300, false));
    }
}
