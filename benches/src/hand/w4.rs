//! W4: a count for every key of a state. Each thread has the keys that belong to it, as the engine's partitions do.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap};

use super::threads::Threads;
use super::timed;
use crate::args::Op;
use crate::batches::Batches;
use crate::results;
use crate::workload::{BatchResult, Workload, key};

pub(super) struct Counts<'a> {
    batches: Batches<'a, String>,
    op: Op,
    threads: Threads,
    hasher: DefaultHashBuilder,
    /// By thread.
    counts: Vec<HashMap<String, u64>>,
}

impl<'a> Counts<'a> {
    pub(super) fn new(batches: Batches<'a, String>, op: Op, state_keys: usize, threads: Threads) -> Self {
        let hasher = DefaultHashBuilder::default();
        let mut counts: Vec<HashMap<String, u64>> = (0..threads.count()).map(|_| HashMap::new()).collect();
        for n in 0..state_keys {
            let key = key(n);
            let at = owner(&hasher, &key, threads.count());
            counts[at].insert(key, 0);
        }
        Counts { batches, op, threads, hasher, counts }
    }

    /// Counts the keys of a batch; returns what each thread has mapped its keys to, in all.
    fn touch(&mut self, i: usize) -> Vec<(u64, u64)> {
        let (batches, hasher, parts) = (&self.batches, &self.hasher, self.threads.count());
        let op = self.op;
        self.threads.run(&mut self.counts, |part, counts| {
            let (mut touched, mut sum) = (0, 0);
            for key in batches.part(i, 0, 1).into_iter().flatten() {
                if owner(hasher, key, parts) == part {
                    let count = counts.entry_ref(key.as_str()).or_insert(0);
                    *count += 1;
                    touched += 1;
                    sum += *count;
                }
            }
            match op {
                Op::Map => (touched, sum),
                Op::Update => (counts.len() as u64, counts.values().sum()),
            }
        })
    }
}

/// Returns which of some threads a key belongs to.
fn owner(hasher: &DefaultHashBuilder, key: &str, threads: usize) -> usize {
    if threads == 1 { 0 } else { (hasher.hash_one(key) >> 32) as usize % threads }
}

impl Workload for Counts<'_> {
    fn batch(&mut self, i: usize) -> Result<BatchResult, String> {
        timed(self.batches.per_batch, || {
            let all = self.touch(i).into_iter().fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
            match self.op {
                Op::Update => results::keys_with_sum(all.0, all.1),
                Op::Map => format!("touched={},sum={}", all.0, all.1),
            }
        })
    }
}
