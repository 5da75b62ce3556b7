//! W5: a batch of few lines, their first words counted by word. On one thread: a second one would only cost.

use super::count_words::Counts;
use super::timed;
use crate::batches::Batches;
use crate::results;
use crate::workload::{BatchResult, Workload};

pub(super) struct FirstWords<'a> {
    batches: Batches<'a, String>,
    counts: Counts<&'a str>,
}

impl<'a> FirstWords<'a> {
    pub(super) fn new(batches: Batches<'a, String>) -> Self {
        FirstWords { batches, counts: Counts::new() }
    }
}

impl Workload for FirstWords<'_> {
    fn batch(&mut self, i: usize) -> Result<BatchResult, String> {
        timed(self.batches.per_batch, || {
            self.counts.clear();
            for line in self.batches.part(i, 0, 1).into_iter().flatten() {
                let word = line.split(' ').next().unwrap_or_default();
                *self.counts.entry(word).or_insert(0) += 1;
            }
            results::keys_and_sum(self.counts.values().copied())
        })
    }
}
