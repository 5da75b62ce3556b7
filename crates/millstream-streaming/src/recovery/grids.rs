//! The batch times of before a restart with another batch interval.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// Batch times of one interval, up to the restart with another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OldGrid {
    /// The first batch time less the interval.
    pub(crate) zero: Time,
    pub(crate) interval_ms: u64,
    /// The last batch.
    pub(crate) last: Time,
    /// By the ids of streams: how long they slid, where that was not the interval.
    #[serde(default)]
    pub(crate) slides: BTreeMap<String, u64>,
}

/// A stream, as it is now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slides<'a> {
    pub(crate) id: &'a str,
    pub(crate) slide: Duration,
    /// The batch interval.
    pub(crate) interval: Duration,
}

/// The batch times of before the restarts with another interval that are still asked for, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grids(Vec<OldGrid>);

impl OldGrid {
    fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }

    /// Returns the last time up to `to` that a stream had a batch at.
    fn last_due(&self, to: Time, stream: Slides<'_>) -> Time {
        let slide = match self.slides.get(stream.id) {
            Some(slide) => Duration::from_millis(*slide),
            // What slides by the batch interval now did so then.
            None if stream.slide == stream.interval => self.interval(),
            None => stream.slide,
        };
        to.min(self.last).floor_from(slide, self.zero)
    }
}

impl Grids {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the batch times of up to now.
    pub(crate) fn push(&mut self, grid: OldGrid) {
        self.0.push(grid);
    }

    /// Returns those that have batches after `time`, and the last: where it ends those of now begin.
    pub(crate) fn after(&self, time: Time) -> Grids {
        let needed = self.0.iter().filter(|grid| grid.last > time || Some(grid.last) == self.last());
        Grids(needed.cloned().collect())
    }

    /// Returns the last batch of before the restarts.
    pub(crate) fn last(&self) -> Option<Time> {
        self.0.last().map(|grid| grid.last)
    }

    /// Returns the batch times after `from` up to `to`.
    pub(crate) fn times(&self, from: Time, to: Time) -> impl Iterator<Item = Time> {
        self.with_begins().flat_map(move |(begin, grid)| {
            let first = from.max(begin).floor_from(grid.interval(), grid.zero) + grid.interval();
            first.to(to.min(grid.last), grid.interval())
        })
    }

    /// Returns the last time up to `to` at which a stream had a batch, or one at which there were none yet.
    pub(crate) fn last_due(&self, to: Time, stream: Slides<'_>) -> Option<Time> {
        let mut grids: Vec<_> = self.with_begins().collect();
        let (_, first) = *grids.first()?;
        grids.reverse();
        let due = grids.into_iter().filter(|(begin, _)| *begin < to);
        let mut due =
            due.map(|(begin, grid)| (begin, grid.last_due(to, stream))).filter(|(begin, due)| due > begin);
        Some(due.next().map_or(first.zero, |(_, due)| due))
    }

    /// Returns whether a stream had a batch at that time.
    pub(crate) fn is_due(&self, batch: Time, stream: Slides<'_>) -> bool {
        let mut grids = self.with_begins();
        let grid = grids.find(|(_, grid)| batch <= grid.last);
        grid.is_some_and(|(begin, grid)| batch > begin && grid.last_due(batch, stream) == batch)
    }

    /// Returns the batch times of each interval with the last batch time of before them.
    fn with_begins(&self) -> impl Iterator<Item = (Time, &OldGrid)> {
        let first = self.0.first().map(|grid| grid.zero);
        let begins = first.into_iter().chain(self.0.iter().map(|grid| grid.last));
        begins.zip(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_millis(400);

    fn at(millis: i64) -> Time {
        Time::from_millis(millis)
    }

    /// Batches each second up to 5000, each two seconds up to 10,000.
    fn grids() -> Grids {
        let slides = || [("slow".to_owned(), 2000)].into();
        let grid = |zero, interval_ms, last| OldGrid {
            zero: at(zero),
            interval_ms,
            last: at(last),
            slides: slides(),
        };
        Grids(vec![grid(0, 1000, 5000), grid(4000, 2000, 10_000)])
    }

    #[test]
    fn times_follow_each_other_from_interval_to_interval() {
        let times =
            |from, to| grids().times(at(from), at(to)).map(|time| time.as_millis()).collect::<Vec<_>>();
        assert_eq!(times(2500, 20_000), [3000, 4000, 5000, 6000, 8000, 10_000]);
        assert_eq!(times(-9000, 1000), [1000]);
        assert_eq!(times(5000, 7000), [6000]);
        assert_eq!(times(10_000, 20_000), [0; 0]);
    }

    #[test]
    fn streams_were_due_by_the_interval_of_then() {
        let due_of = |id, slide| {
            let stream = Slides { id, slide, interval: NOW };
            let times = (0..=11_000).step_by(500).filter(|time| grids().is_due(at(*time), stream));
            times.collect::<Vec<_>>()
        };
        let due = |slide: Duration| due_of("stream", slide);
        // Whatever it does now.
        assert_eq!(due_of("slow", NOW), [2000, 4000, 6000, 8000, 10_000]);
        assert_eq!(due(NOW), [1000, 2000, 3000, 4000, 5000, 6000, 8000, 10_000]);
        assert_eq!(due(Duration::from_secs(4)), [4000, 8000]);
    }

    #[test]
    fn the_last_batch_before_a_time_may_be_of_an_earlier_interval() {
        let stream = |slide| Slides { id: "stream", slide, interval: NOW };
        let last = |to, slide| grids().last_due(at(to), stream(slide)).unwrap().as_millis();
        assert_eq!([last(11_000, NOW), last(7999, NOW), last(5999, NOW)], [10_000, 6000, 5000]);
        assert_eq!([last(3999, NOW), last(999, NOW)], [3000, 0]);
        let four = Duration::from_secs(4);
        assert_eq!([last(9999, four), last(7999, four), last(3999, four)], [8000, 4000, 0]);
        assert_eq!(Grids::default().last_due(at(5000), stream(NOW)), None);
    }

    #[test]
    fn those_that_nothing_asks_for_are_let_go() {
        assert_eq!(grids().after(at(4999)), grids());
        assert_eq!(grids().after(at(5000)).0.len(), 1);
        assert_eq!(grids().after(at(10_000)), grids().after(at(5000)));
        assert!(Grids::default().after(at(0)).is_empty());
    }
}
