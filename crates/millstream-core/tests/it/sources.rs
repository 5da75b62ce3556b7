//! `parallelize`, `from_chunks`, `generate`, `text_file`, `empty_rdd`.

use std::sync::Arc;

use millstream_core::{Chunk, Error};
use proptest::prelude::*;

use crate::directory::Directory;
use crate::{context, partitions};

#[test]
fn records_are_cut_where_spark_cuts_them() {
    let context = context();
    let slices = |records: Vec<i32>, n| partitions(&context.parallelize(records, n));
    assert_eq!(slices(vec![1, 2, 3], 3), [[1], [2], [3]]);
    assert_eq!(slices(vec![1, 2, 3], 1), [[1, 2, 3]]);
    assert_eq!(slices((1..=9).collect(), 3), [[1, 2, 3], [4, 5, 6], [7, 8, 9]]);
    assert_eq!(slices((1..=10).collect(), 3), [vec![1, 2, 3], vec![4, 5, 6], vec![7, 8, 9, 10]]);
    assert_eq!(slices((0..100).collect(), 3), [0..33, 33..66, 66..100].map(Vec::from_iter));
    assert_eq!(slices((0..=100).collect(), 3), [0..33, 33..67, 67..101].map(Vec::from_iter));
    assert_eq!(slices(vec![1, 2], 4), [vec![], vec![1], vec![], vec![2]]);
    assert_eq!(slices(vec![], 5), vec![Vec::<i32>::new(); 5]);
    assert_eq!(slices(vec![1, 2], 0), [[1, 2]]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]
    #[test]
    fn slices_are_nearly_equal_and_lose_nothing(records in prop::collection::vec(any::<i32>(), 0..200), n in 1_usize..100) {
        let slices = partitions(&context().parallelize(records.clone(), n));
        prop_assert_eq!(slices.len(), n);
        let short = records.len() / n;
        prop_assert!(slices.iter().all(|slice| slice.len() == short || slice.len() == short + 1));
        prop_assert_eq!(slices.concat(), records);
    }
}

#[test]
fn chunks_are_read_as_they_are() {
    let records = Arc::new((0..5000).collect::<Vec<i32>>());
    let shared = |range| Chunk::shared(Arc::clone(&records), range);
    let owned = Chunk::from(vec![-1, -2]);
    let rdd = context().from_chunks([vec![shared(1..4000), owned], vec![], vec![shared(4000..5000)]]);
    let expected = [(1..4000).chain([-1, -2]).collect(), vec![], (4000..5000).collect()];
    assert_eq!(partitions(&rdd), expected);
    assert_eq!(rdd.take(usize::MAX).unwrap(), expected.concat());
}

#[test]
fn records_are_made_where_they_are_read() {
    let rdd = context().generate(3, |partition| (0..partition).map(move |n| (partition, n)));
    assert_eq!(partitions(&rdd), [vec![], vec![(1, 0)], vec![(2, 0), (2, 1)]]);
    assert_eq!(context().generate(0, |_| [0]).collect().unwrap(), []);
}

#[test]
fn a_file_is_read_line_by_line() {
    let directory = Directory::new("file");
    let path = directory.write("a.txt", b"one\r\ntwo\n\nf\xffur\nfive");
    for partitions in 1..8 {
        let lines = context().text_file_with(&path, partitions).collect().unwrap();
        assert_eq!(lines, ["one", "two", "", "f\u{FFFD}ur", "five"]);
    }
    let empty = context().text_file_with(directory.write("empty", ""), 3);
    assert_eq!(empty.collect().unwrap(), Vec::<String>::new());
    assert_eq!(empty.count().unwrap(), 0);
}

#[test]
fn long_files_are_cut_at_lines() {
    let directory = Directory::new("long");
    let lines: Vec<String> = (0..20_000).map(|n| format!("{n} {}", "x".repeat(n % 50))).collect();
    let path = directory.write("long.txt", lines.join("\n") + "\n");
    for partitions in [1, 2, 7, 100] {
        let rdd = context().text_file_with(&path, partitions);
        assert!(rdd.num_partitions() >= partitions);
        assert_eq!(rdd.collect().unwrap(), lines);
    }
}

#[test]
fn a_directory_is_read_in_the_order_of_its_files_names() {
    let directory = Directory::new("directory");
    directory.write("b", "3\n4\n");
    directory.write("a", "1\n2");
    directory.write("c", "");
    directory.write(".hidden", "no\n");
    directory.write("_SUCCESS", "no\n");
    std::fs::create_dir(directory.0.join("within")).unwrap();
    std::fs::write(directory.0.join("within/d"), "no\n").unwrap();
    for partitions in 1..5 {
        assert_eq!(
            context().text_file_with(&directory.0, partitions).collect().unwrap(),
            ["1", "2", "3", "4"]
        );
    }
}

#[test]
fn a_file_that_is_gone_fails_the_action_that_needs_it() {
    let directory = Directory::new("gone");
    let path = directory.write("a", "1\n");
    let rdd = context().text_file_with(&path, 1);
    std::fs::remove_file(&path).unwrap();
    let Error::JobFailed(failure) = rdd.count().unwrap_err() else { panic!("another error") };
    assert!(failure.operator.starts_with("text_file_with at "), "{failure}");
    assert!(failure.cause.to_string().starts_with(&format!("opening {}: ", path.display())), "{failure}");
}

#[test]
fn a_missing_file_fails_every_action_and_nothing_before() {
    let missing = context().text_file_with("/no/such/file", 2);
    let lengths = missing.map(|line| (line.len(), 1)).reduce_by_key(|a, b| a + b).filter(|_| true);
    let errors = [
        missing.collect().err(),
        missing.take(1).err(),
        missing.foreach(|_| ()).err(),
        missing.persist().count().err(),
        missing.union(&missing).count().err(),
        lengths.count().err(),
        lengths.take(1).err(),
        lengths.reduce(|a, _| a).err(),
    ];
    for (n, error) in errors.into_iter().enumerate() {
        let error = error.unwrap_or_else(|| panic!("action {n} found nothing wrong"));
        assert!(error.to_string().starts_with("listing /no/such/file: "), "{n}: {error}");
    }
    assert_eq!(missing.take(0).unwrap(), Vec::<String>::new());
}
