//! Arguments no operator can work with.

use std::ops::RangeInclusive;

use millstream_core::Rdd;
use millstream_core::fs::TextFormat;
use millstream_core::rdd::{Existing, Saving};

#[test]
fn wrong_arguments_are_errors_of_the_action() {
    let context = crate::context();
    let numbers = context.range(0, 10, 1, 2);
    let error = |rdd: Rdd<i64>| rdd.count().unwrap_err().to_string();
    for fraction in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let error = error(numbers.sample(false, fraction, 1));
        assert!(error.contains("sample at") && error.contains("use a number from 0 to 1"), "{error}");
    }
    assert!(error(numbers.sample(true, -1.0, 1)).contains("of at least 0"));
    for weights in [vec![], vec![0.0], vec![-1.0, 2.0], vec![f64::NAN]] {
        assert!(error(numbers.random_split(weights, 1).remove(0)).contains("are no weights"));
    }
    let pairs = numbers.map(|n| (n % 2, n));
    for (fractions, problem) in [
        ([(0, 0.5), (1, 1.5)], "use numbers from 0 to 1"),
        ([(0, f64::NAN), (1, 0.5)], "NaN is no fraction"),
        ([(0, 0.5), (7, 0.5)], "a key has no fraction"),
    ] {
        for sample in
            [pairs.sample_by_key(false, fractions, 1), pairs.sample_by_key_exact(false, fractions, 1)]
        {
            let error = sample.count().unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains("sample_by_key"), "{error}");
        }
    }
    for deviation in [0.0, -1.0, f64::NAN, 1e-9] {
        assert!(numbers.count_approx_distinct_with(deviation).is_err());
        let by_key = pairs.count_approx_distinct_by_key_with(deviation, 2).count().unwrap_err().to_string();
        assert!(by_key.contains("count_approx_distinct_by_key at") && by_key.contains("0.0003"), "{by_key}");
    }
    let uneven = numbers.zip(&context.range(0, 9, 1, 2)).count().unwrap_err().to_string();
    assert!(uneven.contains("zip at") && uneven.contains("different numbers of records"), "{uneven}");
    let partitions = numbers.zip(&context.range(0, 10, 1, 3)).count().unwrap_err().to_string();
    assert!(partitions.contains("different numbers of partitions, 2 and 3"), "{partitions}");
    assert!(numbers.tree_aggregate_with(0, |a, b| a + b, |a, b| a + b, 0).is_err());
    assert_eq!(numbers.take_sample(false, 0, 1).unwrap(), []);
    assert_eq!(numbers.take_sample(false, 99, 1).unwrap().len(), 10);
    assert_eq!(context.empty_rdd::<i64>().take_sample(true, 5, 1).unwrap(), []);
    assert_eq!(context.empty_rdd::<i64>().zip_with_index().collect().unwrap(), []);
    assert_eq!(context.empty_rdd::<i64>().cartesian(&numbers).collect().unwrap(), []);
}

