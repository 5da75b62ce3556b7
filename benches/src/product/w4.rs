//! W4: a count for every key of a state, with either stateful operator.

use std::path::Path;
use std::sync::Arc;

use millstream::prelude::*;

use super::engine::{Results, leave, start, start_with_checkpoints};
use crate::args::Op;
use crate::results;
use crate::workload::{Plan, Workload, key};

pub(super) fn open(plan: &Plan, lines: &Arc<Vec<String>>, work: Option<&Path>) -> Result<Box<dyn Workload>> {
    match work {
        None => start(plan, lines, |lines, results| {
            describe(plan, lines.map_ref(|key| (Text::from(key.as_str()), 1u64)), results);
        }),
        Some(work) => start_with_checkpoints(plan, lines, &work.join("w4"), |lines, results| {
            describe(plan, lines.map(|key| (Text::from(key), 1u64)), results);
        }),
    }
}

fn describe(plan: &Plan, ones: DStream<(Text, u64)>, results: Results) {
    let context = ones.context();
    let all =
        context.range(0, plan.state_keys as i64, 1, plan.cores).map(|n| (Text::from(key(n as usize)), 0u64));
    match plan.op {
        Op::Update => {
            let options = UpdateOptions::default().partitioner(plan.cores).initial_state(all);
            let counts = ones.update_state_by_key_with(
                |_, _, ones, count| Some(ones.into_iter().sum::<u64>() + count.unwrap_or(0)),
                options,
            );
            counts.foreach_rdd(move |rdd| {
                let counts = rdd.map_ref(|(_, n)| *n);
                let (keys, sum) = counts.aggregate(
                    (0u64, 0u64),
                    |(keys, sum), n| (keys + 1, sum + n),
                    |(a, b), (c, d)| (a + c, b + d),
                )?;
                leave(&results, results::keys_with_sum(keys, sum));
                Ok::<_, Error>(())
            });
        }
        Op::Map => {
            let count = StateSpec::function(|_: &Text, one: Option<u64>, state: &mut State<'_, u64>| {
                let count = state.get_option().copied().unwrap_or(0) + one.unwrap_or(0);
                state.update(count);
                count
            });
            let spec = count.num_partitions(plan.cores).initial_state(all);
            ones.map_with_state(spec).foreach_rdd(move |rdd| {
                leave(&results, results::touched_and_sum(rdd.collect()?.into_iter()));
                Ok::<_, Error>(())
            });
        }
    }
}
