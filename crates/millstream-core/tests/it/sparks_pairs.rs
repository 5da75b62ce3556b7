//! Cases of Spark's PairRDDFunctionsSuite: their inputs and what comes out.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};

use millstream_core::fs::KeyValueTextFormat;
use millstream_core::{Partitioner, Rdd, Result, TaskContext};

use crate::directory::{Directory, names};
use crate::pairs::ByKey;
use crate::{context, on, sorted};

#[test]
fn sets_of_values_by_key() {
    let pairs = context().parallelize([(1, 1), (1, 1), (3, 2), (5, 1), (5, 3)], 2);
    let add = |mut set: BTreeSet<i32>, n| {
        set.insert(n);
        set
    };
    let join = |mut set: BTreeSet<i32>, more: BTreeSet<i32>| {
        set.extend(more);
        set
    };
    let sets = sorted(pairs.aggregate_by_key(BTreeSet::new(), add, join).collect().unwrap());
    assert_eq!(sets, [(1, BTreeSet::from([1])), (3, BTreeSet::from([2])), (5, BTreeSet::from([1, 3]))]);
}

#[test]
fn reduced_pairs_as_a_map() {
    let pairs = context().parallelize([(1, 1), (1, 2), (1, 3), (1, 1), (2, 1)], 2);
    let sums = pairs.reduce_by_key(|a, b| a + b).collect_as_map().unwrap();
    assert_eq!(sums, HashMap::from([(1, 7), (2, 1)]));
    // Values that are changed in place are copies of those that are kept.
    let lists = pairs.map_values(|n| vec![n]).cache();
    let append = |mut list: Vec<i32>, more: Vec<i32>| {
        list.extend(more);
        list
    };
    let folded = sorted(lists.fold_by_key(Vec::new(), append).collect().unwrap());
    assert_eq!(folded, [(1, vec![1, 2, 3, 1]), (2, vec![1])]);
    let kept = [(1, vec![1]), (1, vec![2]), (1, vec![3]), (1, vec![1]), (2, vec![1])];
    assert_eq!(lists.collect().unwrap(), kept);
}

#[test]
fn joins() {
    let context = context();
    let all = context.parallelize([(1, 1), (1, 2), (1, 3)], 2);
    let joined = all.join(&context.parallelize([(1, 'x'), (1, 'y')], 2));
    let expected: Vec<_> = (1..=3).flat_map(|n| ['x', 'y'].map(|c| (1, (n, c)))).collect();
    assert_eq!(sorted(joined.collect().unwrap()), expected);
    let left = context.parallelize([(1, 1), (1, 2), (2, 1), (3, 1)], 2);
    let other = context.parallelize([(4, 'x'), (5, 'y'), (5, 'z'), (6, 'w')], 2);
    assert_eq!(left.join(&other).collect().unwrap(), []);
    let right = context.parallelize([(1, 'x'), (2, 'y'), (2, 'z'), (4, 'w')], 2);
    let many = left.join_with(&right, 10);
    assert_eq!(many.num_partitions(), 10);
    let expected = [(1, (1, 'x')), (1, (2, 'x')), (2, (1, 'y')), (2, (1, 'z'))];
    assert_eq!(sorted(many.collect().unwrap()), expected);
}

