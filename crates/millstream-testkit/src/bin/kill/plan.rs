//! When and as what each child lives: made of the seed.

use std::time::Duration;

use millstream_core::failpoint;
use millstream_core::shuffle::hash::pinned_hash;

/// A child that is killed at a random moment lives no longer than this, in milliseconds.
const LIFE: u64 = 1_000;

/// A child that was told to stop is killed within this, in milliseconds: about as long as it takes to stop, so that both come.
const STOPPING: u64 = 400;

/// After so many kills at places a child catches up: programs that die soon get behind, the more the longer it goes on.
const IN_A_ROW: usize = 6;

/// Places that are reached only after a death at another one, each after that. What was left half done is what the
/// next start has to deal with; a program that begins with a savepoint dies each time before it has a checkpoint of its own.
const AFTER: &[(&str, &[&str])] = &[
    ("state-after-publish", &["sweep-before-delete"]),
    ("state-before-publish", &["sweep-after-delete"]),
    (
        "savepoint-after-publish",
        &["savepoint-before-adopt", "savepoint-half-adopted", "savepoint-after-adopt"],
    ),
];

/// How a child is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// After this time, by the parent.
    Moment(Duration),
    /// So long after it has caught up with the clock, by the parent.
    CaughtUp(Duration),
    /// So long after it was told to stop gracefully, which it was after the first of these, by the parent; if it has not ended by then.
    Stopping(Duration, Duration),
    /// When it comes to this place for the n-th time, by itself.
    Place(&'static str, u64),
}

/// Where the next child ends, but for what is diced.
#[derive(Debug, Clone, Copy)]
enum Step {
    Moment,
    CaughtUp,
    Stopping,
    Place(&'static str),
}

/// How all children of a run are to end.
pub(crate) struct Plan {
    seed: u64,
    /// From the last on they are the first again.
    ends: Vec<Step>,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let is_later = |place: &&str| AFTER.iter().any(|(_, later)| later.contains(place));
        let mut tours: Vec<Vec<&'static str>> = Vec::new();
        for place in failpoint::NAMES.iter().filter(|place| !is_later(place)) {
            let later = AFTER.iter().find(|(first, _)| first == place).map(|(_, later)| *later);
            tours.push([*place].into_iter().chain(later.unwrap_or_default().iter().copied()).collect());
        }
        // Another begin for each seed, so that runs with fewer kills than places come to all of them together.
        let begin = pinned_hash(&(seed, "begin")) as usize % tours.len();
        tours.rotate_left(begin);
        let mut ends = Vec::new();
        let mut in_a_row = 0;
        for tour in tours {
            in_a_row += tour.len();
            ends.extend(tour.into_iter().map(Step::Place));
            if in_a_row >= IN_A_ROW {
                ends.extend([Step::Moment, Step::Stopping, Step::CaughtUp]);
                in_a_row = 0;
            }
        }
        Plan { seed, ends }
    }

    /// Returns how many kills it takes to come to all places.
    pub(crate) fn kills_for_all(&self) -> usize {
        self.ends.len()
    }

    /// Returns how the child of a number is to end.
    pub(crate) fn end(&self, number: usize) -> End {
        let moment = Duration::from_millis(self.dice("moment", number) % LIFE);
        match self.ends[number % self.ends.len()] {
            Step::Place(place) => End::Place(place, 1 + self.dice("times", number) % most(place)),
            Step::Moment => End::Moment(moment),
            Step::CaughtUp => End::CaughtUp(moment),
            Step::Stopping => {
                End::Stopping(moment, Duration::from_millis(self.dice("stopping", number) % STOPPING))
            }
        }
    }

    /// Returns which version of the program a child is of.
    pub(crate) fn version(&self, number: usize) -> u64 {
        1 + self.dice("version", number) % 2
    }

    /// Returns whether a child is asked for a savepoint that nobody goes on from.
    pub(crate) fn is_asked(&self, number: usize) -> bool {
        self.dice("asked", number).is_multiple_of(2)
    }

    fn dice(&self, what: &str, number: usize) -> u64 {
        pinned_hash(&(self.seed, what, number as u64))
    }
}

/// How often every child comes to a place before long.
fn most(place: &str) -> u64 {
    match place {
        "file-after-fsync" | "file-after-rename" => 60,
        "sweep-before-delete" | "sweep-after-delete" | "log-before-clean" | "log-after-clean" => 1,
        _ if ["savepoint", "lease", "inputs"].iter().any(|once| place.starts_with(once)) => 1,
        _ => 3,
    }
}
