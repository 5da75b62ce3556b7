//! The values of each key: pairs cut into parts whose tables fit into the cache, then a table of vectors for each.

use hashbrown::HashMap;

use super::join::{cut, share};
use super::threads::Threads;
use super::timed;
use crate::batches::Batches;
use crate::results::{self, Groups};
use crate::workload::{BatchResult, Workload};

pub(super) struct Group<'a> {
    pub(super) batches: Batches<'a, (u64, u64)>,
    pub(super) threads: Threads,
}

impl Workload for Group<'_> {
    fn batch(&mut self, i: usize) -> Result<BatchResult, String> {
        let count = self.threads.count();
        let per_batch = self.batches.per_batch;
        timed(per_batch, || {
            let cuts = self.threads.run(&mut vec![(); count], |part, ()| {
                cut(self.batches.part(i, part, count), per_batch / count)
            });
            let groups = self.threads.run(&mut vec![(); count], |thread, ()| {
                let mut sizes = Groups::default();
                for at in share(thread, count) {
                    let mut groups: HashMap<u64, Vec<u64>> = HashMap::new();
                    for (key, value) in cuts.iter().flat_map(|cut| &cut[at]) {
                        groups.entry(*key).or_default().push(*value);
                    }
                    sizes = groups.values().fold(sizes, |sizes, group| results::group(sizes, group.len()));
                }
                sizes
            });
            results::grouped(groups)
        })
    }
}
