//! W2: words, counted by word, borrowed from their lines or as `String`s of their own.

use std::hash::Hash;

use super::count_words::{Counts, count_words};
use super::threads::Threads;
use super::timed;
use crate::args::Split;
use crate::batches::Batches;
use crate::results;
use crate::workload::{BatchResult, Workload};

/// `K` is `&str`, or `String`, of which one is made for each word that occurs: that is what a record of type
/// `String` is.
pub(super) struct WordCount<'a, K> {
    batches: Batches<'a, String>,
    split: Split,
    threads: Threads,
    tables: Vec<Counts<K>>,
}

impl<'a, K> WordCount<'a, K> {
    pub(super) fn new(batches: Batches<'a, String>, split: Split, threads: Threads) -> Self {
        let tables = (0..threads.count()).map(|_| Counts::new()).collect();
        WordCount { batches, split, threads, tables }
    }
}

impl<'a, K: From<&'a str> + Eq + Hash + Send> Workload for WordCount<'a, K> {
    fn batch(&mut self, i: usize) -> Result<BatchResult, String> {
        timed(self.batches.per_batch, || {
            count_words(&self.batches, i, self.split, &self.threads, &mut self.tables);
            results::keys_and_sum(self.tables[0].values().copied())
        })
    }
}
