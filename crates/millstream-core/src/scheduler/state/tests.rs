use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::*;
use crate::error::Cause;
use crate::scheduler::allocation::Mode;
use crate::scheduler::stage::Parent;
use crate::shuffle::map_output::OneBucket;
use crate::shuffle::{Bucket, Memory, Reuse};

pub(in crate::scheduler) mod sim;
use sim::{Sim, action, own, read, shuffle, three_stages, two_stages};

#[test]
fn reduce_tasks_run_once_all_map_tasks_have_ended() {
    let mut sim = Sim::with(1, two_stages());
    assert_eq!(sim.running(), [(0, 0, 0), (0, 1, 0)]);
    sim.succeed((0, 1, 0));
    assert_eq!(sim.running(), [(0, 0, 0)]);
    sim.succeed((0, 0, 0));
    assert_eq!(sim.running(), [(1, 0, 0), (1, 1, 0), (1, 2, 0)]);
    let reduce = sim.take((1, 1, 0));
    assert_eq!(read(&reduce), [vec![vec![(0, 0)], vec![(1, 0)]]]);
    sim.report_success(&reduce);
    sim.succeed_all([(1, 2, 0), (1, 0, 0)]);
    assert_eq!(sim.values(), [(0, 0), (1, 0), (2, 0)]);
}

#[test]
fn results_come_in_the_order_of_the_partitions_asked_for() {
    let mut sim = Sim::with(1, Plan { stages: vec![action(vec![5, 2, 9], vec![])] });
    sim.succeed_all([(0, 9, 0), (0, 5, 0), (0, 2, 0)]);
    assert_eq!(sim.values(), [(5, 0), (2, 0), (9, 0)]);
}

#[test]
fn a_job_over_no_partitions_ends_at_once() {
    let mut sim =
        Sim::with(1, Plan { stages: vec![shuffle(0, 2, 0, vec![]), action(vec![], vec![own(0, 0)])] });
    assert_eq!(sim.running(), []);
    assert_eq!(sim.values(), []);
}

#[test]
fn a_shuffle_without_map_tasks_is_done_and_stays_so() {
    let mut sim =
        Sim::with(2, Plan { stages: vec![shuffle(0, 0, 1, vec![]), action(vec![0], vec![own(0, 1)])] });
    let reduce = sim.take((1, 0, 0));
    assert_eq!(read(&reduce), [Vec::<Vec<(usize, u32)>>::new()]);
    sim.fail(reduce.id);
    sim.succeed((1, 0, 1));
    assert_eq!(sim.values(), [(0, 1)]);
}

#[test]
fn a_task_that_fails_too_often_fails_its_job() {
    let mut sim = Sim::with(3, two_stages());
    let other = sim.take((0, 0, 0));
    for attempt in 0..2 {
        let task = sim.take((0, 1, attempt));
        sim.fail(task.id);
        assert!(sim.finished.is_empty());
    }
    assert!(!other.cancelled.load(Ordering::Relaxed));
    let last = sim.take((0, 1, 2));
    sim.fail(last.id);
    let Error::JobFailed(failure) = sim.failure() else { panic!("another error") };
    assert_eq!(
        failure.to_string(),
        "job 0 failed: map at f.rs:1:2 on partition 1 of batch 1700 ms, after 3 attempts: no luck"
    );
    assert_eq!((failure.partition, failure.attempts, failure.operator.as_str()), (1, 3, "map at f.rs:1:2"));
    let cause: Cause = match &failure.cause {
        Error::User(cause) => Arc::clone(cause),
        other => panic!("another cause: {other}"),
    };
    assert_eq!(cause.to_string(), "no luck");
    assert!(other.cancelled.load(Ordering::Relaxed));
    assert_eq!(sim.running(), []);
}

#[test]
fn failures_of_different_partitions_do_not_add_up() {
    let mut sim = Sim::with(2, two_stages());
    for partition in [0, 1] {
        let task = sim.take((0, partition, 0));
        sim.fail(task.id);
    }
    sim.succeed_all([(0, 0, 1), (0, 1, 1), (1, 0, 0), (1, 1, 0), (1, 2, 0)]);
    assert_eq!(sim.values().len(), 3);
}

