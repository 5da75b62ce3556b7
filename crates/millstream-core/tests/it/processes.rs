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
pub(crate) fn run(task: &[Vec<u8>], sent: &Sent) -> Ended {
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
