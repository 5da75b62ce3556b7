//! Checkpoints of RDDs, with the values of Spark's own tests.

use std::sync::atomic::Ordering;

use super::*;

fn with_directory(name: &str) -> (Context, Directory) {
    let directory = Directory::new(name);
    let context = crate::context();
    context.set_checkpoint_dir(&directory.0).unwrap();
    (context, directory)
}

#[test]
fn the_lineage_is_cut_after_the_first_job() {
    let (context, directory) = with_directory("checkpoint-1");
    let numbers = context.parallelize(1..=4, 2);
    let flat = numbers.flat_map(|n| 1..=n);
    flat.checkpoint().unwrap();
    assert!(!flat.is_checkpointed() && flat.get_checkpoint_file().is_none());
    let expected = [1, 1, 2, 1, 2, 3, 1, 2, 3, 4];
    assert_eq!(flat.collect().unwrap(), expected);
    assert!(flat.is_checkpointed());
    let file = flat.get_checkpoint_file().unwrap();
    assert!(file.starts_with(&context.get_checkpoint_dir().unwrap()), "{file}");
    assert!(
        file.starts_with(directory.0.to_str().unwrap()) && file.ends_with(&format!("/rdd-{}", flat.id()))
    );
    assert_eq!(context.object_file::<i32>(&file).collect().unwrap(), expected);
    assert!(flat.any().dependencies().is_empty());
    assert_eq!((flat.collect().unwrap().as_slice(), flat.num_partitions()), (&expected[..], 2));
    assert_eq!(flat.map(|n| n + 1).reduce(i32::max).unwrap(), Some(5));
}

#[test]
fn a_persisted_rdd_is_computed_once_for_its_checkpoint_and_others_twice() {
    let (context, _directory) = with_directory("checkpoint-2");
    let (rdd, computed) = counted(&context);
    rdd.checkpoint().unwrap();
    rdd.count().unwrap();
    assert_eq!(computed.load(Ordering::Relaxed), 2 * RECORDS);
    assert_eq!(rdd.collect().unwrap(), expected());
    assert_eq!(computed.load(Ordering::Relaxed), 2 * RECORDS, "it is read from the files");
    let (rdd, computed) = counted(&context);
    let rdd = rdd.persist();
    rdd.checkpoint().unwrap();
    rdd.count().unwrap();
    rdd.unpersist();
    assert_eq!(rdd.collect().unwrap(), expected());
    assert_eq!(computed.load(Ordering::Relaxed), RECORDS);
}

#[test]
fn jobs_on_what_is_made_of_an_rdd_write_its_checkpoint_too() {
    let (context, _directory) = with_directory("checkpoint-3");
    let pairs = context.parallelize(0..100, 4).map(|n| (n % 3, n));
    pairs.checkpoint().unwrap();
    let sums = pairs.reduce_by_key(|a, b| a + b);
    sums.checkpoint().unwrap();
    let last = sums.map(|(key, sum)| (sum, key));
    // The nearest one that is marked, as in Spark; the one behind it when a job needs it.
    assert_eq!(last.count().unwrap(), 3);
    assert!(sums.is_checkpointed() && !pairs.is_checkpointed() && !last.is_checkpointed());
    assert_eq!(pairs.count().unwrap(), 100);
    assert!(pairs.is_checkpointed());
    assert_eq!(crate::sorted(sums.collect().unwrap()), [(0, 1683), (1, 1617), (2, 1650)]);
}

#[test]
fn how_keys_are_spread_is_remembered() {
    let (context, _directory) = with_directory("checkpoint-4");
    let pairs = context.parallelize(0..100, 4).map(|n| (n % 10, n)).partition_by(3);
    pairs.checkpoint().unwrap();
    let before = crate::partitions(&pairs);
    pairs.count().unwrap();
    assert!(pairs.is_checkpointed());
    assert!(pairs.partitioned_by().is_some());
    assert_eq!(crate::partitions(&pairs), before);
    assert_eq!(pairs.reduce_by_key(|a, b| a + b).count().unwrap(), 10);
}

#[test]
fn empty_rdds_and_empty_partitions_can_be_checkpointed() {
    let (context, _directory) = with_directory("checkpoint-5");
    for rdd in [context.empty_rdd::<u8>(), context.parallelize([1_u8], 3), context.parallelize([], 2)] {
        let (partitions, records) = (rdd.num_partitions(), rdd.collect().unwrap());
        rdd.checkpoint().unwrap();
        rdd.count().unwrap();
        assert!(rdd.is_checkpointed());
        assert_eq!((rdd.num_partitions(), rdd.collect().unwrap()), (partitions, records));
    }
}

#[test]
fn a_checkpoint_without_a_directory_says_what_to_do() {
    let error = crate::context().parallelize(0..3, 1).checkpoint().unwrap_err().to_string();
    assert!(error.contains("checkpoints.rs") && error.contains("set_checkpoint_dir"), "{error}");
    assert!(crate::context().set_checkpoint_dir("/dev/null/x").is_err());
}

#[test]
fn a_checkpoint_that_can_not_be_written_fails_the_job_and_is_tried_again_by_the_next() {
    let (context, directory) = with_directory("checkpoint-6");
    let rdd = context.parallelize(0..10, 2).map(|n| n + 1);
    rdd.checkpoint().unwrap();
    // A file lies where the directory was.
    std::fs::remove_dir_all(&directory.0).unwrap();
    std::fs::write(&directory.0, "").unwrap();
    assert!(rdd.count().is_err());
    assert!(!rdd.is_checkpointed());
    std::fs::remove_file(&directory.0).unwrap();
    assert_eq!(rdd.count().unwrap(), 10);
    assert!(rdd.is_checkpointed());
}

#[test]
fn two_contexts_write_to_directories_of_their_own() {
    let directory = Directory::new("two");
    let files: Vec<String> = (0..2)
        .map(|n| {
            let context = crate::context();
            context.set_checkpoint_dir(&directory.0).unwrap();
            let rdd = context.parallelize([n as u64], 1);
            rdd.checkpoint().unwrap();
            rdd.count().unwrap();
            rdd.get_checkpoint_file().unwrap()
        })
        .collect();
    for (n, file) in files.iter().enumerate() {
        assert_eq!(crate::context().object_file::<u64>(file).collect().unwrap(), [n as u64]);
    }
}