#[test]
fn some_failures_are_not_worth_another_attempt() {
    for cause in [Error::Freed, Error::poisoned("x")] {
        let mut sim = Sim::with(9, two_stages());
        let task = sim.take((0, 0, 0));
        sim.fail_with(task.id, cause);
        assert!(matches!(sim.failure(), Error::JobFailed(failure) if failure.attempts == 1));
    }
}

#[test]
fn lost_results_do_not_count_as_failures() {
    let mut sim = Sim::with(1, two_stages());
    for attempt in 0..20 {
        let task = sim.take((0, 0, attempt));
        sim.lose(task.id);
    }
    sim.succeed_all([(0, 0, 20), (0, 1, 0), (1, 0, 0), (1, 1, 0), (1, 2, 0)]);
    assert_eq!(sim.values(), [(0, 0), (1, 0), (2, 0)]);
}

#[test]
fn the_late_result_of_an_older_attempt_counts() {
    let mut sim = Sim::with(1, Plan { stages: vec![action(vec![0], vec![])] });
    let first = sim.take((0, 0, 0));
    sim.lose(first.id);
    assert_eq!(sim.running(), [(0, 0, 1)]);
    sim.report_success(&first);
    assert_eq!(sim.values(), [(0, 0)]);
    sim.succeed((0, 0, 1));
    assert!(sim.finished.is_empty());
}

#[test]
fn the_late_failure_of_an_older_attempt_does_not_count() {
    let mut sim = Sim::with(1, Plan { stages: vec![action(vec![0], vec![])] });
    let first = sim.take((0, 0, 0));
    sim.lose(first.id);
    sim.fail(first.id);
    sim.lose(first.id);
    assert_eq!(sim.running(), [(0, 0, 1)]);
    sim.succeed((0, 0, 1));
    assert_eq!(sim.values(), [(0, 1)]);
}

#[test]
fn what_is_reported_twice_counts_once() {
    let mut sim = Sim::with(2, two_stages());
    let (zero, one) = (sim.take((0, 0, 0)), sim.take((0, 1, 0)));
    sim.report_success(&zero);
    sim.report_success(&zero);
    sim.fail(zero.id);
    sim.lose(zero.id);
    assert_eq!(sim.running(), []);
    sim.fail(one.id);
    sim.fail(one.id);
    assert_eq!(sim.running(), [(0, 1, 1)]);
    sim.succeed((0, 1, 1));
    assert_eq!(sim.running(), [(1, 0, 0), (1, 1, 0), (1, 2, 0)]);
    // Of a stage that is done.
    sim.report_success(&one);
    sim.lose(one.id);
    assert_eq!(sim.running().len(), 3);
}

#[test]
fn what_was_taken_before_a_failure_is_made_again_and_nothing_else() {
    let mut sim = Sim::with(2, two_stages());
    sim.succeed_all([(0, 0, 0), (0, 1, 0), (1, 0, 0)]);
    let reduce = sim.take((1, 1, 0));
    read(&reduce);
    sim.fail(reduce.id);
    assert_eq!(sim.running(), [(1, 2, 0), (0, 0, 1), (0, 1, 1)]);
    // The others go on with the old buckets meanwhile.
    sim.succeed_all([(1, 2, 0), (0, 0, 1), (0, 1, 1)]);
    assert_eq!(sim.running(), [(1, 1, 1)]);
    let reduce = sim.take((1, 1, 1));
    assert_eq!(read(&reduce), [vec![vec![(0, 1)], vec![(1, 1)]]]);
    sim.report_success(&reduce);
    assert_eq!(sim.values(), [(0, 0), (1, 1), (2, 0)]);
}

#[test]
fn what_was_not_taken_before_a_failure_is_read_again() {
    let mut sim = Sim::with(2, two_stages());
    sim.succeed_all([(0, 0, 0), (0, 1, 0)]);
    let reduce = sim.take((1, 1, 0));
    sim.fail(reduce.id);
    assert_eq!(sim.running(), [(1, 0, 0), (1, 2, 0), (1, 1, 1)]);
}

#[test]
fn several_tasks_that_need_their_buckets_again_wait_for_one_run() {
    let mut sim = Sim::with(2, two_stages());
    sim.succeed_all([(0, 0, 0), (0, 1, 0)]);
    for partition in [2, 0] {
        let reduce = sim.take((1, partition, 0));
        read(&reduce);
        sim.lose(reduce.id);
    }
    assert_eq!(sim.running(), [(1, 1, 0), (0, 0, 1), (0, 1, 1)]);
    sim.succeed_all([(0, 0, 1), (0, 1, 1)]);
    assert_eq!(sim.running(), [(1, 1, 0), (1, 0, 1), (1, 2, 1)]);
}

