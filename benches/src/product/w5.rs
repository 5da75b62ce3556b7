//! W5: a batch of few lines, their first words counted by word.

use std::sync::Arc;

use millstream::prelude::*;

use super::engine::start;
use super::w2::leave_keys_and_sum;
use crate::workload::{Plan, Workload};

pub(super) fn open(plan: &Plan, lines: &Arc<Vec<String>>) -> Result<Box<dyn Workload>> {
    start(plan, lines, |lines, results| {
        let first = lines.map_ref(|line| Text::from(line.split(' ').next().unwrap_or_default()));
        let counts = first.map(|word| (word, 1)).reduce_by_key(|a, b| a + b);
        counts.foreach_rdd(move |rdd| leave_keys_and_sum(&results, &rdd));
    })
}
