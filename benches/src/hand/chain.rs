//! Ten additions of 1 to each number, and the sum: one loop, which the compiler is free to fold.

use super::threads::Threads;
use super::timed;
use crate::batches::Batches;
use crate::results;
use crate::workload::{BatchResult, Workload};

pub(super) struct Chain<'a> {
    pub(super) batches: Batches<'a, u64>,
    pub(super) threads: Threads,
}

impl Workload for Chain<'_> {
    fn batch(&mut self, i: usize) -> Result<BatchResult, String> {
        let count = self.threads.count();
        timed(self.batches.per_batch, || {
            let sums = self.threads.run(&mut vec![(); count], |part, ()| {
                let numbers = self.batches.part(i, part, count).into_iter().flatten();
                numbers.map(|&x| (0..10).fold(x, |x, _| x + 1)).sum::<u64>()
            });
            results::sum(sums.iter().sum())
        })
    }
}
