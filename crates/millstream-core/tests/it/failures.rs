//! Tasks that fail.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use millstream_core::rdd::{Compute, Dependency};
use millstream_core::stream::{self, ChunkStream};
use millstream_core::{BatchId, Conf, Context, Error, JobFailure, Rdd, Result, TaskContext, with_batch};

use crate::{context, on, sorted};

#[track_caller]
fn failure<T: std::fmt::Debug>(result: Result<T>) -> Arc<JobFailure> {
    match result.unwrap_err() {
        Error::JobFailed(failure) => failure,
        other => panic!("another error: {other}"),
    }
}

#[test]
fn a_panic_is_reported_with_all_that_is_known() {
    let numbers = context().parallelize(0..10, 5);
    let line = line!() + 1;
    let failed = numbers.map(|n| if n == 7 { panic!("no {n}") } else { n }).filter(|_| true).count();
    let failure = failure(failed);
    assert_eq!((failure.partition, failure.attempts, &failure.batch), (3, 1, &None));
    assert!(
        failure.operator.starts_with("map at ") && failure.operator.contains("failures.rs:"),
        "{failure}"
    );
    assert!(failure.operator.contains(&format!(":{line}:")), "{failure}");
    let cause = failure.cause.to_string();
    assert!(cause.starts_with("panicked at ") && cause.ends_with(": no 7"), "{cause}");
    assert!(cause.contains(&format!("failures.rs:{line}:")), "{cause}");
    let text = failure.to_string();
    assert!(text.starts_with(&format!("job {} failed: map at ", failure.job)), "{text}");
    assert!(text.contains("on partition 3, after 1 attempt: panicked at "), "{text}");
}

#[test]
fn the_batch_is_reported_if_there_is_one() {
    let rdd = context()
        .parallelize(0..10, 5)
        .map(|n| assert!(n < 5 && TaskContext::get().unwrap().batch().is_some()));
    let batch = BatchId { time_ms: 1_700_000_000_000, output: Some(0) };
    let failure = failure(with_batch(batch, || rdd.count()));
    assert_eq!(failure.batch.as_deref(), Some("1700000000000 ms"));
    assert!(failure.partition > 1, "the others know their batch");
    assert!(failure.to_string().contains("of batch 1700000000000 ms, after 1 attempt"), "{failure}");
}

#[test]
fn any_panic_value_is_reported() {
    let rdd = context().parallelize([0], 1);
    let owned = failure(
        rdd.map(|n: i32| {
            if n == 0 {
                std::panic::panic_any(String::from("owned"))
            }
        })
        .count(),
    );
    assert!(owned.cause.to_string().ends_with(": owned"), "{owned}");
    let number = failure(
        rdd.map(|n| {
            if n == 0 {
                std::panic::panic_any(7)
            }
        })
        .count(),
    );
    assert!(number.cause.to_string().ends_with(": a value that is no text"), "{number}");
    let index = failure(rdd.map(|n| [1, 2][n as usize + 5]).count());
    assert!(index.cause.to_string().contains("index out of bounds"), "{index}");
}

#[test]
fn the_operator_at_work_is_named() {
    fn fail<T>(_: T) -> bool {
        panic!("no luck")
    }
    let numbers = context().parallelize(0..10_000, 2).map(|n| n + 1);
    let pairs = numbers.map(|n| (n % 3, n));
    let cases: [(&str, Result<u64>); 10] = [
        ("filter", numbers.filter(|n| *n < 9_999 || fail(n)).map(|n| n).count()),
        ("flat_map", numbers.flat_map(|n| Some(n).filter(|n| fail(n))).count()),
        (
            "map_partitions",
            numbers.map_partitions(|records| records.filter(|n| fail(n))).filter(|_| true).count(),
        ),
        ("map", numbers.map(fail).map_partitions(|records| records).filter(|_| true).count()),
        ("reduce_by_key", pairs.reduce_by_key(|a, b| a + i32::from(fail(b))).map(|pair| pair).count()),
        ("reduce", pairs.reduce(|a, b| if fail(b) { a } else { b }).map(|_| 0)),
        ("foreach", numbers.foreach(|n| assert!(fail(n))).map(|()| 0)),
        ("foreach_partition", numbers.foreach_partition(|n| assert!(fail(n))).map(|()| 0)),
        ("generate", context().generate(1, |n| Some(n).filter(|n| fail(n))).count()),
        ("map", pairs.group_by_key().map(fail).map(|group| group).count()),
    ];
    for (name, result) in cases {
        let failure = failure(result);
        assert!(failure.operator.starts_with(&format!("{name} at ")), "{name}: {failure}");
    }
}

#[test]
fn values_that_can_not_be_merged_across_partitions_name_the_operator() {
    // One record per partition: the closure is called on the reduce side only.
    let pairs = context().parallelize([(1, 1), (1, 2)], 2);
    let failure = failure(pairs.reduce_by_key(|_, _| panic!("no luck")).map(|pair| pair).count());
    assert!(failure.operator.starts_with("reduce_by_key at "), "{failure}");
}

#[test]
fn a_panic_while_the_driver_merges_is_an_error_too() {
    let error = context().parallelize([1, 2], 2).reduce(|_, _| panic!("no luck")).unwrap_err().to_string();
    assert!(error.starts_with("reduce at ") && error.contains("failures.rs:"), "{error}");
    assert!(error.contains("panicked at ") && error.ends_with(": no luck"), "{error}");
}

