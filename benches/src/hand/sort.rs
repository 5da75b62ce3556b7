//! Numbers sorted on all threads by rayon, in a copy: the records stay as they are.

use rayon::slice::ParallelSliceMut;

use super::threads::Threads;
use super::timed;
use crate::batches::Batches;
use crate::results;
use crate::workload::{BatchResult, Workload};

pub(super) struct Sort<'a> {
    pub(super) batches: Batches<'a, u64>,
    pub(super) threads: Threads,
}

impl Workload for Sort<'_> {
    fn batch(&mut self, i: usize) -> Result<BatchResult, String> {
        let count = self.threads.count();
        timed(self.batches.per_batch, || {
            let mut numbers = self.batches.part(i, 0, 1).concat();
            match count {
                1 => numbers.sort_unstable(),
                _ => self.threads.within(|| numbers.par_sort_unstable()),
            }
            let mut parts: Vec<&[u64]> = numbers.chunks(numbers.len().div_ceil(count).max(1)).collect();
            results::sorted(self.threads.run(&mut parts, |_, part| results::run(part.iter().copied())))
        })
    }
}
