//! Jobs that run at the same time.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use millstream_core::{Error, TaskContext};

use crate::{context, on, sorted};

#[test]
fn jobs_may_come_from_many_threads() {
    let context = on("local[3]");
    let shared = context.parallelize(0..1000, 4).map(|n| (n % 10, n)).reduce_by_key(|a, b| a + b);
    thread::scope(|scope| {
        for n in 0..8 {
            let (context, shared) = (&context, &shared);
            scope.spawn(move || {
                for round in 0..20 {
                    let sums = context
                        .parallelize(0..100, 3)
                        .map(move |m| (m % 7, m * n))
                        .reduce_by_key(|a, b| a + b);
                    let total = sums.map(|(_, sum)| sum).reduce(|a, b| a + b).unwrap();
                    assert_eq!(total, Some(4950 * n), "round {round}");
                    assert_eq!(shared.count().unwrap(), 10, "round {round}");
                }
            });
        }
    });
}

#[test]
fn a_failing_job_does_not_disturb_another() {
    let context = on("local[2]");
    let (send, started) = channel();
    let (go, wait) = channel::<()>();
    let (send, wait) = (Mutex::new(send), Mutex::new(wait));
    let long = context.parallelize([1], 1).map(move |n| {
        send.lock().unwrap().send(()).unwrap();
        wait.lock().unwrap().recv().unwrap();
        n
    });
    let sums = long.map(|n| (n, n)).reduce_by_key(|a, b| a + b);
    let job = thread::spawn(move || sums.collect());
    started.recv().unwrap();
    for _ in 0..10 {
        let failed = context.parallelize(0..10, 4).foreach(|n| if n == 5 { Err("no luck") } else { Ok(()) });
        assert!(matches!(failed.unwrap_err(), Error::JobFailed(_)));
    }
    go.send(()).unwrap();
    assert_eq!(job.join().unwrap().unwrap(), [(1, 1)]);
}

#[test]
fn a_job_can_be_started_from_a_thread_that_a_task_waits_for() {
    // On one worker thread: the inner job is run by another context's.
    let outer = on("local[1]");
    let inner = Arc::new(context());
    let counts = outer.parallelize([3, 4], 2).map(move |n| {
        let inner = Arc::clone(&inner);
        thread::spawn(move || inner.parallelize(0..n, 2).count().unwrap()).join().unwrap()
    });
    assert_eq!(counts.collect().unwrap(), [3, 4]);
}

#[test]
fn tasks_know_who_they_are() {
    let rdd = context().parallelize(0..4, 4).map(|_| {
        let task = TaskContext::get().unwrap();
        (task.partition_id(), task.attempt_number(), task.job_id().0, task.stage_id().0)
    });
    assert_eq!(rdd.collect().unwrap(), [(0, 0, 0, 0), (1, 0, 0, 0), (2, 0, 0, 0), (3, 0, 0, 0)]);
    assert_eq!(rdd.take(1).unwrap(), [(0, 0, 1, 1)]);
    assert!(TaskContext::get().is_none());
}

#[test]
fn many_partitions_are_many_tasks() {
    let context = on("local[4]");
    let numbers = context.parallelize(0..20_000, 10_000);
    assert_eq!(numbers.count().unwrap(), 20_000);
    let sums = numbers.map(|n| (n % 5, 1)).reduce_by_key_with(|a, b| a + b, 3);
    assert_eq!(sorted(sums.collect().unwrap()), [(0, 4000), (1, 4000), (2, 4000), (3, 4000), (4, 4000)]);
    let spread = context.parallelize(0..20_000, 4).map(|n| (n, ())).partition_by(10_000);
    assert_eq!(spread.filter(|_| true).count().unwrap(), 20_000);
}
