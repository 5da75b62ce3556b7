//! The cases of Spark's JobCancellationSuite.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use millstream_core::{Conf, Context, Error, Result, TaskContext};

use crate::on;

/// A job that goes on until it is cancelled, and is heard of when it has begun.
type Endless = (mpsc::Receiver<()>, JoinHandle<Result<u64>>);

fn endless(context: &Context, name: impl FnOnce(&Context) + Send + 'static) -> Endless {
    let (begun, began) = mpsc::channel();
    let of_job = context.clone();
    let job = std::thread::spawn(move || {
        name(&of_job);
        let endless = of_job.parallelize([1], 1).map_partitions(move |_| {
            begun.send(()).ok();
            0_u64..
        });
        endless.count()
    });
    (began, job)
}

fn ended(job: JoinHandle<Result<u64>>) -> String {
    let error = job.join().unwrap().unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error}");
    error.to_string()
}

#[test]
fn cancelled_jobs() {
    let context = Context::new(Conf::empty().set_master("local[2]")).unwrap();
    // A group is cancelled, and jobs of it that come later are not.
    let (began, job) = endless(&context, |c| c.set_job_group("jobA", "a test", false));
    began.recv().unwrap();
    context.cancel_job_group("jobB");
    context.cancel_job_group("jobA");
    assert!(ended(job).contains("jobA"));
    context.set_job_group("jobA", "later", false);
    assert_eq!(context.parallelize(0..10, 2).count().unwrap(), 10);
    context.clear_job_group();
    // By tags.
    let (began, job) = endless(&context, |c| c.add_job_tag("two").unwrap());
    began.recv().unwrap();
    context.cancel_jobs_with_tag("one").unwrap();
    context.cancel_jobs_with_tag("two").unwrap();
    assert!(ended(job).contains("two"));
    // All of them, with two running.
    let (began, one) = endless(&context, |c| c.set_job_group("a", "a test", false));
    let (also_began, other) = endless(&context, |c| c.set_job_group("b", "a test", false));
    began.recv().unwrap();
    also_began.recv().unwrap();
    context.cancel_all_jobs();
    assert!(ended(one).contains("all jobs") && ended(other).contains("all jobs"));
    // An asynchronous action; both slots are free again.
    let (begun, began) = mpsc::channel();
    let action = context.parallelize(0..2, 2).map_partitions(move |_| {
        begun.send(()).ok();
        0_u64..
    });
    let action = action.count_async();
    began.recv().unwrap();
    action.cancel();
    assert!(matches!(action.wait(), Err(Error::Cancelled { .. })));
    let attempts = context.parallelize(0..2, 2).map(|_| TaskContext::get().map(|task| task.attempt_number()));
    assert_eq!(attempts.collect().unwrap(), [Some(0), Some(0)]);
}

/// Waits in a task until its job was cancelled.
fn until_cancelled() {
    while TaskContext::get().is_some_and(|task| task.check_cancelled().is_ok()) {
        std::thread::yield_now();
    }
}

#[test]
fn counts_and_takes_are_cancelled_before_and_after_their_first_task_in_both_modes() {
    for mode in ["FIFO", "FAIR"] {
        let conf = Conf::empty().set_master("local[2]").set("spark.scheduler.mode", mode);
        let context = Context::new(conf).unwrap();
        for first in [false, true] {
            let (begun, began) = mpsc::channel();
            let numbers = context.parallelize(1..=10_000, 2).map(move |n| {
                begun.send(()).ok();
                until_cancelled();
                n
            });
            let count = numbers.count_async();
            first.then(|| began.recv().unwrap());
            count.cancel();
            assert!(matches!(count.wait(), Err(Error::Cancelled { .. })), "{mode}");
            began.try_iter().count();
            let take = numbers.take_async(5000);
            first.then(|| began.recv().unwrap());
            take.cancel();
            assert!(matches!(take.wait(), Err(Error::Cancelled { .. })), "{mode}");
        }
        assert_eq!(context.parallelize(1..=10, 2).count().unwrap(), 10);
    }
}

