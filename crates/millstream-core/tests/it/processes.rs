//! Tasks that are described, sent as bytes, and run from their description alone.

use std::sync::Arc;
use std::thread;

use millstream_core::operator::Operator;
use millstream_core::rdd::AnyRdd;
use millstream_core::scheduler::description::{Peer, Sent};
use millstream_core::scheduler::executor::{Ended, Executor, Report};
use millstream_core::scheduler::serve::{Operators, read_frame, read_hello, serve, write_frame};
use millstream_core::scheduler::task::{Task, TaskFailure};
use millstream_core::{BatchId, Conf, Context, CustomPartitioner, Error, Partitioner, Result};

use crate::sorted;

/// Runs each task as another process of this program would: from bytes, in a context of its own.
struct Elsewhere;

/// A program without a graph.
struct NoOperators;

impl Operators for NoOperators {
    fn operator(&self, _: &str) -> Option<Arc<Operator>> {
        None
    }

    fn apply(&self, id: &str, _: Vec<AnyRdd>, _: Option<BatchId>) -> Result<()> {
        Err(Error::user(format!("no operator `{id}`")))
    }
}

/// Sends a description there and reads the answer.
fn run(task: &[Vec<u8>], sent: &Sent) -> Ended {
    let (mut there, mut back) = (Vec::new(), Vec::new());
    task.iter().for_each(|frame| write_frame(&mut there, frame).unwrap());
    let context = Context::new(Conf::empty().set_master("local[1]")).unwrap();
    serve(&context, &NoOperators, &mut there.as_slice(), &mut back).unwrap();
    let mut back = back.as_slice();
    read_hello(&mut back).unwrap();
    sent.ended(&read_frame(&mut back).unwrap().unwrap())
}

impl Executor for Elsewhere {
    fn slots(&self) -> usize {
        2
    }

    fn launch(&self, task: Task, report: Report) {
        let id = task.id();
        thread::spawn(move || {
            let how = match task.describe(&mut Peer::default()) {
                Ok((frames, sent)) => run(&frames, &sent),
                Err(cause) => Ended::Failed(TaskFailure { operator: "describing".into(), cause }),
            };
            report.ended(id, how);
        });
    }
}

pub(crate) fn elsewhere() -> Context {
    Context::with_executor(Conf::empty(), Elsewhere).unwrap()
}

#[test]
fn narrow_operators_and_actions_travel() {
    let context = elsewhere();
    let numbers = context.parallelize(0..100, 3).map(|n| n * 2).filter(|n| n % 3 == 0);
    assert_eq!(numbers.collect().unwrap(), (0..34).map(|n| n * 6).collect::<Vec<_>>());
    assert_eq!(numbers.take(3).unwrap(), [0, 6, 12]);
    assert_eq!(numbers.reduce(i32::max).unwrap(), Some(198));
    let words = context.parallelize(["a b", "c"].map(String::from), 2);
    let words = words.flat_map_into(|line, out| out.extend(line.split(' ').map(String::from)));
    assert_eq!(words.flat_map(|word| [word.clone(), word]).count().unwrap(), 6);
    assert_eq!(
        words.map_ref(String::len).map_partitions(|records| [records.sum::<usize>()]).collect().unwrap(),
        [2, 1]
    );
    assert_eq!(
        context.generate(3, |n| 0..n).union(&context.parallelize([7], 1)).collect().unwrap(),
        [0, 0, 1, 7]
    );
}

#[test]
fn values_travel_along() {
    let context = elsewhere();
    let numbers = context.parallelize(0..4, 2);
    let name = "n".to_owned();
    assert_eq!(
        numbers.map_env(name.clone(), |name, n| format!("{name}{n}")).collect().unwrap(),
        ["n0", "n1", "n2", "n3"]
    );
    assert_eq!(numbers.filter_env(2, |limit, n| n < limit).collect().unwrap(), [0, 1]);
    assert_eq!(numbers.flat_map_env(2, |times, n| vec![n; *times]).count().unwrap(), 8);
    assert_eq!(
        numbers.flat_map_into_env(2, |times, n, out| out.extend([*n * times])).collect().unwrap(),
        [0, 2, 4, 6]
    );
    let sums = numbers.map_partitions_env(10, |more, records| [records.sum::<i32>() + more]);
    assert_eq!(sums.collect().unwrap(), [11, 15]);
    let error =
        numbers.foreach_env(name, |name, n| if n == 3 { Err(format!("{name} is {n}")) } else { Ok(()) });
    assert!(error.unwrap_err().to_string().ends_with("n is 3"));
    numbers.foreach_partition_env(9, |most, records| assert!(records.count() < *most)).unwrap();
}

#[test]
fn shuffles_travel() {
    let context = elsewhere();
    let pairs = context.parallelize((0..20).map(|n| (n % 3, n)), 4);
    let sums = pairs.reduce_by_key_with(|a, b| a + b, 2);
    assert_eq!(sorted(sums.collect().unwrap()), [(0, 63), (1, 70), (2, 57)]);
    assert_eq!(
        sorted(pairs.group_by_key().map(|(key, all)| (key, all.len())).collect().unwrap()),
        [(0, 7), (1, 7), (2, 6)]
    );
    let spread = pairs.partition_by(3);
    assert_eq!(spread.count().unwrap(), 20);
    assert_eq!(sorted(spread.reduce_by_key(i32::max).collect().unwrap()), [(0, 18), (1, 19), (2, 17)]);
    assert_eq!(sorted(spread.group_by_key().map_ref(|(_, all)| all.len()).collect().unwrap()), [6, 7, 7]);
    for (left, right) in [(&pairs, &spread), (&spread, &pairs), (&pairs, &pairs), (&spread, &spread)] {
        let both = left.cogroup_with(right, 3).map(|(key, (a, b))| (key, a.len(), b.len()));
        assert_eq!(sorted(both.collect().unwrap()), [(0, 7, 7), (1, 7, 7), (2, 6, 6)]);
    }
}

