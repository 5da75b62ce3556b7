//! Cases of Spark's AccumulatorSuite, AccumulatorV2Suite and BroadcastSuite about tasks that fail, read and let go.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use millstream_core::scheduler::description::Peer;
use millstream_core::scheduler::executor::{Ended, Executor, Report};
use millstream_core::scheduler::task::{Task, TaskFailure};
use millstream_core::{Accumulator, Conf, Context, TaskContext};
use serde::{Deserialize, Serialize};

use crate::processes::{elsewhere, run};
use crate::{on, sorted};

/// Each of ten partitions adds one; the first attempts of some fail after that.
#[test]
fn attempts_that_failed_are_not_counted_whichever_fail() {
    let which: [fn(usize) -> bool; 2] = [|_| true, |partition| partition % 2 == 0];
    for fails in which {
        let context = on("local[1,2]");
        let added = context.long_accumulator(None);
        let adds = added.clone();
        let numbers =
            context.parallelize(1..=100, 10).map_partitions_with_index(move |partition, numbers| {
                adds.add(1);
                let first = TaskContext::get().is_some_and(|task| task.attempt_number() == 0);
                assert!(!(first && fails(partition)), "failing a task intentionally");
                numbers
            });
        assert_eq!(numbers.count().unwrap(), 100);
        assert_eq!(added.value(), 10);
    }
}

/// Three stages, of 10, 10 and 20 tasks, which add 1, 10 and 100 each.
#[test]
fn stages_do_not_mix_up_what_they_add() {
    let context = on("local");
    let [first, second, third] = [(); 3].map(|()| context.long_accumulator(None));
    let numbers = context.parallelize(1..=100, 10).map(|n| (n, n));
    let numbers = numbers.map_partitions_env(first.clone(), |added, pairs| {
        added.add(1);
        pairs
    });
    let sums = numbers.reduce_by_key(|a, b| a + b).map_partitions_env(second.clone(), |added, pairs| {
        added.add(10);
        pairs
    });
    let spread = sums.repartition(20).map_partitions_env(third.clone(), |added, pairs| {
        added.add(100);
        pairs
    });
    assert_eq!(spread.count().unwrap(), 100);
    assert_eq!([first, second, third].map(|added| added.value()), [10, 100, 2000]);
}

/// The elements of all the sets that were added.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Elements(BTreeSet<i32>);

impl Accumulator for Elements {
    type Input = BTreeSet<i32>;
    type Output = BTreeSet<i32>;

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
    fn reset(&mut self) {
        self.0.clear();
    }
    fn add(&mut self, elements: BTreeSet<i32>) {
        self.0.extend(elements);
    }
    fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }
    fn value(&self) -> BTreeSet<i32> {
        self.0.clone()
    }
}

/// What Spark calls the local value.
#[test]
fn a_task_reads_what_it_has_added_itself() {
    for (threads, context) in [(1, on("local[1]")), (10, on("local[10]")), (2, elsewhere())] {
        let all = context.register(Elements::default(), None);
        let groups = context.parallelize((1..=50).map(|n| (20 * (n - 1)..=20 * n).collect()), threads);
        let seen = groups.map_partitions_env(all.clone(), |all, groups| {
            let (mut own, mut same) = (BTreeSet::new(), all.value().is_empty());
            for group in groups {
                own.extend(&group);
                all.add(group);
                same &= all.value() == own;
            }
            [same]
        });
        assert_eq!(seen.collect().unwrap(), vec![true; threads]);
        assert!(all.value().into_iter().eq(0..=1000));
    }
}

/// The last text; what is added takes the place of what was there, as in Spark's accumulators of strings.
#[derive(Clone, Serialize, Deserialize)]
struct Last(String);

impl Accumulator for Last {
    type Input = &'static str;
    type Output = String;

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
    fn reset(&mut self) {
        self.0.clear();
    }
    fn add(&mut self, text: &'static str) {
        self.0 = text.to_owned();
    }
    fn merge(&mut self, other: Self) {
        self.0 = other.0;
    }
    fn value(&self) -> String {
        self.0.clone()
    }
}