#[test]
fn an_rdd_without_partitions_can_be_shuffled() {
    let directory = std::env::temp_dir().join(format!("no-files-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = context().text_file(&directory);
    assert_eq!((file.num_partitions(), file.collect().unwrap()), (0, vec![]));
    assert_eq!(file.map(|line| (line, 1)).reduce_by_key(|a, b| a + b).collect().unwrap(), []);
    std::fs::remove_dir(&directory).unwrap();
}

#[test]
fn as_many_partitions_as_the_largest_parent_has() {
    let context = context();
    let many = context.parallelize([1, 2, 3, 4], 2000).map(|n| (n, (n * 2).to_string()));
    assert_eq!(many.group_by_key().num_partitions(), 2000);
    let pairs = |partitions| context.parallelize([(1, 'a'), (2, 'b')], partitions);
    assert_eq!(pairs(2).join(&pairs(2000)).num_partitions(), 2000);
}

#[test]
fn subtractions() {
    let context = context();
    let (a, b) = (context.parallelize([1, 2, 3], 2), context.parallelize([2, 3, 4], 4));
    let rest = a.subtract(&b);
    assert_eq!((rest.collect().unwrap(), rest.num_partitions()), (vec![1], a.num_partitions()));
    let left = context.parallelize([(1, 'a'), (1, 'a'), (2, 'b'), (3, 'c')], 2);
    let rest = left.subtract_by_key(&context.parallelize([(2, 20), (3, 30), (4, 40)], 4));
    assert_eq!((rest.collect().unwrap(), rest.num_partitions()), (vec![(1, 'a'), (1, 'a')], 2));
    // What lies by its keys already.
    let right = [(2, "b"), (3, "cc"), (4, "d")].map(|(key, value)| (key, value.to_owned()));
    let right = context.parallelize(right, 4);
    let rule = Partitioner::custom(ByKey(5));
    let once = [(1, "a"), (2, "b"), (3, "c")].map(|(key, value)| (key, value.to_owned()));
    let once = context.parallelize(once, 2).partition_by(rule.clone());
    let rest = once.subtract(&right);
    assert_eq!(sorted(rest.collect().unwrap()), [(1, "a".to_owned()), (3, "c".to_owned())]);
    assert_eq!(rest.partitioned_by(), None);
    let rest = left.partition_by(rule.clone()).subtract_by_key(&right);
    assert_eq!(rest.collect().unwrap(), [(1, 'a'), (1, 'a')]);
    assert_eq!(rest.partitioned_by(), Some(rule.identity()));
}

#[test]
fn lookups_with_a_partitioner_of_ones_own() {
    let pairs = on("local[2]").parallelize([(1, 2), (3, 4), (5, 6), (5, 7)], 2);
    let rule = Partitioner::custom_env(2, (), |(), key: &i32| (key % 2).unsigned_abs() as usize);
    let spread = pairs.partition_by(rule.clone());
    assert_eq!((pairs.partitioned_by(), spread.partitioned_by()), (None, Some(rule.identity())));
    for pairs in [pairs, spread] {
        assert_eq!(pairs.lookup(1).unwrap(), [2]);
        assert_eq!(pairs.lookup(5).unwrap(), [6, 7]);
        assert_eq!(pairs.lookup(-1).unwrap(), []);
    }
    // One that can not say where a key belongs, which Spark asks: all partitions are read.
    let bad = on("local[2]").parallelize([(1, 2), (3, 4), (5, 6), (5, 7)], 2);
    let bad = bad.partition_by(Partitioner::custom(ByKey(2)));
    assert_eq!(bad.lookup(1).unwrap(), [2]);
    assert_eq!(bad.lookup(-1).unwrap(), []);
}

/// A task that fails while it saves tells those who wait for that, under either of Hadoop's names, and leaves nothing.
#[test]
fn listeners_are_told_when_a_task_that_saves_fails() {
    type Save = fn(&Rdd<(i32, i32)>, &Path) -> Result<()>;
    let saves: [Save; 2] = [
        |pairs, out| pairs.save_as_hadoop_file(out, KeyValueTextFormat::default()),
        |pairs, out| pairs.save_as_new_api_hadoop_file(out, KeyValueTextFormat::default()),
    ];
    for save in saves {
        let directory = Directory::new("failing-pairs");
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let pairs = on("local[1]").parallelize([(1, 2)], 1).map(move |pair: (i32, i32)| {
            let task = TaskContext::get().unwrap();
            let (failed, ended) = (Arc::clone(&tell), Arc::clone(&tell));
            task.add_task_failure_listener(move |_, error| failed.lock().unwrap().push(error.to_string()));
            task.add_task_completion_listener(move |_| ended.lock().unwrap().push("ended".into()));
            assert_eq!(pair.0, 2, "no luck");
            pair
        });
        let error = save(&pairs, &directory.path("out")).unwrap_err().to_string();
        assert!(error.contains("no luck"), "{error}");
        let told = told.lock().unwrap();
        assert!(told.len() == 2 && told[0].contains("no luck") && told[1] == "ended", "{told:?}");
        assert_eq!(names(&directory.0), [""; 0]);
    }
}
