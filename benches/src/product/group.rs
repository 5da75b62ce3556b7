//! Pairs of very many keys, grouped by key.

use std::sync::Arc;

use millstream::prelude::*;

use super::engine::{leave, start};
use crate::results::{self, Groups};
use crate::workload::{Plan, Workload};

pub(super) fn open(plan: &Plan, pairs: &Arc<Vec<(u64, u64)>>) -> Result<Box<dyn Workload>> {
    start(plan, pairs, |pairs, results| {
        pairs.group_by_key().foreach_rdd(move |rdd| {
            let sizes = rdd.map_partitions(|groups| {
                [groups.fold(Groups::default(), |sizes, (_, values)| results::group(sizes, values.len()))]
            });
            leave(&results, results::grouped(sizes.collect()?));
            Ok::<_, Error>(())
        });
    })
}
