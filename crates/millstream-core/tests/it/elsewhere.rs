//! Operators in other processes give what they give here.

use std::fmt::Debug;

use millstream_core::{Context, Data, Rdd, Result};

use crate::processes::elsewhere;

/// Runs something on both kinds of workers and compares.
fn alike<R: Debug + PartialEq>(f: impl Fn(&Context) -> Result<R>) {
    let here = f(&crate::context()).unwrap();
    assert_eq!(f(&elsewhere()).unwrap(), here);
}

fn same_records<T: Data + Debug + PartialEq>(f: impl Fn(&Context) -> Rdd<T>) {
    alike(|context| f(context).collect());
}

#[test]
fn positions_and_pairings() {
    same_records(|c| {
        c.parallelize(0..10, 3).map_partitions_with_index(|at, records| records.map(move |n| (at, n)))
    });
    same_records(|c| {
        // The number of the RDD's own partition, also behind a union.
        let one = c.parallelize(0..4, 2).map_partitions_with_index_env(7, |seven, at, _| [at * seven]);
        c.parallelize([100_usize], 1).union(&one)
    });
    same_records(|c| c.parallelize(0..10, 3).zip_with_index());
    same_records(|c| c.parallelize(0..10, 3).zip_with_unique_id());
    same_records(|c| c.parallelize(0..10, 3).zip(&c.range(0, 30, 3, 3)));
    same_records(|c| {
        c.range(0, 5, 1, 2).zip_partitions(&c.range(0, 3, 1, 2), |a, b| [a.sum::<i64>() - b.sum::<i64>()])
    });
    same_records(|c| c.parallelize(0..4, 2).cartesian(&c.parallelize(['a', 'b', 'c'], 2)));
}

#[test]
fn samples() {
    same_records(|c| c.range(0, 1000, 1, 3).sample(false, 0.1, 5));
    same_records(|c| c.range(0, 1000, 1, 3).sample(true, 1.5, 5));
    same_records(|c| c.union(c.range(0, 1000, 1, 3).random_split([1.0, 2.0], 5)));
    alike(|c| c.range(0, 1000, 1, 3).take_sample(false, 10, 5));
    alike(|c| c.range(0, 1000, 1, 3).take_sample(true, 10, 5));
}

#[test]
fn programs_and_figures() {
    same_records(|c| c.parallelize([3, 1, 2], 2).pipe(["sort"]));
    alike(|c| c.range(0, 100, 1, 8).tree_aggregate(0, |sum, n| sum + n, |a, b| a + b, 3));
    alike(|c| c.range(0, 100, 1, 30).tree_reduce(|a, b| a.max(b), 2));
    alike(|c| c.range(0, 100, 1, 3).stats());
    alike(|c| c.range(0, 100, 1, 3).sum());
    alike(|c| c.range(0, 100, 1, 3).histogram(7));
    alike(|c| c.range(0, 100, 1, 3).to_local_iterator().collect::<Result<Vec<_>>>());
    alike(|c| c.range(0, 100, 1, 3).key_by(|n| n % 7).reduce_by_key_locally(|a, b| a + b));
    alike(|c| c.range(0, 100, 1, 3).key_by(|n| n % 7).collect_as_map());
    alike(|c| {
        let pairs = c.range(0, 100, 1, 3).key_by(|n| n % 7);
        pairs
            .combine_by_key(
                |n| vec![n],
                |mut all, n| {
                    all.push(n);
                    all
                },
                |a, b| [a, b].concat(),
            )
            .collect_as_map()
    });
}

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
    assert!(numbers.tree_aggregate(0, |a, b| a + b, |a, b| a + b, 0).is_err());
    assert_eq!(numbers.take_sample(false, 0, 1).unwrap(), []);
    assert_eq!(numbers.take_sample(false, 99, 1).unwrap().len(), 10);
    assert_eq!(context.empty_rdd::<i64>().take_sample(true, 5, 1).unwrap(), []);
    assert_eq!(context.empty_rdd::<i64>().zip_with_index().collect().unwrap(), []);
    assert_eq!(context.empty_rdd::<i64>().cartesian(&numbers).collect().unwrap(), []);
}

#[test]
fn closures_that_capture_are_refused_with_the_form_to_write() {
    let context = millstream_core::Context::new(
        millstream_core::Conf::empty().set("millstream.closures.strict", "true"),
    )
    .unwrap();
    let captured = std::env::args().count();
    let rdd = context.parallelize([1], 1).map_partitions_with_index(move |at, _| [at + captured]);
    let error = rdd.collect().unwrap_err().to_string();
    assert!(error.contains("map_partitions_with_index_env(values, |values, ..| ..)"), "{error}");
}
