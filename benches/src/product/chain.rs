//! Ten times `map(|x| x + 1)` on each number, and the sum.

use std::sync::Arc;

use millstream::prelude::*;

use super::engine::{leave, start};
use crate::results;
use crate::workload::{Plan, Workload};

pub(super) fn open(plan: &Plan, numbers: &Arc<Vec<u64>>) -> Result<Box<dyn Workload>> {
    start(plan, numbers, |numbers, results| {
        let chained = (0..10).fold(numbers.clone(), |numbers, _| numbers.map(|x| x + 1));
        chained.foreach_rdd(move |rdd| {
            leave(&results, results::sum(rdd.reduce(|a, b| a + b)?.unwrap_or_default()));
            Ok::<_, Error>(())
        });
    })
}