#[test]
fn shuffles_after_shuffles_travel() {
    let context = elsewhere();
    let sums = context.parallelize((0..20).map(|n| (n % 3, n)), 4).reduce_by_key_with(|a, b| a + b, 2);
    let in_two_unions = sums.map(|pair| pair).union(&sums.map(|(key, sum)| (key, -sum)));
    assert_eq!(
        sorted(in_two_unions.reduce_by_key(|a, b| a + b).collect().unwrap()),
        [(0, 0), (1, 0), (2, 0)]
    );
    assert_eq!(
        sorted(sums.union(&sums).group_by_key().map_ref(|(_, all)| all.len()).collect().unwrap()),
        [2, 2, 2]
    );
    let other = context.parallelize([(1, 'x')], 1).partition_by(3);
    let unlike = sums.map(|(key, _)| (key, 's')).union(&other);
    assert_eq!(unlike.num_partitions(), 5);
    assert_eq!(sorted(unlike.collect().unwrap()), [(0, 's'), (1, 's'), (1, 'x'), (2, 's')]);
    let again =
        sums.map(|(key, sum)| (sum, key)).group_by_key().map(|(sum, keys)| (keys, sum)).partition_by(2);
    assert_eq!(sorted(again.collect().unwrap()), [(vec![0], 63), (vec![1], 70), (vec![2], 57)]);
}

#[test]
fn sorts_and_partitioners_travel() {
    let context = elsewhere();
    let numbers = context.parallelize((0..200).map(|n| n * 7 % 200), 4);
    assert_eq!(numbers.sort_by(|n| *n).collect().unwrap(), (0..200).collect::<Vec<_>>());
    let pairs = numbers.map(|n| (n % 50, n));
    let down = pairs.sort_by_key_with(false, 3);
    assert_eq!(down.num_partitions(), 3);
    assert_eq!(down.keys().collect().unwrap(), (0..200).map(|n| 49 - n / 4).collect::<Vec<_>>());
    assert_eq!(down.filter_by_range(10..=11).count().unwrap(), 8);
    let rule = Partitioner::custom_env(3, 2, |n, key: &i32| (key % n) as usize);
    let spread = pairs.repartition_and_sort_within_partitions(rule.clone());
    assert_eq!(spread.keys().glom().map_ref(Vec::len).collect().unwrap(), [100, 100, 0]);
    let sums = pairs.combine_by_key_with(
        |n| vec![n],
        |mut all, n| {
            all.push(n);
            all
        },
        |a, b| [a, b].concat(),
        rule,
    );
    assert_eq!(sums.map_ref(|(_, all)| all.len()).reduce(|a, b| a + b).unwrap(), Some(200));
    assert_eq!(pairs.fold_by_key_with(0, |a, b| a + b, 3).join(&sums).count().unwrap(), 50);
    assert_eq!(pairs.aggregate_by_key(0, |n, _| n + 1, |a, b| a + b).values().max().unwrap(), Some(4));
    assert_eq!(sorted(numbers.repartition(7).collect().unwrap()), (0..200).collect::<Vec<_>>());
    assert_eq!(numbers.coalesce(3).repartition(2).coalesce(1).count().unwrap(), 200);
    let ones = numbers.map(|n| (n % 50, 1)).distinct();
    let all = pairs
        .cogroup4(&ones, &ones, &ones)
        .map_ref(|(_, (a, b, c, d))| a.len() + b.len() + c.len() + d.len());
    assert_eq!(all.collect().unwrap(), vec![7; 50]);
    assert_eq!(numbers.intersection_with(&context.parallelize([5, 500], 1), 2).collect().unwrap(), [5]);
    assert_eq!(numbers.subtract_with(&context.parallelize(1..500, 1), 2).collect().unwrap(), [0]);
}

#[test]
fn what_can_not_travel_says_so() {
    let context = elsewhere();
    let n: u64 = std::env::args().count() as u64;
    let error = context.parallelize([1, 2], 1).map(move |m| m + n).count().unwrap_err().to_string();
    assert!(error.contains("captures 8 bytes"), "{error}");

    struct Zero;
    impl CustomPartitioner<i32> for Zero {
        fn partitions(&self) -> usize {
            1
        }
        fn partition(&self, _: &i32) -> usize {
            0
        }
    }
    let spread = context.parallelize([(1, 1)], 1).partition_by(Partitioner::custom(Zero));
    let error = spread.count().unwrap_err().to_string();
    assert!(error.contains("partition_by at ") && error.contains("Partitioner::custom_env("), "{error}");
}

#[test]
fn failures_come_back() {
    let error = elsewhere().parallelize(0..10, 2).map(|n| assert!(n < 7, "no luck")).count().unwrap_err();
    let Error::JobFailed(failure) = error else { panic!("another error: {error}") };
    assert!(
        failure.operator.starts_with("map at ") && failure.operator.contains("processes.rs:"),
        "{failure}"
    );
    assert_eq!(failure.partition, 1);
    assert!(failure.cause.to_string().ends_with(": no luck"), "{failure}");
}
