//! Arguments no operator can work with.

use millstream_core::Rdd;

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
