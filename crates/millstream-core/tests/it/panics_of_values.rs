//! Users' values that panic when they are dropped or merged: they cost no other job, and no other value, anything.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use millstream_core::{Accumulator, Context, Error, TaskContext};
use serde::{Deserialize, Serialize};

use crate::on;

/// Which grenades are armed, by test: the next one that is dropped goes off.
static ARMED: [AtomicBool; 5] = [const { AtomicBool::new(false) }; 5];

#[derive(Clone, Serialize, Deserialize)]
struct Grenade(usize);

impl Drop for Grenade {
    fn drop(&mut self) {
        assert!(!ARMED[self.0].swap(false, Ordering::SeqCst), "a drop that panics");
    }
}

fn arm(test: usize) {
    ARMED[test].store(true, Ordering::SeqCst);
}

/// Waits until a grenade went off, and asks whether all threads of a context, and its scheduler, are well.
fn goes_off(test: usize, context: &Context) {
    while ARMED[test].load(Ordering::SeqCst) {
        thread::yield_now();
    }
    let threads = context.default_parallelism();
    let all = Arc::new(Barrier::new(threads));
    context.parallelize(0..threads, threads).foreach(move |_| _ = all.wait()).unwrap();
    assert!(!context.is_stopped());
}

/// Ends the job of this task, with all that is done when a job ends.
fn cancel_own(task: &TaskContext, context: &Context) {
    let (job, context) = (task.job_id(), context.clone());
    thread::spawn(move || context.cancel_job(job)).join().unwrap();
    assert!(task.is_interrupted());
}

#[test]
fn what_a_task_of_a_failed_job_has_made() {
    let context = on("local[1]");
    let made = context.parallelize(0..2, 2).map(|n| {
        if n == 1 {
            arm(0);
            panic!("on purpose");
        }
        Grenade(0)
    });
    let error = made.collect().map(drop).unwrap_err().to_string();
    assert!(error.contains("on purpose"), "{error}");
    goes_off(0, &context);
}

#[test]
fn what_a_task_has_made_after_the_end_of_its_job() {
    let context = on("local[2]");
    let own = context.clone();
    let made = context.parallelize([1], 1).run_job([0], move |_| {
        cancel_own(&TaskContext::get().unwrap(), &own);
        arm(1);
        Grenade(1)
    });
    assert!(matches!(made.map(drop).unwrap_err(), Error::Cancelled { .. }));
    goes_off(1, &context);
}

#[test]
fn what_a_task_was_given_of_a_job_that_has_ended() {
    let context = on("local[1]");
    let own = context.clone();
    // The task of the first reducer is the last to hold what the second one would have read.
    let pairs = context.parallelize(0..8, 1).map(|n| (n, Grenade(2))).group_by_key_with(2);
    let read = pairs.run_job([0, 1], move |_| {
        let task = TaskContext::get().unwrap();
        let own = own.clone();
        task.add_task_completion_listener(move |task| {
            cancel_own(task, &own);
            arm(2);
        });
    });
    assert!(matches!(read.unwrap_err(), Error::Cancelled { .. }));
    goes_off(2, &context);
}

#[test]
fn what_a_task_has_made_whose_listener_panics() {
    let context = on("local[1]");
    let made = context.parallelize([1], 1).run_job([0], |_| {
        TaskContext::get().unwrap().add_task_completion_listener(|_| {
            arm(3);
            panic!("on purpose");
        });
        Grenade(3)
    });
    let error = made.map(drop).unwrap_err().to_string();
    assert!(error.contains("on purpose"), "{error}");
    goes_off(3, &context);
}

/// Counts, and panics where it is told to.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Fragile {
    count: u64,
    breaks: bool,
}

impl Accumulator for Fragile {
    type Input = u64;
    type Output = u64;

    fn is_zero(&self) -> bool {
        self.count == 0
    }
    fn reset(&mut self) {
        self.count = 0;
    }
    fn add(&mut self, more: u64) {
        self.count += more;
    }
    fn merge(&mut self, other: Self) {
        assert!(!self.breaks, "a merge that panics");
        self.count += other.count;
    }
    fn value(&self) -> u64 {
        self.count
    }
}

#[test]
fn an_accumulator_that_panics_takes_no_other_with_it() {
    let context = on("local[2]");
    let breaks = context.register(Fragile { breaks: true, ..Fragile::default() }, "breaks");
    let counts = context.register(Fragile::default(), "counts");
    let (broken, counted) = (breaks.clone(), counts.clone());
    let add = move |n| {
        broken.add(n);
        counted.add(n);
    };
    context.parallelize(0..100, 4).foreach(add).unwrap();
    assert_eq!((breaks.value(), counts.value()), (0, 4950));
}

#[test]
fn a_variable_that_panics_when_it_is_saved_is_told_of() {
    #[derive(Clone, Deserialize)]
    struct Broken;
    impl Serialize for Broken {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("can not be written")
        }
    }
    let context = on("local[1]");
    context.broadcast_named("broken", || Broken).unwrap();
    let error = context.saved_variables().unwrap_err().to_string();
    assert!(error.contains("can not be written"), "{error}");
    // A task that asks still knows where it panics itself.
    let own = context.clone();
    let line = line!() + 3;
    let failed = context.parallelize([1], 1).foreach(move |n| {
        assert!(own.saved_variables().is_err());
        assert!(n != 1, "on purpose");
    });
    let error = failed.unwrap_err().to_string();
    assert!(error.contains(&format!("panics_of_values.rs:{line}:")), "{error}");
}
