//! Which records are in which batch: batch `i` is the next `per_batch` records, round and round.

use std::ops::Range;

/// Records in memory, cut into batches.
#[derive(Debug)]
pub(crate) struct Batches<'a, T> {
    pub(crate) records: &'a [T],
    pub(crate) per_batch: usize,
}

impl<'a, T> Batches<'a, T> {
    /// Returns one of `parts` equal parts of a batch: as few slices as possible, more than one at the records' end.
    pub(crate) fn part(&self, batch: usize, part: usize, parts: usize) -> Vec<&'a [T]> {
        let records = self.records;
        ranges(records.len(), self.per_batch, batch, part, parts).into_iter().map(|at| &records[at]).collect()
    }
}

/// Returns where among `total` records one of `parts` equal parts of a batch lies. There must be records.
pub(crate) fn ranges(
    total: usize,
    per_batch: usize,
    batch: usize,
    part: usize,
    parts: usize,
) -> Vec<Range<usize>> {
    // In 128 bits: a batch's number times its size may be any number.
    let first = (batch as u128 * per_batch as u128 + (per_batch * part / parts) as u128) % total as u128;
    let mut left = per_batch * (part + 1) / parts - per_batch * part / parts;
    let mut start = first as usize;
    let mut ranges = Vec::new();
    while left > 0 {
        let end = total.min(start.saturating_add(left));
        left -= end - start;
        ranges.push(start..end);
        start = 0;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_go_round_and_parts_cover_them_in_order() {
        for total in 1..8 {
            for per_batch in 1..20 {
                for batch in 0..5 {
                    for parts in 1..5 {
                        let expected: Vec<usize> =
                            (batch * per_batch..(batch + 1) * per_batch).map(|at| at % total).collect();
                        let actual: Vec<usize> = (0..parts)
                            .flat_map(|part| ranges(total, per_batch, batch, part, parts))
                            .flatten()
                            .collect();
                        assert_eq!(actual, expected);
                    }
                }
            }
        }
    }

    #[test]
    fn a_batch_within_the_records_is_one_slice() {
        let records: Vec<u32> = (0..100).collect();
        let batches = Batches { records: &records, per_batch: 10 };
        assert_eq!(batches.part(12, 0, 1), [&records[20..30]]);
        assert_eq!(batches.part(12, 1, 2), [&records[25..30]]);
    }
}
