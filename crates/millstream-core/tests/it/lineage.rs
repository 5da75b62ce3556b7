//! Lineages of thousands of RDDs.

use millstream_core::{Error, Rdd};

use crate::{context, on, sorted};

fn deep(depth: usize, f: impl Fn(&Rdd<u64>) -> Rdd<u64>) -> Rdd<u64> {
    let mut rdd = context().parallelize(0..5, 2);
    for _ in 0..depth {
        rdd = f(&rdd);
    }
    rdd
}

#[test]
fn ten_thousand_operators_in_a_row_are_computed() {
    assert_eq!(
        deep(10_000, |rdd| rdd.map(|n| n + 1)).collect().unwrap(),
        [10_000, 10_001, 10_002, 10_003, 10_004]
    );
    assert_eq!(deep(10_000, |rdd| rdd.filter(|_| true)).count().unwrap(), 5);
    assert_eq!(
        deep(10_000, |rdd| rdd.map_partitions(|records| records.map(|n| n + 1))).take(1).unwrap(),
        [10_000]
    );
    assert_eq!(
        deep(10_000, |rdd| rdd.flat_map(|n| [n]))
            .map(|n| (n, 1))
            .reduce_by_key(|a, b| a + b)
            .count()
            .unwrap(),
        5
    );
}

#[test]
fn a_lineage_of_any_length_can_be_dropped() {
    drop(deep(200_000, |rdd| rdd.map(|n| n + 1)));
    let mut pairs = context().parallelize([(1, 1)], 1);
    for _ in 0..20_000 {
        pairs = pairs.map(|pair| pair).reduce_by_key(|a, b| a + b);
    }
}

#[test]
fn what_is_too_deep_for_the_stack_is_refused() {
    let error = deep(40_000, |rdd| rdd.map(|n| n + 1)).count().unwrap_err();
    let Error::JobFailed(failure) = error else { panic!("another error: {error}") };
    assert!(matches!(failure.cause, Error::Argument { .. }), "{failure}");
    let text = failure.to_string();
    assert!(text.contains("map at ") && text.contains("lineage.rs:"), "{text}");
    assert!(text.contains("more than 16384 operators") && text.contains("`local_checkpoint`"), "{text}");
}

#[test]
fn a_local_checkpoint_makes_room() {
    let mut rdd = context().parallelize(0..5, 2);
    for _ in 0..5 {
        for _ in 0..5_000 {
            rdd = rdd.map(|n| n + 1);
        }
        rdd = rdd.local_checkpoint();
        assert_eq!(rdd.count().unwrap(), 5);
    }
    assert_eq!(rdd.take(1).unwrap(), [25_000]);
}

#[test]
fn persisted_rdds_on_the_way_need_no_more_stack() {
    let mut rdd = context().parallelize(0..5, 2);
    for n in 0..10_000 {
        rdd = rdd.map(|n| n + 1);
        if n % 1000 == 0 {
            rdd = rdd.persist();
        }
    }
    assert_eq!(rdd.take(1).unwrap(), [10_000]);
    assert_eq!(rdd.count().unwrap(), 5);
}

#[test]
fn hundreds_of_shuffles_follow_each_other() {
    let mut pairs = on("local[2]").parallelize((0..10).map(|n| (n, 1)), 2);
    for _ in 0..500 {
        pairs = pairs.map(|(key, n)| (key / 2, n)).reduce_by_key_with(|a, b| a + b, 2);
    }
    assert_eq!(pairs.collect().unwrap(), [(0, 10)]);
}

#[test]
fn unions_may_be_nested() {
    let context = context();
    let mut all = context.parallelize([(0, 1)], 1);
    for n in 1..1000 {
        all = all.union(&context.parallelize([(n % 10, 1)], 1));
    }
    assert_eq!(all.num_partitions(), 1000);
    let counts = all.reduce_by_key(|a, b| a + b).collect().unwrap();
    assert_eq!(sorted(counts), (0..10).map(|n| (n, 100)).collect::<Vec<_>>());
}

/// Tasks that want the same partition at once: one of them cuts the lineage while others are about to compute it.
#[test]
fn a_lineage_is_cut_while_others_still_compute() {
    let context = on("local[8]");
    for n in 0..3_000_u64 {
        let one = context.parallelize([n], 1).map(|n| n + 1).local_checkpoint();
        let eight = context.union(std::iter::repeat_n(one, 8));
        assert_eq!(eight.collect().unwrap(), [n + 1; 8]);
    }
}
