//! W1: the lines that contain `timeout`, counted: with `str::contains`, which measured faster on lines of this length
//! than a `Finder` of memchr made once.

use super::threads::Threads;
use super::timed;
use crate::batches::Batches;
use crate::generate::NEEDLE;
use crate::results;
use crate::workload::{BatchResult, Workload};

pub(super) struct Grep<'a> {
    pub(super) batches: Batches<'a, String>,
    pub(super) threads: Threads,
}

impl Workload for Grep<'_> {
    fn batch(&mut self, i: usize) -> Result<BatchResult, String> {
        let count = self.threads.count();
        timed(self.batches.per_batch, || {
            let counts = self.threads.run(&mut vec![(); count], |part, ()| {
                let parts = self.batches.part(i, part, count);
                let lines = parts.into_iter().flatten();
                lines.filter(|line| line.contains(NEEDLE)).count() as u64
            });
            results::matches(counts.iter().sum())
        })
    }
}
