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
