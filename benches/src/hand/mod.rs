//! What a Rust programmer would write by hand for each workload: the measure of the engine.
//!
//! The loops know nothing of streams, failures or shuffles. Records lie in memory as the engine gets them; with more
//! than one thread each has a part of the batch and a table of its own, which are merged at the end. Tables are
//! hashbrown's with its own hasher and are kept from batch to batch.

mod chain;
mod count_words;
mod group;
mod join;
mod sort;
mod threads;
mod w1;
mod w2;
mod w3;
mod w4;
mod w5;

use std::time::Instant;

use self::threads::Threads;
use crate::args::Variant;
use crate::batches::Batches;
use crate::data::Records;
use crate::workload::{BatchResult, Kind, Plan, Workload};

/// Makes the loop of a workload ready.
///
/// # Errors
/// If the records are not of the kind that the workload reads.
pub(crate) fn open<'a>(
    plan: &Plan,
    variant: Variant,
    records: &'a Records,
) -> Result<Box<dyn Workload + 'a>, String> {
    let &Plan { kind, cores, per_batch, split, .. } = plan;
    let threads = || Threads::new(cores);
    match records {
        Records::Numbers(numbers) if kind == Kind::Chain => Ok(Box::new(chain::Chain {
            batches: Batches { records: numbers, per_batch },
            threads: threads()?,
        })),
        Records::Numbers(numbers) if kind == Kind::Sort => {
            Ok(Box::new(sort::Sort { batches: Batches { records: numbers, per_batch }, threads: threads()? }))
        }
        Records::Pairs { left, right } => {
            let batches = Batches { records: left.as_slice(), per_batch };
            match kind {
                Kind::Join => {
                    let right = Batches { records: right.as_slice(), per_batch };
                    Ok(Box::new(join::Join { left: batches, right, threads: threads()? }))
                }
                Kind::Group => Ok(Box::new(group::Group { batches, threads: threads()? })),
                _ => Err(format!("{kind:?} reads no pairs")),
            }
        }
        Records::Lines(lines) => {
            let batches = Batches { records: lines.as_slice(), per_batch };
            match (kind, variant) {
                (Kind::W1, _) => Ok(Box::new(w1::Grep { batches, threads: threads()? })),
                (Kind::W2 | Kind::Skew, Variant::Fastest) => {
                    Ok(Box::new(w2::WordCount::<&str>::new(batches, split, threads()?)))
                }
                (Kind::W2 | Kind::Skew, Variant::String) => {
                    Ok(Box::new(w2::WordCount::<String>::new(batches, split, threads()?)))
                }
                (Kind::W3, _) => Ok(Box::new(w3::TopWords::new(batches, split, threads()?))),
                (Kind::W4, _) => Ok(Box::new(w4::Counts::new(batches, plan.op, plan.state_keys, threads()?))),
                (Kind::W5, _) => Ok(Box::new(w5::FirstWords::new(batches))),
                _ => Err(format!("{kind:?} reads no lines")),
            }
        }
        Records::Numbers(_) => Err(format!("{kind:?} reads no numbers")),
    }
}

/// Measures a batch.
fn timed(records: usize, batch: impl FnOnce() -> String) -> Result<BatchResult, String> {
    let start = Instant::now();
    let result = batch();
    Ok(BatchResult { records, ms: start.elapsed().as_secs_f64() * 1000.0, result })
}

#[cfg(test)]
mod tests;