#[test]
fn a_failure_while_waiting_for_buckets_counts_once() {
    let mut sim = Sim::with(2, two_stages());
    sim.succeed_all([(0, 0, 0), (0, 1, 0)]);
    let reduce = sim.take((1, 0, 0));
    read(&reduce);
    sim.fail(reduce.id);
    // The same failure again; the second attempt has not begun.
    sim.fail(reduce.id);
    assert!(sim.finished.is_empty());
    sim.succeed_all([(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 2, 0)]);
    assert_eq!(sim.values(), [(0, 1), (1, 0), (2, 0)]);
}

#[test]
fn what_was_taken_is_made_again_through_all_stages() {
    let mut sim = Sim::with(2, three_stages());
    sim.succeed_all([(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0), (2, 0, 0)]);
    let last = sim.take((2, 1, 0));
    read(&last);
    sim.fail(last.id);
    assert_eq!(sim.running(), [(0, 0, 1), (0, 1, 1)]);
    sim.succeed_all([(0, 0, 1), (0, 1, 1)]);
    assert_eq!(sim.running(), [(1, 0, 1), (1, 1, 1)]);
    sim.succeed_all([(1, 0, 1), (1, 1, 1)]);
    assert_eq!(sim.running(), [(2, 1, 1)]);
    sim.succeed((2, 1, 1));
    assert_eq!(sim.values(), [(0, 0), (1, 1)]);
}

#[test]
fn a_late_result_ends_the_wait_for_buckets() {
    let mut sim = Sim::with(2, three_stages());
    sim.succeed_all([(0, 0, 0), (0, 1, 0), (1, 1, 0)]);
    let middle = sim.take((1, 0, 0));
    read(&middle);
    // Given up, so the first stage runs again for it; but it has ended well after all.
    sim.lose(middle.id);
    assert_eq!(sim.running(), [(0, 0, 1), (0, 1, 1)]);
    sim.report_success(&middle);
    assert_eq!(sim.running(), [(0, 0, 1), (0, 1, 1), (2, 0, 0), (2, 1, 0)]);
    sim.succeed_all([(0, 0, 1), (0, 1, 1)]);
    assert_eq!(sim.running(), [(2, 0, 0), (2, 1, 0)]);
    sim.succeed_all([(2, 0, 0), (2, 1, 0)]);
    assert_eq!(sim.values(), [(0, 0), (1, 0)]);
}

#[test]
fn a_union_reads_of_each_shuffle_what_it_needs() {
    let of = |stage, reducers: [Vec<usize>; 4]| Parent { stage, reducers: reducers.into() };
    let parents = vec![of(0, [vec![0], vec![1], vec![], vec![]]), of(1, [vec![], vec![], vec![0], vec![1]])];
    let stages = vec![shuffle(0, 1, 2, vec![]), shuffle(1, 1, 2, vec![]), action((0..4).collect(), parents)];
    let mut sim = Sim::with(2, Plan { stages });
    assert_eq!(sim.running(), [(0, 0, 0), (1, 0, 0)]);
    sim.succeed_all([(0, 0, 0), (1, 0, 0)]);
    assert_eq!(sim.running(), [(2, 0, 0), (2, 1, 0), (2, 2, 0), (2, 3, 0)]);
    // Partition 3 reads reducer 1 of the second shuffle: only that one must be made again.
    let task = sim.take((2, 3, 0));
    task.inputs[1].1.read::<(usize, u32)>(1).unwrap();
    sim.fail(task.id);
    assert_eq!(sim.running(), [(2, 0, 0), (2, 1, 0), (2, 2, 0), (1, 0, 1)]);
}

#[test]
fn buckets_that_are_read_more_than_once_are_copied() {
    let mut plan = two_stages();
    plan.stages[0].shared = true;
    let mut sim = Sim::with(2, plan);
    sim.succeed_all([(0, 0, 0), (0, 1, 0)]);
    let reduce = sim.take((1, 0, 0));
    assert_eq!(read(&reduce), read(&reduce));
    sim.fail(reduce.id);
    assert_eq!(sim.running(), [(1, 1, 0), (1, 2, 0), (1, 0, 1)]);
}

