//! Two streams of pairs, joined by key.

use std::sync::Arc;

use millstream::prelude::*;

use super::engine::{leave, start_all};
use crate::results;
use crate::workload::{Plan, Workload};

type Rows = Arc<Vec<(u64, u64)>>;

pub(super) fn open(plan: &Plan, left: &Rows, right: &Rows) -> Result<Box<dyn Workload>> {
    start_all(plan, [left, right], |[left, right], results| {
        left.join(&right).foreach_rdd(move |rdd| {
            let add = |sum: (u64, u64), (_, (v, w))| (sum.0 + 1, sum.1.wrapping_add(results::met(v, w)));
            let sum = rdd.aggregate((0, 0), add, |a, b| (a.0 + b.0, a.1.wrapping_add(b.1)))?;
            leave(&results, results::joined(sum));
            Ok::<_, Error>(())
        });
    })
}