#[test]
fn a_partition_that_was_cancelled_half_way_is_not_kept() {
    let context = on("local");
    let (begun, began) = mpsc::channel();
    let numbers = context.parallelize(1..=1000, 2).map({
        let cancelled = AtomicBool::new(false);
        move |n| {
            if n > 10 && !cancelled.load(Ordering::Relaxed) {
                begun.send(()).ok();
                until_cancelled();
                cancelled.store(true, Ordering::Relaxed);
            }
            n
        }
    });
    let numbers = numbers.cache();
    let job = numbers.map(|n| n).count_async();
    began.recv().unwrap();
    context.cancel_all_jobs();
    assert!(matches!(job.wait(), Err(Error::Cancelled { .. })));
    assert_eq!(numbers.count().unwrap(), 1000);
}

#[test]
fn jobs_are_cancelled_by_any_of_their_tags() {
    let context = on("local[4]");
    assert!(context.add_job_tag("foo,bar").is_err() && context.add_job_tag("").is_err());
    let tags = |context: &Context, expected: &[&str]| {
        assert_eq!(context.get_job_tags(), expected.iter().map(ToString::to_string).collect::<BTreeSet<_>>());
    };
    let add = |context: &Context, tag: &str| context.add_job_tag(tag).unwrap();
    let (a_began, a) = endless(&context, move |context| {
        tags(context, &[]);
        add(context, "two");
        tags(context, &["two"]);
        context.clear_job_tags();
        tags(context, &[]);
        add(context, "one");
    });
    let (b_began, b) = endless(&context, move |context| {
        ["one", "two", "one", "two"].iter().for_each(|tag| add(context, tag));
        tags(context, &["one", "two"]);
    });
    let (c_began, c) = endless(&context, move |context| {
        add(context, "foo");
        context.remove_job_tag("foo").unwrap();
        tags(context, &[]);
        add(context, "two");
    });
    let (d_began, d) = endless(&context, move |context| {
        ["one", "two", "two"].iter().for_each(|tag| add(context, tag));
        context.remove_job_tag("two").unwrap();
        tags(context, &["one"]);
    });
    [a_began, b_began, c_began, d_began].iter().for_each(|began| began.recv().unwrap());
    context.cancel_jobs_with_tag("two").unwrap();
    assert!(ended(b).contains("two") && ended(c).contains("two"));
    assert!(!a.is_finished() && !d.is_finished());
    context.cancel_jobs_with_tag("one").unwrap();
    assert!(ended(a).contains("one") && ended(d).contains("one"));
}

#[test]
fn a_job_goes_on_with_the_stage_of_one_that_was_cancelled() {
    let context = on("local[2]");
    let go = Arc::new(AtomicBool::new(false));
    let (begun, began) = mpsc::channel();
    let wait = Arc::clone(&go);
    let pairs = context.parallelize(1..=10, 2).map(move |n| {
        begun.send(()).ok();
        while !wait.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        (n, n)
    });
    let sums = pairs.reduce_by_key(|a, b| a + b);
    let (collected, counted) = (sums.collect_async(), sums.count_async());
    began.recv().unwrap();
    collected.cancel();
    go.store(true, Ordering::Relaxed);
    assert!(matches!(collected.wait(), Err(Error::Cancelled { .. })));
    assert_eq!(counted.wait().unwrap(), 10);
}

#[test]
fn a_cancelled_task_does_not_read_all_of_a_shuffle() {
    const RECORDS: usize = 100_000;
    let context = on("local[1]");
    let read = Arc::new(AtomicUsize::new(0));
    let (begun, began) = mpsc::channel();
    let count = Arc::clone(&read);
    let sorted = context.parallelize(0..RECORDS, 2).map(|n| (n, n)).repartition_and_sort_within_partitions(1);
    let job = sorted.foreach_async(move |_| {
        begun.send(()).ok();
        until_cancelled();
        count.fetch_add(1, Ordering::Relaxed);
    });
    began.recv().unwrap();
    job.cancel();
    assert!(matches!(job.wait(), Err(Error::Cancelled { .. })));
    // The only thread is free when the task has ended.
    assert_eq!(context.parallelize(0..10, 2).count().unwrap(), 10);
    assert!(read.load(Ordering::Relaxed) < RECORDS);
}