#[test]
fn a_stage_whose_buckets_were_kept_is_passed_over() {
    let bucket = || Box::new(OneBucket::of(vec![(7_usize, 7_u32)])) as Bucket;
    let kept = ShuffleOutputs::new(vec![vec![bucket(), bucket(), bucket()]], 3, true);
    let mut plan = two_stages();
    plan.stages[0].reuse = Some(Reuse { outputs: Some(Arc::new(kept)), keep: None });
    let mut sim = Sim::with(2, plan);
    assert_eq!(sim.running(), [(1, 0, 0), (1, 1, 0), (1, 2, 0)]);
    let reduce = sim.take((1, 0, 0));
    assert_eq!(read(&reduce), [[[(7, 7)]]]);
    sim.fail(reduce.id);
    assert_eq!(sim.running(), [(1, 1, 0), (1, 2, 0), (1, 0, 1)]);
}

#[test]
fn buckets_that_are_to_be_kept_are_copied() {
    let mut plan = two_stages();
    plan.stages[0].reuse = Some(Reuse { outputs: None, keep: Some(Memory::default()) });
    let mut sim = Sim::with(1, plan);
    sim.succeed_all([(0, 0, 0), (0, 1, 0)]);
    let reduce = sim.take((1, 0, 0));
    assert_eq!(read(&reduce), read(&reduce));
}

#[test]
fn stopping_cancels_all_jobs_and_refuses_new_ones() {
    let mut sim = Sim::with(2, two_stages());
    sim.submit(1, two_stages());
    let tasks = [sim.take((0, 0, 0)), sim.take((2, 1, 0))];
    sim.tell(Event::Stop);
    assert!(tasks.iter().all(|task| task.cancelled.load(Ordering::Relaxed)));
    sim.finished.sort_by_key(|(job, _)| *job);
    for (n, (job, result)) in sim.finished.drain(..).enumerate() {
        assert_eq!(job, n as u64);
        let error = result.err().unwrap().to_string();
        assert_eq!(error, format!("job {n} was cancelled: the context was stopped"));
    }
    sim.submit(2, two_stages());
    assert!(matches!(sim.failure(), Error::Stopped));
    sim.tell(Event::Stop);
    assert!(sim.finished.is_empty());
}

#[test]
fn what_is_reported_after_a_job_has_ended_changes_nothing() {
    let mut sim = Sim::with(1, two_stages());
    let (zero, one) = (sim.take((0, 0, 0)), sim.take((0, 1, 0)));
    sim.fail(zero.id);
    assert!(matches!(sim.failure(), Error::JobFailed(_)));
    sim.report_success(&one);
    sim.fail(one.id);
    sim.lose(zero.id);
    assert!(sim.running().is_empty() && sim.finished.is_empty());
}

#[test]
fn a_failed_job_does_not_disturb_another() {
    let mut sim = Sim::with(1, two_stages());
    sim.submit(1, two_stages());
    let task = sim.take((0, 0, 0));
    sim.fail(task.id);
    assert_eq!(sim.finished.remove(0).0, 0);
    sim.succeed_all([(2, 0, 0), (2, 1, 0), (3, 2, 0), (3, 1, 0), (3, 0, 0)]);
    assert_eq!(sim.values(), [(0, 0), (1, 0), (2, 0)]);
}

/// The tasks whose updates were counted: stage and partition.
fn counted(sim: &Sim) -> Vec<(u64, usize)> {
    let tasks = sim.counted.iter().map(|updates| updates.task_of_test().unwrap());
    let mut tasks: Vec<_> = tasks.map(|task| (task.stage.0, task.partition)).collect();
    tasks.sort();
    tasks
}

#[test]
fn each_partition_is_counted_once() {
    let mut sim = Sim::with(2, two_stages());
    let (zero, one) = (sim.take((0, 0, 0)), sim.take((0, 1, 0)));
    sim.lose(zero.id);
    sim.report_success(&zero);
    sim.succeed((0, 0, 1));
    sim.fail(one.id);
    sim.succeed((0, 1, 1));
    sim.report_success(&one);
    assert_eq!(counted(&sim), [(0, 0), (0, 1)]);
    // The map stage runs once more: its buckets were taken by an attempt that failed.
    let reduce = sim.take((1, 1, 0));
    read(&reduce);
    sim.fail(reduce.id);
    sim.succeed_all([(0, 0, 2), (0, 1, 2), (1, 1, 1), (1, 0, 0), (1, 2, 0)]);
    assert_eq!(counted(&sim), [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]);
}

