//! What a task tells those who wait for its end.

use std::sync::{Arc, Mutex};

use millstream_core::{Context, TaskContext};

use crate::processes::elsewhere;
use crate::{context, on};

type Told = Arc<Mutex<Vec<String>>>;

/// Has the task of this thread tell of its end.
fn listen(told: &Told, name: &'static str) {
    let task = TaskContext::get().unwrap();
    assert!(!task.is_completed() && !task.is_failed());
    let to = Arc::clone(told);
    task.add_task_completion_listener(move |task| {
        let end = if task.is_failed() { "failed" } else { "done" };
        assert!(task.is_completed());
        to.lock().unwrap().push(format!("{name}: attempt {} {end}", task.attempt_number()));
    });
    let to = Arc::clone(told);
    task.add_task_failure_listener(move |task, error| {
        assert!(task.is_failed() && !task.is_completed());
        to.lock().unwrap().push(format!("{name}: {error}"));
    });
}

fn told(told: &Told) -> Vec<String> {
    std::mem::take(&mut told.lock().unwrap())
}

#[test]
fn the_last_listener_is_told_first_and_a_failure_before_the_end() {
    let context = on("local[1,2]");
    let told_by_tasks = Told::default();
    let to = Arc::clone(&told_by_tasks);
    let numbers = context.parallelize([1], 1).map(move |n| {
        listen(&to, "first");
        listen(&to, "second");
        assert!(TaskContext::get().unwrap().attempt_number() > 0, "not yet");
        n
    });
    assert_eq!(numbers.collect().unwrap(), [1]);
    let all = told(&told_by_tasks);
    assert!(all[0].starts_with("second: panicked at") && all[0].ends_with("not yet"), "{all:?}");
    assert!(all[1].starts_with("first: panicked at"), "{all:?}");
    assert_eq!(
        all[2..],
        [
            "second: attempt 0 failed",
            "first: attempt 0 failed",
            "second: attempt 1 done",
            "first: attempt 1 done"
        ]
    );
}

#[test]
fn a_listener_is_told_after_the_records_were_read_also_if_not_all_are() {
    let told_by_tasks = Told::default();
    let to = Arc::clone(&told_by_tasks);
    let numbers = context().parallelize(0..10, 1).map_partitions(move |records| {
        listen(&to, "partition");
        let to = Arc::clone(&to);
        records.inspect(move |n| to.lock().unwrap().push(n.to_string()))
    });
    assert_eq!(numbers.first().unwrap(), Some(0));
    let all = told(&told_by_tasks);
    assert_eq!(all.last().unwrap(), "partition: attempt 0 done");
    assert_eq!(all[0], "0");
}

#[test]
fn a_listener_that_panics_fails_the_task_and_keeps_none_from_being_told() {
    let told_by_tasks = Told::default();
    let to = Arc::clone(&told_by_tasks);
    let counted = context().parallelize([1], 1).map(move |n| {
        listen(&to, "kept");
        TaskContext::get().unwrap().add_task_completion_listener(|_| panic!("can not close"));
        n
    });
    let error = counted.count().unwrap_err().to_string();
    assert!(
        error.contains("a listener of the task panicked at") && error.contains("can not close"),
        "{error}"
    );
    assert_eq!(told(&told_by_tasks), ["kept: attempt 0 done"]);
}

#[test]
fn a_failure_stays_what_it_was_when_its_listeners_panic() {
    let failed = context().parallelize([1], 1).foreach(|_| {
        TaskContext::get().unwrap().add_task_failure_listener(|_, _| panic!("another"));
        Err("the first")
    });
    assert!(failed.unwrap_err().to_string().ends_with("the first"));
}

#[test]
fn what_listeners_add_counts_here_and_in_other_processes() {
    let closed = |context: &Context| {
        let closed = context.long_accumulator("closed");
        let pairs =
            context.parallelize([(1, 1), (2, 2)], 2).map_partitions_env(closed.clone(), |closed, records| {
                let closed = closed.clone();
                let task = TaskContext::get().unwrap();
                assert_eq!(task.num_partitions(), 2);
                task.add_task_completion_listener(move |_| closed.add(1));
                records
            });
        let sums = pairs.reduce_by_key_with(|a, b| a + b, 3);
        let of =
            sums.map_partitions(|records| [(TaskContext::get().unwrap().num_partitions(), records.count())]);
        let partitions: Vec<_> = of.collect().unwrap().into_iter().map(|(of, _)| of).collect();
        assert_eq!(partitions, [3, 3, 3]);
        closed.value()
    };
    assert_eq!((closed(&context()), closed(&elsewhere())), (2, 2));
}

#[test]
fn a_cancelled_task_has_failed() {
    let told_by_tasks = Told::default();
    let to = Arc::clone(&told_by_tasks);
    let endless = context().parallelize([0], 1).foreach_async(move |_| {
        listen(&to, "task");
        while !TaskContext::get().unwrap().is_interrupted() {
            std::thread::yield_now();
        }
        TaskContext::get().unwrap().check_cancelled()
    });
    while Arc::strong_count(&told_by_tasks) < 4 && !endless.is_completed() {
        std::thread::yield_now(); // until it listens
    }
    endless.cancel();
    assert!(endless.wait().is_err());
    // The job ends at once; its task tells when it comes to its end.
    while told_by_tasks.lock().unwrap().len() < 2 {
        std::thread::yield_now();
    }
    assert_eq!(told(&told_by_tasks)[1], "task: attempt 0 failed");
}
