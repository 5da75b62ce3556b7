//! Which keys were last touched when.

use std::collections::BTreeMap;

/// The times at which keys were last touched, and the keys by these times.
#[derive(Default)]
pub(super) struct Timeouts {
    /// By the keys' numbers, in milliseconds.
    last: Vec<i64>,
    /// The numbers of the keys that were touched at a time, be it that they were touched again later.
    touched: BTreeMap<i64, Vec<u32>>,
    /// How many numbers these are.
    queued: usize,
}

impl Timeouts {
    /// Returns when a key was last touched.
    pub(super) fn last(&self, at: usize) -> i64 {
        self.last.get(at).copied().unwrap_or_default()
    }

    /// Sets when a key was last touched.
    pub(super) fn set(&mut self, at: usize, time: i64) {
        if self.last.len() <= at {
            self.last.resize(at + 1, i64::MIN);
        }
        self.last[at] = time;
        self.touched.entry(time).or_default().push(at as u32);
        self.queued += 1;
    }

    /// Returns the keys that were last touched at `threshold` or before, the oldest first; `is_there` tells which have a state.
    pub(super) fn idle(&self, threshold: i64, is_there: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut idle = Vec::new();
        for (time, numbers) in self.touched.range(..=threshold) {
            let mut of_time: Vec<usize> = numbers.iter().map(|at| *at as usize).collect();
            of_time.retain(|at| self.last[*at] == *time && is_there(*at));
            // A key may have been noted twice: when it was touched, and when that was restored.
            let mut seen = std::collections::HashSet::new();
            of_time.retain(|at| seen.insert(*at));
            idle.extend(of_time);
        }
        idle
    }

    /// Returns the time of the last touch that is the longest ago; `is_there` tells which keys have a state.
    pub(super) fn oldest(&self, is_there: impl Fn(usize) -> bool) -> Option<i64> {
        let is_last = |time: i64, at: usize| self.last[at] == time && is_there(at);
        let mut times = self.touched.iter();
        times
            .find(|(time, numbers)| numbers.iter().any(|at| is_last(**time, *at as usize)))
            .map(|(time, _)| *time)
    }

    /// Forgets the keys that were last touched at `threshold` or before: they have left.
    pub(super) fn forget(&mut self, threshold: i64) {
        let kept = self.touched.split_off(&threshold.saturating_add(1));
        let gone = std::mem::replace(&mut self.touched, kept);
        self.queued -= gone.values().map(Vec::len).sum::<usize>();
    }

    /// Returns the bytes that this takes, about.
    pub(super) fn allocated(&self) -> usize {
        self.last.capacity() * size_of::<i64>() + self.queued * size_of::<u32>()
    }

    /// Drops what is no longer true, if that is most of it.
    pub(super) fn tidy(&mut self, keys: usize, is_there: impl Fn(usize) -> bool) {
        if self.queued <= 2 * keys + 1024 {
            return;
        }
        let last = &self.last;
        self.touched.retain(|time, numbers| {
            numbers.retain(|at| last[*at as usize] == *time && is_there(*at as usize));
            numbers.shrink_to_fit();
            !numbers.is_empty()
        });
        self.queued = self.touched.values().map(Vec::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::Timeouts;

    #[test]
    fn keys_are_idle_from_their_last_touch_on() {
        let mut timeouts = Timeouts::default();
        for (at, time) in [(0, 10), (1, 10), (2, 20), (0, 30), (3, 5), (1, 10)] {
            timeouts.set(at, time);
        }
        assert_eq!(timeouts.idle(4, |_| true), [0_usize; 0]);
        assert_eq!([timeouts.oldest(|_| true), timeouts.oldest(|at| at == 0)], [Some(5), Some(30)]);
        assert_eq!(timeouts.oldest(|_| false), None);
        assert_eq!(timeouts.idle(10, |_| true), [3, 1]);
        assert_eq!(timeouts.idle(10, |at| at != 1), [3]);
        timeouts.forget(10);
        assert_eq!(timeouts.idle(40, |_| true), [2, 0]);
        assert_eq!((timeouts.last(0), timeouts.last(2), timeouts.last(9)), (30, 20, 0));
    }

    #[test]
    fn memory_follows_the_keys_not_the_touches() {
        let mut timeouts = Timeouts::default();
        for time in 0..100_000 {
            timeouts.set(0, time);
            timeouts.tidy(1, |_| true);
            assert!(timeouts.queued <= 1027);
        }
        assert_eq!(timeouts.idle(99_999, |_| true), [0]);
    }
}
