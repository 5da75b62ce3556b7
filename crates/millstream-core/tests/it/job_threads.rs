//! Threads that do tasks of the jobs they run.

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use millstream_core::scheduler::job_thread;
use millstream_core::{Context, Error, TaskContext};

use crate::on;

/// Runs `f` on a thread that does tasks of its jobs.
fn on_job_thread<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, result) = mpsc::channel();
    let thread = job_thread::spawn("jobs".into(), move || sender.send(f()).unwrap()).unwrap();
    let result = result.recv().unwrap();
    thread.join().unwrap();
    result
}

/// The threads on which the tasks of a job ran.
fn threads(context: &Context, tasks: usize) -> BTreeSet<String> {
    let names = context.parallelize(0..tasks, tasks).map(|_| thread::current().name().unwrap().to_owned());
    names.collect().unwrap().into_iter().collect()
}

#[test]
fn it_does_tasks_of_its_own_jobs_as_workers_do() {
    let context = on("local[2]");
    on_job_thread(move || {
        // Who is first takes a task, and has the other one left to another thread: as long as the first waits for the second.
        loop {
            let both = Arc::new(Barrier::new(2));
            let names = context.parallelize(0..2, 2).map(move |_| {
                both.wait();
                thread::current().name().unwrap().to_owned()
            });
            let mut names = names.collect().unwrap();
            names.sort();
            assert!(names[1].starts_with("worker-") && names[0] != names[1], "{names:?}");
            if names[0] == "jobs" {
                return;
            }
        }
    });
}

#[test]
fn tasks_of_other_threads_jobs_it_leaves_to_workers() {
    let context = on("local[2]");
    let (stop, stopped) = mpsc::channel::<()>();
    let its = context.clone();
    let other = job_thread::spawn("jobs".into(), move || {
        while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
            threads(&its, 8);
        }
    });
    for _ in 0..500 {
        let seen = threads(&context, 8);
        assert!(seen.iter().all(|name| name.starts_with("worker-")), "{seen:?}");
    }
    drop(stop);
    other.unwrap().join().unwrap();
}

#[test]
fn jobs_of_many_threads_and_stages_all_end() {
    for master in ["local[1]", "local[2]", "local[4]"] {
        let context = on(master);
        let sums = |context: &Context| {
            let pairs = context.parallelize(0..100, 5).map(|n| (n % 7, n));
            let sums = pairs.reduce_by_key(|a, b| a + b).map(|(_, sum)| (0, sum)).group_by_key();
            sums.map(|(_, sums)| sums.into_iter().sum::<i32>()).collect().unwrap()
        };
        let (done, all) = mpsc::channel();
        for _ in 0..3 {
            let (context, done) = (context.clone(), done.clone());
            let work = move || (0..100).for_each(|_| done.send(sums(&context)).unwrap());
            job_thread::spawn("jobs".into(), work).unwrap();
        }
        for _ in 0..2 {
            let (context, done) = (context.clone(), done.clone());
            thread::spawn(move || (0..100).for_each(|_| done.send(sums(&context)).unwrap()));
        }
        drop(done);
        let all: Vec<_> = all.iter().collect();
        assert_eq!(all, vec![vec![4950]; 500], "{master}");
    }
}

#[test]
fn a_failure_a_panic_and_a_cancellation_end_its_job_and_not_the_thread() {
    let context = on("local[1]");
    on_job_thread(move || {
        let numbers = context.parallelize(0..8, 8);
        for _ in 0..20 {
            let error = numbers.map(|n| if n == 5 { panic!("on purpose") } else { n }).count().unwrap_err();
            assert!(error.to_string().contains("on purpose"), "{error}");
            let one = context.clone();
            let endless = numbers.map_partitions(move |_| {
                let job = TaskContext::get().unwrap().job_id();
                let one = one.clone();
                thread::spawn(move || one.cancel_job(job));
                0_u64..
            });
            let error = endless.count().unwrap_err();
            assert!(matches!(error, Error::Cancelled { .. }), "{error}");
            assert_eq!(numbers.count().unwrap(), 8);
        }
    });
}

#[test]
fn long_lineages_fit_its_stack() {
    let context = on("local[1]");
    let sum = on_job_thread(move || {
        let mut numbers = context.parallelize(0..3, 3);
        for _ in 0..5000 {
            numbers = numbers.map(|n| n + 1);
        }
        numbers.collect()
    });
    assert_eq!(sum.unwrap(), [5000, 5001, 5002]);
}

#[test]
fn cancellations_and_a_stop_amid_many_jobs_leave_nobody_waiting() {
    for (round, master) in ["local[1]", "local[2]", "local[8]"].into_iter().cycle().take(60).enumerate() {
        let context = on(master);
        let (counted, counts) = mpsc::channel();
        let run = |own: Context, counted: mpsc::Sender<()>| {
            move || loop {
                let pairs =
                    own.parallelize(0..100, 9).map(|n| (n % 7, n)).reduce_by_key_with(|a, b| a + b, 5);
                match pairs.count() {
                    Ok(keys) => assert_eq!(keys, 7),
                    Err(Error::Cancelled { .. }) => {}
                    Err(Error::Stopped) => return,
                    Err(other) => panic!("{other}"),
                }
                // Nobody counts in the end.
                let _ = counted.send(());
            }
        };
        let mut threads = Vec::new();
        for _ in 0..2 {
            threads.push(job_thread::spawn("jobs".into(), run(context.clone(), counted.clone())).unwrap());
            threads.push(thread::spawn(run(context.clone(), counted.clone())));
        }
        for _ in 0..20 {
            counts.recv().unwrap();
            context.cancel_all_jobs();
        }
        if round % 2 == 0 {
            context.cancel_all_jobs();
        }
        context.stop();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
