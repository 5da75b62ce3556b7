//! W1: the lines that contain `timeout`, counted.

use std::sync::Arc;

use millstream::prelude::*;

use super::engine::{leave, start};
use crate::generate::NEEDLE;
use crate::results;
use crate::workload::{Plan, Workload};

pub(super) fn open(plan: &Plan, lines: &Arc<Vec<String>>) -> Result<Box<dyn Workload>> {
    start(plan, lines, |lines, results| {
        lines.filter(|line| line.contains(NEEDLE)).foreach_rdd(move |rdd| {
            leave(&results, results::matches(rdd.count()?));
            Ok::<_, Error>(())
        });
    })
}
