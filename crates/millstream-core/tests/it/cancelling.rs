//! Jobs that are ended by their number, by their group or through their asynchronous action, each with a reason.

use std::collections::BTreeSet;
use std::sync::{Mutex, mpsc};

use millstream_core::ids::JobId;
use millstream_core::{Context, Error, FutureAction, TaskContext};

use crate::{context, on};

/// Starts a job that goes on until it is cancelled; returns it with its number once it has begun.
fn endless(context: &Context) -> (FutureAction<u64>, JobId) {
    let (begun, began) = mpsc::channel();
    let records = context.parallelize([1], 1).map_partitions(move |_| {
        begun.send(TaskContext::get().unwrap().job_id()).ok();
        0_u64..
    });
    let action = records.count_async();
    let job = began.recv().unwrap();
    assert_eq!(action.job_ids(), [job]);
    (action, job)
}

/// Which job was cancelled, and why.
fn ended(action: FutureAction<u64>) -> (JobId, String) {
    match action.wait().unwrap_err() {
        Error::Cancelled { job, reason } => (job, reason),
        error => panic!("{error}"),
    }
}

/// The reason of Spark's case of jobs that are cancelled with one.
const REASON: &str = "You shall not pass";

#[test]
fn a_job_is_cancelled_by_its_number_and_no_other() {
    let context = on("local[3]");
    let [(first, one), (second, two), (third, three)] = [(); 3].map(|()| endless(&context));
    context.cancel_job(one);
    let (job, reason) = ended(first);
    assert_eq!(job, one);
    assert!(!reason.is_empty() && !reason.contains(REASON), "{reason}");
    assert!(!second.is_completed() && !third.is_completed());
    context.cancel_job_with(two, REASON);
    assert_eq!(ended(second), (two, REASON.to_owned()));
    assert!(!third.is_completed());
    // One that has ended, one that was never there: nothing is left of it for the jobs to come.
    context.cancel_job(two);
    context.cancel_job_with(JobId(three.0 + 1), REASON);
    assert_eq!(context.parallelize(0..10, 2).count().unwrap(), 10);
    context.cancel_job_with(three, REASON);
    assert_eq!(ended(third), (three, REASON.to_owned()));
}

#[test]
fn all_running_jobs_of_a_group_are_cancelled_for_a_reason_and_later_ones_are_not() {
    let context = on("local[3]");
    context.set_job_group("ours", "until they are cancelled", false);
    let (first, second) = (endless(&context), endless(&context));
    context.set_job_group("theirs", "until they are cancelled", false);
    let (third, three) = endless(&context);
    context.cancel_job_group_with("nobody's", "to no purpose");
    context.cancel_job_group_with("ours", REASON);
    for (action, job) in [first, second] {
        let (ended, reason) = ended(action);
        assert!(ended == job && reason.contains("`ours`") && reason.contains(REASON), "{reason}");
    }
    assert!(!third.is_completed());
    context.set_job_group("ours", "later", false);
    assert_eq!(context.parallelize(0..10, 2).count().unwrap(), 10);
    context.cancel_job_group("theirs");
    let (job, reason) = ended(third);
    assert!(job == three && reason.contains("`theirs`"), "{reason}");
}

#[test]
fn an_action_is_cancelled_for_the_first_reason_and_others_run_on() {
    let context = on("local[2]");
    let ((one, job), (other, other_job)) = (endless(&context), endless(&context));
    assert!(!one.is_cancelled());
    one.cancel_with(REASON);
    assert!(one.is_cancelled() && !other.is_cancelled());
    one.cancel_with("once more");
    assert_eq!(ended(one), (job, REASON.to_owned()));
    assert!(!other.is_completed());
    other.cancel();
    let (ended, reason) = ended(other);
    assert!(ended == other_job && reason.contains("asynchronous action"), "{reason}");
}

#[test]
fn an_action_that_was_cancelled_starts_no_other_job() {
    let context = on("local[1]");
    let (begun, began) = mpsc::channel();
    // Of more records than the first job finds.
    let numbers = context.parallelize(0..100, 10).map(move |n| {
        begun.send(()).ok();
        while TaskContext::get().is_some_and(|task| task.check_cancelled().is_ok()) {
            std::thread::yield_now();
        }
        n
    });
    let taking = numbers.take_async(100);
    began.recv().unwrap();
    let jobs = taking.job_ids();
    assert_eq!(jobs.len(), 1);
    taking.cancel_with(REASON);
    let error = taking.wait().unwrap_err();
    assert!(
        matches!(&error, Error::Cancelled { job, reason } if *job == jobs[0] && reason == REASON),
        "{error}"
    );
    let next = context.parallelize([()], 1).map(|()| TaskContext::get().unwrap().job_id().0);
    assert_eq!(next.collect().unwrap(), [jobs[0].0 + 1]);
}

#[test]
fn to_cancel_an_action_that_is_done_takes_nothing_back() {
    let counting = context().parallelize(0..100, 4).count_async();
    while !counting.is_completed() {
        std::thread::yield_now();
    }
    counting.cancel_with(REASON);
    assert!(counting.is_cancelled());
    assert_eq!(counting.wait().unwrap(), 100);
}

#[test]
fn an_action_tells_all_its_jobs_in_their_order() {
    let context = on("local[2]");
    let (seen, jobs) = mpsc::channel();
    let seen = Mutex::new(seen);
    let numbers = context.parallelize(0..100, 50).map(move |n| {
        seen.lock().unwrap().send(TaskContext::get().unwrap().job_id().0).unwrap();
        n
    });
    let taking = numbers.take_async(60);
    while !taking.is_completed() {
        std::thread::yield_now();
    }
    let told: Vec<_> = taking.job_ids().iter().map(|job| job.0).collect();
    assert_eq!(taking.wait().unwrap(), (0..60).collect::<Vec<_>>());
    assert!(told.len() > 1, "{told:?}");
    assert_eq!(told, jobs.try_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
}
