//! Numbers in no order, sorted within the output operation: looking for ranges counts as well.

use std::sync::Arc;

use millstream::prelude::*;

use super::engine::{leave, start};
use crate::results;
use crate::workload::{Plan, Workload};

pub(super) fn open(plan: &Plan, numbers: &Arc<Vec<u64>>) -> Result<Box<dyn Workload>> {
    start(plan, numbers, |numbers, results| {
        numbers.foreach_rdd(move |rdd| {
            let sorted = rdd.sort_by(|n| *n);
            leave(&results, results::sorted(sorted.map_partitions(|part| [results::run(part)]).collect()?));
            Ok::<_, Error>(())
        });
    })
}
