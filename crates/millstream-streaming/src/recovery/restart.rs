//! Which batches are run after a restart before the clock goes on.

use std::time::Duration;

use super::checkpoint::Manifest;
use crate::time::Time;

/// The batches of a restart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Restart {
    /// Those that were completed after states were saved: the states are made again of their inputs, no output is run.
    pub(crate) replayed: Vec<Time>,
    /// Those that were generated and not completed: they run again, with exactly their inputs.
    pub(crate) pending: Vec<Time>,
    /// The first and the last of those that were due while the program was away: there may be very many.
    pub(crate) missed: Option<(Time, Time)>,
    /// The first batch of the clock.
    pub(crate) first: Time,
    /// The first batch time of the streams less the interval.
    pub(crate) zero: Time,
}

impl Restart {
    /// Decides for a program that goes on from a manifest at `now`, with a batch each `interval`.
    pub(crate) fn new(manifest: &Manifest, interval: Duration, now: Time) -> Self {
        // Batches of another interval are reckoned from the same time, so that windows that slide by several go on without a gap.
        let zero = manifest.zero;
        let next = manifest.time.floor_from(interval, zero) + interval;
        // The clock may have been put back.
        let first = next.max(now.floor_from(interval, zero) + interval);
        let saved = manifest.operators.iter().map(|operator| operator.version).min();
        let before = Duration::from_millis(manifest.batch_interval_ms);
        let last = manifest.not_asked_for();
        let replayed = saved.into_iter().flat_map(|saved| {
            let old = manifest.old_grids.times(saved, last);
            let saved = manifest.old_grids.last().map_or(saved, |old| saved.max(old));
            let first = saved.floor_from(before, manifest.zero) + before;
            old.chain(first.to(last, before)).collect::<Vec<_>>()
        });
        let replayed = replayed.filter(|batch| !manifest.passed_over.iter().any(|span| span.has(*batch)));
        Restart {
            replayed: replayed.collect(),
            pending: manifest.pending.iter().copied().collect(),
            missed: (next < first).then(|| (next, first - interval)),
            first,
            zero,
        }
    }

    /// Returns whether a batch was generated before the manifest, or is one to come.
    pub(crate) fn has(manifest: &Manifest, interval: Duration, batch: Time) -> bool {
        batch <= manifest.time || batch.floor_from(interval, manifest.zero) == batch
    }
}

#[cfg(test)]
mod tests {
    use super::super::checkpoint::manifest::{SavedFile, operator_of};
    use super::super::grids::OldGrid;
    use super::*;

    fn restart(pending: &[i64], interval: u64, now: i64) -> (Vec<i64>, Vec<i64>, i64) {
        let mut manifest = Manifest::of(1, 1, 5000);
        manifest.pending.extend(pending.iter().map(|millis| Time::from_millis(*millis)));
        let restart = Restart::new(&manifest, Duration::from_millis(interval), Time::from_millis(now));
        let millis = |times: Vec<Time>| times.into_iter().map(Time::as_millis).collect();
        let missed = restart.missed.into_iter();
        let missed = missed.flat_map(|(from, to)| from.to(to, Duration::from_millis(interval))).collect();
        (millis(restart.pending), millis(missed), restart.first.as_millis())
    }

    #[test]
    fn first_what_was_not_completed_then_what_was_missed_then_the_clock() {
        assert_eq!(restart(&[4000, 5000], 1000, 8500), (vec![4000, 5000], vec![6000, 7000, 8000], 9000));
        assert_eq!(restart(&[5000], 1000, 5500), (vec![5000], vec![], 6000));
        assert_eq!(restart(&[], 1000, 6000), (vec![], vec![6000], 7000));
    }

    #[test]
    fn states_that_are_older_than_the_last_batch_are_made_again() {
        let replayed = |version: i64, pending: &[i64]| {
            let mut manifest = Manifest::of(1, 1, 5000);
            manifest.pending.extend(pending.iter().map(|millis| Time::from_millis(*millis)));
            let file = SavedFile { name: "state".into(), bytes: 0, crc32: 0 };
            manifest.operators.push(operator_of(version, file));
            let restart = Restart::new(&manifest, Duration::from_secs(1), Time::from_millis(8500));
            restart.replayed.into_iter().map(Time::as_millis).collect::<Vec<_>>()
        };
        assert_eq!(replayed(3000, &[]), [4000, 5000]);
        assert_eq!(replayed(3000, &[5000]), [4000]);
        assert_eq!(replayed(0, &[3000, 4000, 5000]), [1000, 2000]);
        assert_eq!(replayed(5000, &[]), [0_i64; 0]);
    }

    #[test]
    fn states_are_made_again_by_the_batch_times_of_then() {
        let mut manifest = Manifest::of(1, 1, 8000);
        (manifest.zero, manifest.batch_interval_ms) = (Time::from_millis(4000), 2000);
        let last = Time::from_millis(5000);
        manifest.old_grids.push(OldGrid {
            zero: Time::from_millis(0),
            interval_ms: 1000,
            last,
            slides: Default::default(),
        });
        let file = SavedFile { name: "state".into(), bytes: 0, crc32: 0 };
        manifest.operators.push(operator_of(3000, file));
        let restart = Restart::new(&manifest, Duration::from_secs(2), Time::from_millis(8500));
        let replayed: Vec<_> = restart.replayed.into_iter().map(Time::as_millis).collect();
        assert_eq!(replayed, [4000, 5000, 6000, 8000]);
    }

    #[test]
    fn a_clock_that_was_put_back_does_not_run_a_batch_twice() {
        assert_eq!(restart(&[], 1000, 0), (vec![], vec![], 6000));
    }

    #[test]
    fn batches_of_another_interval_follow_those_of_the_old_one() {
        assert_eq!(restart(&[5000], 2000, 8500), (vec![5000], vec![6000, 8000], 10_000));
        assert_eq!(restart(&[5000], 400, 5700), (vec![5000], vec![5200, 5600], 6000));
    }

    #[test]
    fn batches_of_another_interval_are_reckoned_from_where_the_streams_began() {
        let mut manifest = Manifest::of(1, 1, 4000);
        // The manifest of a restart with two seconds, after which it has died at once.
        for (zero, before) in [(1000, 1000), (1000, 2000)] {
            (manifest.zero, manifest.batch_interval_ms) = (Time::from_millis(zero), before);
            let restart = Restart::new(&manifest, Duration::from_secs(2), Time::from_millis(8500));
            let missed = restart.missed.map(|(from, to)| (from.as_millis(), to.as_millis()));
            assert_eq!((missed, restart.first.as_millis()), (Some((5000, 7000)), 9000));
        }
    }

    #[test]
    fn a_program_that_was_away_for_years_begins_at_once() {
        let manifest = Manifest::of(1, 1, 5000);
        let away = Time::from_millis(i64::MAX / 4);
        let restart = Restart::new(&manifest, Duration::from_secs(1), away);
        assert_eq!(restart.missed.map(|(from, _)| from.as_millis()), Some(6000));
        assert!(restart.replayed.is_empty());
    }
}