#[test]
fn a_later_job_that_makes_a_shuffle_again_does_not_count_again() {
    let (first, second) = (two_stages(), two_stages());
    let mut second = second;
    second.stages[0].counted = first.stages[0].counted.clone();
    let mut sim = Sim::with(1, first);
    sim.succeed_all([(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0), (1, 2, 0)]);
    sim.submit(1, second);
    sim.succeed_all([(2, 0, 0), (2, 1, 0), (3, 0, 0), (3, 1, 0), (3, 2, 0)]);
    assert_eq!(counted(&sim), [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (3, 0), (3, 1), (3, 2)]);
}

#[test]
fn what_comes_after_the_end_of_a_job_is_not_counted() {
    let mut sim = Sim::with(1, two_stages());
    let (zero, one) = (sim.take((0, 0, 0)), sim.take((0, 1, 0)));
    sim.fail(zero.id);
    sim.report_success(&one);
    assert!(sim.counted.is_empty());
}

fn jobs_of_two_tasks(sim: &mut Sim, properties: &[&[(&str, &str)]]) {
    for (job, set) in properties.iter().enumerate() {
        sim.submit_with(job as u64, Plan { stages: vec![action(vec![0, 1], vec![])] }, set);
    }
}

#[test]
fn jobs_are_cancelled_by_number_group_tag_and_all_together() {
    use crate::scheduler::properties::{JOB_GROUP, JOB_TAGS};
    let jobs: [&[(&str, &str)]; 4] =
        [&[], &[(JOB_GROUP, "a")], &[(JOB_GROUP, "b"), (JOB_TAGS, "one,two")], &[(JOB_TAGS, "one")]];
    for (which, reason, meant, message) in [
        (Which::One(JobId(3)), None, vec![3], "as its caller asked"),
        (Which::One(JobId(9)), None, vec![], ""),
        (Which::Group("a".into()), None, vec![1], "it is part of the cancelled job group `a`"),
        (Which::Group("a".into()), Some("late"), vec![1], "it is part of the cancelled job group `a`: late"),
        (Which::Group("one".into()), None, vec![], ""),
        (Which::Tag("one".into()), None, vec![2, 3], "it has the cancelled job tag `one`"),
        (Which::Tag("two".into()), None, vec![2], "it has the cancelled job tag `two`"),
        (Which::All, Some("enough"), vec![0, 1, 2, 3], "all jobs were cancelled: enough"),
    ] {
        let mut sim = Sim::new(1);
        jobs_of_two_tasks(&mut sim, &jobs);
        sim.tell(Event::Cancel { which, reason: reason.map(String::from) });
        let cancelled: Vec<_> = sim.finished.iter().map(|(job, _)| *job).collect();
        assert_eq!(cancelled, meant);
        for (job, result) in sim.finished.drain(..) {
            let error = result.err().unwrap().to_string();
            assert_eq!(error, format!("job {job} was cancelled: {message}"));
        }
        for task in &sim.running {
            assert_eq!(task.cancelled.load(Ordering::Relaxed), meant.contains(&task.id.job.0));
        }
    }
}

#[test]
fn a_cancelled_job_keeps_its_slots_until_its_tasks_have_ended() {
    let mut sim = Sim::on(1, Queue::new(1, Mode::Fifo, Vec::new()));
    jobs_of_two_tasks(&mut sim, &[&[], &[]]);
    let first = sim.take((0, 0, 0));
    sim.tell(Event::Cancel { which: Which::One(JobId(0)), reason: None });
    assert_eq!(sim.running(), []);
    sim.fail_with(first.id, Error::Stopped);
    assert_eq!(sim.running(), [(1, 0, 0)]);
    sim.succeed((1, 0, 0));
    // Reported once more: no second slot comes of it.
    sim.fail_with(first.id, Error::Stopped);
    assert_eq!(sim.running(), [(1, 1, 0)]);
    sim.succeed((1, 1, 0));
    assert_eq!(sim.finished.len(), 2);
}
