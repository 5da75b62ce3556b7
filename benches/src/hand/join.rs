//! A hash join: both sides cut into parts whose tables fit into the cache, then a table of the right side's rows for
//! each, which the rows of the left side look up.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::threads::Threads;
use super::timed;
use crate::batches::Batches;
use crate::results;
use crate::workload::{BatchResult, Workload};

/// So many parts as measured fastest for a million rows.
const PARTS: usize = 64;

type Row = (u64, u64);

pub(super) struct Join<'a> {
    pub(super) left: Batches<'a, Row>,
    pub(super) right: Batches<'a, Row>,
    pub(super) threads: Threads,
}

/// Cuts rows into parts by their keys.
pub(super) fn cut<'a>(rows: impl IntoIterator<Item = &'a [Row]>, expected: usize) -> Vec<Vec<Row>> {
    let room = expected / PARTS + expected / PARTS / 8;
    let mut parts: Vec<Vec<Row>> = (0..PARTS).map(|_| Vec::with_capacity(room)).collect();
    for row in rows.into_iter().flatten() {
        let spread = row.0.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        parts[(spread >> (64 - PARTS.ilog2())) as usize].push(*row);
    }
    parts
}

/// The parts that a thread of some has to do.
pub(super) fn share(thread: usize, threads: usize) -> impl Iterator<Item = usize> {
    (thread..PARTS).step_by(threads)
}

/// Joins one part; a key's further rows are chained behind its first one.
fn join(left: &[&[Row]], right: &[&[Row]]) -> (u64, u64) {
    const END: u32 = u32::MAX;
    let mut heads: HashMap<u64, (u64, u32)> =
        HashMap::with_capacity(right.iter().map(|rows| rows.len()).sum());
    let mut more: Vec<(u64, u32)> = Vec::new();
    for &(key, value) in right.iter().copied().flatten() {
        match heads.entry(key) {
            Entry::Vacant(place) => _ = place.insert((value, END)),
            Entry::Occupied(mut head) => {
                let head = head.get_mut();
                more.push((value, head.1));
                head.1 = more.len() as u32 - 1;
            }
        }
    }
    let (mut rows, mut sum) = (0, 0_u64);
    for (key, v) in left.iter().copied().flatten() {
        let Some(&(w, mut next)) = heads.get(key) else { continue };
        rows += 1;
        sum = sum.wrapping_add(results::met(*v, w));
        while let Some(&(w, then)) = more.get(next as usize) {
            rows += 1;
            sum = sum.wrapping_add(results::met(*v, w));
            next = then;
        }
    }
    (rows, sum)
}

impl Workload for Join<'_> {
    fn batch(&mut self, i: usize) -> Result<BatchResult, String> {
        let count = self.threads.count();
        let per_batch = self.left.per_batch;
        timed(per_batch, || {
            let sides = self.threads.run(&mut vec![(); count], |part, ()| {
                let expected = per_batch / count;
                [&self.left, &self.right].map(|side| cut(side.part(i, part, count), expected))
            });
            let sums = self.threads.run(&mut vec![(); count], |thread, ()| {
                share(thread, count).fold((0, 0_u64), |sum, at| {
                    let rows =
                        |side: usize| sides.iter().map(|cut| cut[side][at].as_slice()).collect::<Vec<_>>();
                    let joined = join(&rows(0), &rows(1));
                    (sum.0 + joined.0, sum.1.wrapping_add(joined.1))
                })
            });
            let sum = sums.into_iter().fold((0, 0_u64), |a, b| (a.0 + b.0, a.1.wrapping_add(b.1)));
            results::joined(sum)
        })
    }
}