/// A source that breaks after some records.
struct Breaks;

impl Compute<i32> for Breaks {
    fn partitions(&self) -> usize {
        1
    }

    fn dependencies(&self) -> Vec<Dependency> {
        Vec::new()
    }

    fn compute(&self, _: usize, _: &TaskContext) -> Result<ChunkStream<i32>> {
        let mut chunks = vec![Err(Error::user("the reason")), Ok(Some(vec![1, 2].into()))];
        Ok(stream::from_fn(move || chunks.pop().unwrap_or(Ok(None))))
    }
}

#[test]
fn what_broke_the_records_is_the_reason_of_what_follows() {
    let broken = Rdd::from_compute(&context(), "breaks", Breaks);
    let results = [
        broken.map_partitions(|records| [records.last().filter(|n| *n == 9).unwrap()]).count(),
        broken.map_partitions(|records| [records.count()]).count(),
        broken.foreach_partition(|records| assert_eq!(records.count(), 10)).map(|()| 0),
        broken.foreach_partition(|records| if records.count() == 10 { Ok(()) } else { Err("x") }).map(|()| 0),
        broken.map(|n| n).filter(|_| true).count(),
    ];
    for result in results {
        let failure = failure(result);
        assert!(failure.operator.starts_with("breaks at "), "{failure}");
        assert_eq!(failure.cause.to_string(), "the reason");
    }
    // The next task of the same thread is not blamed for it.
    let other = failure(broken.context().parallelize([0], 1).map(|n| assert_eq!(n, 1, "its own")).count());
    assert!(other.cause.to_string().ends_with("its own\n  left: 0\n right: 1"), "{other}");
}

/// Fails each partition's first attempts.
fn unlucky(context: &Context, failures: u32) -> Rdd<u32> {
    context.parallelize(0..10, 2).map(move |_| {
        let attempt = TaskContext::get().unwrap().attempt_number();
        assert!(attempt >= failures, "attempt {attempt}");
        attempt
    })
}

#[test]
fn a_task_is_tried_as_often_as_the_master_says() {
    assert_eq!(unlucky(&on("local[2,3]"), 2).collect().unwrap(), [2; 10]);
    let failed = failure(unlucky(&on("local[2,3]"), 3).collect());
    assert_eq!(failed.attempts, 3);
    assert!(
        failed.to_string().contains("after 3 attempts: ") && failed.to_string().ends_with("attempt 2"),
        "{failed}"
    );
    assert_eq!(failure(unlucky(&on("local[2]"), 1).collect()).attempts, 1);
}

#[test]
fn a_task_is_tried_as_often_as_the_settings_say() {
    let conf = |master: &str| Conf::empty().set_master(master).set("spark.task.maxFailures", "4");
    assert_eq!(failure(unlucky(&Context::new(conf("local[2]")).unwrap(), 9).collect()).attempts, 4);
    assert_eq!(failure(unlucky(&Context::new(conf("local[2,2]")).unwrap(), 9).collect()).attempts, 2);
}

#[test]
fn a_reduce_task_that_fails_is_given_its_records_again() {
    let map_calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&map_calls);
    let sums = on("local[2,3]")
        .parallelize(0..100, 4)
        .map(move |n| {
            counter.fetch_add(1, Ordering::Relaxed);
            (n % 3, n)
        })
        .reduce_by_key_with(|a, b| a + b, 1)
        .map(|pair| {
            assert!(TaskContext::get().unwrap().attempt_number() >= 2);
            pair
        });
    assert_eq!(sorted(sums.collect().unwrap()), [(0, 1683), (1, 1617), (2, 1650)]);
    assert_eq!(map_calls.load(Ordering::Relaxed), 300);
}

#[test]
fn an_action_within_a_task_is_refused() {
    let context = context();
    let inner = context.parallelize(0..10, 2);
    let line = line!() + 1;
    let failed = context.parallelize([0], 1).map(move |_| inner.count().unwrap_err().to_string()).collect();
    let text = failed.unwrap().remove(0);
    assert!(text.starts_with("count at ") && text.contains(&format!("failures.rs:{line}:")), "{text}");
    assert!(text.contains("was called inside a task") && text.contains("join the two RDDs"), "{text}");
}

/// Where the program below says that it is to run.
const CHILD: &str = "MILLSTREAM_TEST_PANICS";

#[test]
fn a_panic_in_a_task_prints_nothing() {
    if std::env::var_os(CHILD).is_some() {
        let failed = context().parallelize(0..10, 2).map(|n| assert!(n < 5, "within a task")).count();
        assert!(failed.unwrap_err().to_string().ends_with("within a task"));
        assert!(std::thread::spawn(|| panic!("outside of tasks")).join().is_err());
        return;
    }
    let program = std::env::current_exe().unwrap();
    let name = "failures::a_panic_in_a_task_prints_nothing";
    let run = Command::new(program).args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().unwrap();
    let printed = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success(), "{printed}");
    assert!(String::from_utf8(run.stdout).unwrap().contains("1 passed"));
    assert!(printed.contains("outside of tasks"), "other panics are reported as ever: {printed}");
    assert!(!printed.contains("within a task"), "{printed}");
}