#[test]
fn an_accumulator_may_begin_with_something() {
    let context = on("local[1]");
    let last = context.register(Last("default".into()), None);
    assert!(last.value() == "default" && !last.is_zero());
    last.add("foo");
    last.add("bar");
    assert!(last.value() == "bar" && !last.is_zero());
    // A task begins with nothing; what it has added is merged with what was there.
    let begun = context.parallelize([1], 1).map_env(last.clone(), |last, _| {
        let before = (last.is_zero(), last.value());
        last.add("baz");
        before
    });
    assert_eq!(begun.collect().unwrap(), [(true, String::new())]);
    assert!(last.value() == "baz" && !last.is_zero());
}

static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// Counts how many of it there are.
#[derive(Serialize, Deserialize)]
struct Counted(Vec<i32>);

impl Counted {
    fn new(list: Vec<i32>) -> Self {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Counted(list)
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Counted::new(self.0.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Accumulator for Counted {
    type Input = i32;
    type Output = Vec<i32>;

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
    fn reset(&mut self) {
        self.0.clear();
    }
    fn add(&mut self, n: i32) {
        self.0.push(n);
    }
    fn merge(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }
    fn value(&self) -> Vec<i32> {
        self.0.clone()
    }
}

/// Spark's garbage collection of accumulators, without a collector.
#[test]
fn an_accumulator_goes_with_its_last_handle() {
    let context = on("local[1]");
    let list = context.register(Counted::new(Vec::new()), "list");
    context.parallelize(1..=20, 4).foreach_env(list.clone(), |list, n| list.add(n)).unwrap();
    assert_eq!(sorted(list.value()), (1..=20).collect::<Vec<_>>());
    assert!(ALIVE.load(Ordering::Relaxed) > 0);
    assert_eq!(context.accumulators().len(), 1);
    drop(list);
    assert!(context.accumulators().is_empty());
    // The only thread has dropped what the tasks before held.
    assert_eq!(context.parallelize([1], 1).count().unwrap(), 1);
    assert_eq!(ALIVE.load(Ordering::Relaxed), 0);
}

/// One process for all tasks; counts the broadcast values that it is sent.
struct OneProcess(Arc<AtomicUsize>);

impl Executor for OneProcess {
    fn slots(&self) -> usize {
        1
    }

    fn launch(&self, task: Task, report: Report) {
        let (id, mut peer) = (task.id(), Peer::default());
        let described = task.describe(&mut peer);
        self.0.fetch_add(peer.values_sent(), Ordering::Relaxed);
        thread::spawn(move || {
            let how = match described {
                Ok((frames, sent)) => run(&frames, &sent),
                Err(cause) => Ended::Failed(TaskFailure { operator: "describing".into(), cause }),
            };
            report.ended(id, how);
        });
    }
}

/// Spark's lazy broadcasts: made, and not used by any task.
#[test]
fn a_broadcast_is_sent_with_the_first_task_that_uses_it() {
    let sent = Arc::new(AtomicUsize::new(0));
    let context = Context::with_executor(Conf::empty(), OneProcess(Arc::clone(&sent))).unwrap();
    let list = context.broadcast(vec![1, 2, 3, 4]);
    assert_eq!(context.parallelize(1..=2, 2).map(|n| n + 1).collect().unwrap(), [2, 3]);
    assert_eq!(sent.load(Ordering::Relaxed), 0);
    let sums = context.parallelize(1..=1, 1).map_env(list, |list, n| (n, list.value().iter().sum::<i32>()));
    assert_eq!(sums.collect().unwrap(), [(1, 10)]);
    assert_eq!(sent.load(Ordering::Relaxed), 1);
}

/// Bytes of any length arrive as they were; Spark cuts them into pieces of 1024.
#[test]
fn broadcasts_of_any_length_arrive_as_they_were() {
    let context = elsewhere();
    let mut next = 42_u64;
    for length in [1, 2, 1023, 1024, 1025, 2048, 10_239, 10_240] {
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (next >> 56) as u8
            })
            .collect();
        let value = context.broadcast(bytes.clone());
        let there = context.parallelize([1], 1).flat_map_env(value, |value, _| value.value().clone());
        assert_eq!(there.collect().unwrap(), bytes, "{length} bytes");
    }
}
