use std::panic::Location;
use std::sync::mpsc;
use std::thread;

use millstream_core::Conf;

use super::*;
use crate::clock::ManualClock;

const LONG: Duration = Duration::from_secs(60);

fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

fn scheduler(
    termination: &Arc<Termination>,
    on_completed: impl Fn(Time) + Send + Sync + 'static,
) -> Arc<JobScheduler> {
    let context = Context::new(Conf::empty().set_master("local[1]")).unwrap();
    let (clock, listeners) = (Arc::new(ManualClock::new(0)), Arc::new(ListenerBus::new()));
    let (termination, batches_first) = (Arc::clone(termination), Arc::default());
    let on_completed = Box::new(on_completed);
    JobScheduler::start(&context, clock, listeners, termination, batches_first, 1, on_completed).unwrap()
}

fn job(run: impl Fn() + Send + 'static) -> Job {
    let once = move || {
        run();
        Ok(())
    };
    Job {
        output: 0,
        operator: Arc::new(Operator::call("output", Location::caller())),
        run: Run { once: Box::new(once), retry: (0, Duration::ZERO), put_aside: None },
        then: None,
    }
}

#[test]
fn a_batch_without_jobs_is_completed_behind_the_one_before_it() {
    let (entered, enters) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let goes_on = Mutex::new(goes_on);
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let scheduler = scheduler(&Arc::default(), move |batch| {
        if batch == at(1) {
            entered.send(()).unwrap();
            goes_on.lock().unwrap().recv_timeout(LONG).unwrap();
        }
        tell.lock().unwrap().push(batch);
    });
    scheduler.submit(at(1), Inputs::default(), vec![job(|| ())]);
    enters.recv_timeout(LONG).unwrap();
    // The thread that runs jobs is about to tell of the first; this one comes with the second.
    let submits = Arc::clone(&scheduler);
    let submitting = thread::spawn(move || submits.submit(at(2), Inputs::default(), Vec::new()));
    while !scheduler.state().batches.contains_key(&at(2)) && told.lock().unwrap().is_empty() {
        thread::yield_now();
    }
    go_on.send(()).unwrap();
    submitting.join().unwrap();
    assert!(scheduler.stop(|| LONG));
    assert_eq!(*told.lock().unwrap(), [at(1), at(2)]);
}

#[test]
fn a_panic_behind_an_output_is_a_failure_of_the_streams() {
    let termination = Arc::new(Termination::default());
    let scheduler = scheduler(&termination, |batch| panic!("no one can be told of {batch}"));
    let (ran, runs) = mpsc::channel();
    scheduler.submit(at(1), Inputs::default(), vec![job(move || ran.send(()).unwrap())]);
    runs.recv_timeout(LONG).unwrap();
    let failure = termination.wait_end(Some(LONG)).unwrap_err().to_string();
    assert!(failure.contains("no one can be told of 1 ms"), "{failure}");
    assert!(scheduler.stop(|| LONG) && scheduler.is_halted());
}