#[test]
fn absurd_numbers_are_errors_or_do_no_harm() {
    let context = crate::context();
    let numbers = context.range(0, 10, 1, 2);
    // Named after the method that was called, whatever it calls.
    let refused = |name: &str, partitions: usize, rdd: Rdd<i64>| {
        let error = rdd.count().unwrap_err().to_string();
        assert!(error.starts_with(&format!("{name} at {}:", file!())), "{error}");
        let remedy = if partitions == 0 { "ask for at least 1" } else { "ask for at most 1048576" };
        assert!(
            error.contains(&format!("over {partitions} partitions: ")) && error.ends_with(remedy),
            "{error}"
        );
    };
    refused("parallelize", usize::MAX, context.parallelize([1], usize::MAX));
    // The records are not asked for.
    refused("parallelize", usize::MAX, context.parallelize(0.., usize::MAX));
    refused("range", usize::MAX, context.range(0, 10, 1, usize::MAX));
    refused("generate", usize::MAX, context.generate(usize::MAX, |_| [1]));
    refused("coalesce", usize::MAX, numbers.coalesce_with(usize::MAX, true));
    refused("coalesce", 0, numbers.coalesce(0));
    let pairs = numbers.map(|n| (n, n));
    for n in [0, usize::MAX, (1 << 20) + 1] {
        refused("repartition", n, numbers.repartition(n));
        refused("sort_by", n, numbers.sort_by_with(|n| *n, true, n));
        refused("sort_by_key", n, pairs.sort_by_key_with(true, n).keys());
        refused("distinct", n, numbers.distinct_with(n));
        refused("subtract", n, numbers.subtract_with(&numbers, n));
        refused("intersection", n, numbers.intersection_with(&numbers, n));
        refused("group_by", n, numbers.group_by_with(|n| *n, n).keys());
        refused("partition_by", n, pairs.partition_by(n).keys());
        refused("reduce_by_key", n, pairs.reduce_by_key_with(|a, b| a + b, n).keys());
        refused("group_by_key", n, pairs.group_by_key_with(n).keys());
        refused("subtract_by_key", n, pairs.subtract_by_key_with(&pairs, n).keys());
        refused("cogroup", n, pairs.cogroup_with(&pairs, n).keys());
        refused("cogroup3", n, pairs.cogroup3_with(&pairs, &pairs, n).keys());
        refused("cogroup4", n, pairs.cogroup4_with(&pairs, &pairs, &pairs, n).keys());
        refused("join", n, pairs.join_with(&pairs, n).keys());
        let estimates = pairs.count_approx_distinct_by_key_with(0.1, n);
        refused("count_approx_distinct_by_key", n, estimates.keys());
    }
    assert_eq!(context.parallelize([1], 0).num_partitions(), 1);
    let no_bytes = Saving::from(Existing::Refuse).max_bytes(0);
    let error = numbers.save_as_files("/not/made", TextFormat::default(), no_bytes).unwrap_err().to_string();
    assert!(error.contains("save_as_files at") && error.contains("0 bytes"), "{error}");
    assert!(error.contains("arguments.rs:") && error.contains("at least 1"), "{error}");
    assert_eq!(numbers.coalesce(usize::MAX).num_partitions(), 2);
    assert_eq!(numbers.take(0).unwrap(), []);
    assert_eq!(numbers.take(usize::MAX).unwrap().len(), 10);
    assert_eq!(numbers.top(usize::MAX).unwrap().len(), 10);
    assert_eq!(numbers.take_ordered(0).unwrap(), []);
    assert_eq!(numbers.take_sample(false, usize::MAX, 1).unwrap().len(), 10);
    assert!(numbers.histogram(usize::MAX).unwrap_err().to_string().contains("at most 1048576"));
    assert!(numbers.histogram(0).is_err() && numbers.histogram_with(&[]).is_err());
    assert!(
        numbers.histogram_with(&[f64::NAN, 1.0]).is_err() && numbers.histogram_with(&[2.0, 1.0]).is_err()
    );
    assert_eq!(numbers.tree_reduce_with(|a, b| a + b, usize::MAX).unwrap(), Some(45));
    assert_eq!(context.range(i64::MAX, i64::MIN, i64::MIN, 3).count().unwrap(), 2);
    assert!(context.range(0, 1, 0, 1).count().is_err());
    assert_eq!(
        numbers.key_by(|n| *n).sort_by_key().filter_by_range(RangeInclusive::new(7, 3)).count().unwrap(),
        0
    );
}

#[test]
fn rdds_of_another_context_are_refused_by_every_operator_of_two() {
    let (here, there) = (crate::context(), crate::context());
    let (a, b) = (here.range(0, 4, 1, 2), there.range(0, 4, 1, 2));
    let (p, q) = (a.key_by(|n| *n), b.key_by(|n| *n));
    let errors = [
        a.union(&b).count(),
        here.union([a.clone(), b.clone()]).count(),
        a.zip(&b).count(),
        a.zip_partitions(&b, |a, b| [a.count() + b.count()]).count(),
        a.zip_partitions3(&a, &b, |a, b, c| [a.count() + b.count() + c.count()]).count(),
        a.cartesian(&b).count(),
        a.subtract(&b).count(),
        a.intersection(&b).count(),
        p.cogroup(&q).count(),
        p.cogroup3(&p, &q).count(),
        p.join(&q).count(),
        p.left_outer_join(&q).count(),
        p.subtract_by_key(&q).count(),
    ];
    for (at, result) in errors.into_iter().enumerate() {
        let error = result.unwrap_err().to_string();
        assert!(error.contains("different contexts") && error.contains("arguments.rs:"), "{at}: {error}");
    }
}
