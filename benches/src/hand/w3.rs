//! W3: the ten most frequent words of the last thirty batches: what enters is added, what leaves is subtracted.

use std::collections::VecDeque;

use hashbrown::hash_map::Entry;

use super::count_words::{Counts, count_words};
use super::threads::Threads;
use super::timed;
use crate::args::Split;
use crate::batches::Batches;
use crate::results;
use crate::workload::{BatchResult, WINDOW, Workload};

pub(super) struct TopWords<'a> {
    batches: Batches<'a, String>,
    split: Split,
    threads: Threads,
    tables: Vec<Counts<&'a str>>,
    /// The counts of each batch in the window, the oldest first.
    window: VecDeque<Counts<&'a str>>,
    /// Their sum, without words that occur no more.
    total: Counts<&'a str>,
}

impl<'a> TopWords<'a> {
    pub(super) fn new(batches: Batches<'a, String>, split: Split, threads: Threads) -> Self {
        let tables = (0..threads.count()).map(|_| Counts::new()).collect();
        TopWords { batches, split, threads, tables, window: VecDeque::new(), total: Counts::new() }
    }

    fn slide(&mut self, i: usize) {
        count_words(&self.batches, i, self.split, &self.threads, &mut self.tables);
        for (word, n) in &self.tables[0] {
            *self.total.entry(word).or_insert(0) += n;
        }
        let full = self.window.len() == WINDOW;
        let leaving = if full { self.window.pop_front().unwrap_or_default() } else { Counts::new() };
        for (word, n) in &leaving {
            if let Entry::Occupied(mut count) = self.total.entry(word) {
                *count.get_mut() -= n;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
        // The table that leaves is used again for the next batch.
        self.window.push_back(std::mem::replace(&mut self.tables[0], leaving));
    }
}

impl Workload for TopWords<'_> {
    fn batch(&mut self, i: usize) -> Result<BatchResult, String> {
        timed(self.batches.per_batch, || {
            self.slide(i);
            results::top_ten(self.total.iter().map(|(&word, &n)| (word, n)))
        })
    }
}
