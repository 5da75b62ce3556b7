//! The same results when an executor loses, delays and repeats results.

use std::time::Duration;

use millstream_core::scheduler::faulty::{Faults, FaultyExecutor};
use millstream_core::scheduler::local::LocalExecutor;
use millstream_core::{Conf, Context};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::models::{
    Input, check_cogroup, check_group_by_key, check_reduce_by_key, check_take, check_union, pairs,
};
use crate::sorted;

fn faulty(faults: Faults) -> Context {
    Context::with_executor(Conf::empty(), FaultyExecutor::new(LocalExecutor::new(2).unwrap(), faults))
        .unwrap()
}

fn faults() -> impl Strategy<Value = Faults> {
    (any::<u64>(), 0.1..0.3_f64, 0.0..0.3_f64, 0.0..0.3_f64).prop_map(|(seed, lose, delay, repeat)| Faults {
        seed,
        lose,
        delay,
        by: Duration::from_millis(1),
        repeat,
    })
}

/// A job of three shuffles, two of which read the same one.
fn check_a_long_job(context: &Context, (records, partitions): &Input<(i8, i32)>) {
    let once = context.parallelize(records.clone(), *partitions).reduce_by_key_with(|a, b| a + b, 3);
    let doubled = once.map(|(key, sum)| (key / 2, sum)).union(&once.map(|(key, sum)| (key / 2, -sum)));
    let zeros = doubled.reduce_by_key_with(|a, b| a + b, 4).filter(|(_, sum)| *sum == 0);
    let mut keys: Vec<i8> = records.iter().map(|(key, _)| key / 2).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(sorted(zeros.collect().unwrap()), keys.into_iter().map(|key| (key, 0)).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn reduce_by_key_survives(faults in faults(), input in pairs(), reducers in 1_usize..8) {
        check_reduce_by_key(&faulty(faults), &input, reducers);
    }

    #[test]
    fn group_by_key_survives(faults in faults(), input in pairs(), reducers in 1_usize..8) {
        check_group_by_key(&faulty(faults), &input, reducers);
    }

    #[test]
    fn cogroup_survives(faults in faults(), left in pairs(), right in pairs(), spread in any::<(bool, bool)>()) {
        check_cogroup(&faulty(faults), [&left, &right], spread, 4);
    }

    #[test]
    fn union_survives(faults in faults(), inputs in vec((pairs(), any::<bool>()), 0..5)) {
        check_union(&faulty(faults), &inputs, 3);
    }

    #[test]
    fn take_survives(faults in faults(), input in (vec(0..100, 0..80), 1_usize..20), n in 0_usize..100) {
        check_take(&faulty(faults), &input, n);
    }

    #[test]
    fn a_long_job_survives(faults in faults(), input in pairs()) {
        check_a_long_job(&faulty(faults), &input);
    }
}
