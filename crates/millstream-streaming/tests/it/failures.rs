//! What fails, and what is then said and done.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use millstream_core::Error as CoreError;
use millstream_streaming::listener::{BatchInfo, OutputOperationInfo, StreamingListener};
use millstream_streaming::testing::{Driver, Steps, batches};
use millstream_streaming::{Error, Time};

use crate::fed::fed_stream;
use crate::tables::{LONG, SECOND, conf, seconds};

fn driver(master: &str) -> Driver {
    Driver::new(conf(master), SECOND).unwrap()
}

/// Cuts batches until one fails, and some more; returns what is reported at the end.
fn failure(steps: &Steps, at: i64) -> Error {
    for batch in 1..at {
        assert_eq!(steps.step().unwrap().as_millis(), batch * 1000);
    }
    let error = steps.step().unwrap_err();
    let again = steps.running.await_termination().unwrap_err();
    assert_eq!(error.to_string(), again.to_string());
    for _ in 0..3 {
        steps.clock.advance(SECOND);
        assert!(steps.running.await_batch(Time::from_millis(at * 1000), LONG).is_err());
    }
    error
}

#[test]
fn an_error_of_an_output_stops_the_streams_with_all_that_is_known() {
    let driver = driver("local[2]");
    let input = driver.input(batches![[1], [2], [3], [4], [5]]);
    let ran = Arc::new(Mutex::new(Vec::new()));
    let of_output = |number: usize| {
        let ran = Arc::clone(&ran);
        move |time: Time| ran.lock().unwrap().push((time.as_millis(), number))
    };
    let (first, second, third) = (of_output(0), of_output(1), of_output(2));
    input.foreach_rdd_with(move |_, time| first(time));
    let line = line!() + 1;
    input.foreach_rdd_with(move |_, time| {
        second(time);
        if time == Time::from_millis(3000) { Err("the database is gone") } else { Ok(()) }
    });
    input.foreach_rdd_with(move |_, time| third(time));
    let steps = driver.start().unwrap();

    let error = failure(&steps, 3);
    let Error::Output { output: 1, operator, batch, attempts: 1, cause } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(*batch, Time::from_millis(3000));
    assert!(operator.starts_with(&format!("foreach_rdd at {}:{line}:", file!())), "{operator}");
    assert!(cause.to_string().contains("the database is gone"), "{cause}");
    let text = error.to_string();
    for part in ["output 1", "foreach_rdd at", "batch 3000 ms", "the database is gone"] {
        assert!(text.contains(part), "{text}");
    }

    steps.running.stop(true, false).unwrap();
    assert_eq!(steps.running.await_termination().unwrap_err().to_string(), text);
    let expected = [(1000, 0), (1000, 1), (1000, 2), (2000, 0), (2000, 1), (2000, 2), (3000, 0), (3000, 1)];
    assert_eq!(*ran.lock().unwrap(), expected);
}

#[test]
fn a_failing_task_is_named_with_its_operator() {
    let driver = driver("local[2]");
    let input = driver.input(batches![[1, 2], [3, 0]]);
    let line = line!() + 1;
    let checked = input.map(|n: i32| 100_i32.checked_div(n).expect("no zeros"));
    let collected = driver.collect(&checked.filter(|_| true));
    let steps = driver.start().unwrap();
    let error = failure(&steps, 2);
    let text = error.to_string();
    for part in
        [&format!("map at {}:{line}:", file!()), "partition 1", "batch 2000 ms", "no zeros", "output 0"]
    {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(collected.batches(), [[100, 50]]);
}

#[test]
fn a_panic_inside_an_output() {
    let driver = driver("local[2]");
    let line = line!() + 1;
    driver.input(batches![[1]]).foreach_rdd(|rdd| assert!(rdd.count().unwrap() > 5, "too few records"));
    let steps = driver.start().unwrap();
    let text = failure(&steps, 1).to_string();
    for part in
        [&format!("foreach_rdd at {}:{line}:", file!()), "output 0", "batch 1000 ms", "too few records"]
    {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn an_error_and_a_panic_inside_transform_name_the_operator_and_the_batch() {
    for panics in [false, true] {
        let driver = driver("local[2]");
        let line = line!() + 1;
        let transformed = driver.input(batches![[1], [2], [3]]).transform_timed(move |rdd, time| {
            if time < Time::from_millis(2000) {
                return Ok(rdd);
            }
            assert!(!panics, "no reference data");
            Err("no reference data")
        });
        let collected = driver.collect(&transformed.map(|n| n * 2));
        let steps = driver.start().unwrap();
        let error = failure(&steps, 2);
        assert!(
            matches!(&error, Error::Generate { batch, .. } if *batch == Time::from_millis(2000)),
            "{error:?}"
        );
        let text = error.to_string();
        for part in [&format!("transform at {}:{line}:", file!()), "batch 2000 ms", "no reference data"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(collected.batches(), [[2]]);
    }
}

#[test]
fn a_failing_action_inside_transform() {
    let driver = driver("local[1]");
    let transformed = driver.input(batches![[1]]).transform(|rdd| {
        rdd.foreach(|_| Err::<(), _>("not this record"))?;
        Ok::<_, CoreError>(rdd)
    });
    driver.collect(&transformed);
    let steps = driver.start().unwrap();
    let text = failure(&steps, 1).to_string();
    for part in ["foreach at", "transform at", "not this record", "batch 1000 ms"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn no_user_code_of_a_later_batch_runs_after_a_failure() {
    let driver = driver("local[2]");
    let (described, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (count, has_failed) = (Arc::clone(&described), Arc::clone(&failed));
    let transformed = driver.input(batches![[1]]).transform(move |rdd| {
        if has_failed.load(Ordering::SeqCst) {
            count.fetch_add(1, Ordering::SeqCst);
        }
        rdd
    });
    transformed.foreach_rdd(|_| Err::<(), _>("at once"));
    let steps = driver.start().unwrap();
    steps.step().unwrap_err();
    failed.store(true, Ordering::SeqCst);
    for _ in 0..100 {
        steps.clock.advance(SECOND);
    }
    // Once the timer waits again, it has handed over all batches; the stop then waits for the generator.
    assert!(steps.clock.wait_for_waiters(1, LONG));
    steps.running.stop(true, false).unwrap();
    assert_eq!(described.load(Ordering::SeqCst), 0);
}

#[test]
fn a_graceful_stop_after_a_failure_waits_for_no_batch() {
    let conf = conf("local[2]").set("spark.streaming.gracefulStopTimeout", "1h");
    let driver = Driver::new(conf, SECOND).unwrap();
    let (stream, feed) = fed_stream::<i32>(driver.streaming());
    stream.foreach_rdd(|_| Err::<(), _>("at once"));
    let steps = driver.start().unwrap();
    steps.step().unwrap_err();
    // No batch will ever have it.
    feed.handle().store(1).unwrap();
    let (stopped, is_stopped) = mpsc::channel();
    let handle = steps.running.stop_handle();
    std::thread::spawn(move || stopped.send(handle.stop(true, true)));
    is_stopped.recv_timeout(LONG).expect("the stop hangs").unwrap();
    assert!(steps.running.await_termination().unwrap_err().to_string().contains("at once"));
}

#[test]
fn a_task_that_fails_once_is_tried_again_if_the_master_says_so() {
    let driver = driver("local[2,3]");
    static FAILED: AtomicUsize = AtomicUsize::new(0);
    let flaky = driver.input(batches![[1], [2]]).map(|n| {
        assert!(n != 2 || FAILED.fetch_add(1, Ordering::SeqCst) >= 2, "flaky");
        n
    });
    let sums = driver.collect(&flaky.map(|n| ((), n)).reduce_by_key(|a, b| a + b));
    driver.run(2).unwrap();
    assert_eq!(sums.batches(), [[((), 1)], [((), 2)]]);
}

/// Notes the batches that were completed, and tells when an output was.
struct Completed {
    batches: Mutex<Vec<i64>>,
    outputs: Mutex<mpsc::Sender<usize>>,
}

impl StreamingListener for Completed {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        self.batches.lock().unwrap().push(batch.batch_time.as_millis());
    }

    fn on_output_operation_completed(&self, operation: &OutputOperationInfo) {
        // No one listens to the second.
        let _ = self.outputs.lock().unwrap().send(operation.id);
    }
}

#[test]
fn a_failure_among_concurrent_jobs_completes_its_batch_once_and_no_later_one() {
    let driver = Driver::new(conf("local[2]").set("spark.streaming.concurrentJobs", "2"), SECOND).unwrap();
    let input = driver.input(batches![[1]]);
    let (outputs, completed_outputs) = mpsc::channel();
    let completed_outputs = Mutex::new(completed_outputs);
    let (second, second_began) = mpsc::channel();
    let second_began = Mutex::new(second_began);
    // The second begins before the first fails, and ends after that.
    input.foreach_rdd(move |_| {
        second_began.lock().unwrap().recv_timeout(LONG)?;
        Err::<(), Box<dyn std::error::Error + Send + Sync>>("at once".into())
    });
    input.foreach_rdd(move |_| {
        second.send(()).unwrap();
        completed_outputs.lock().unwrap().recv_timeout(LONG).map(drop)
    });
    let completed = Arc::new(Completed { batches: Mutex::default(), outputs: Mutex::new(outputs) });
    driver.streaming().add_streaming_listener(Arc::clone(&completed) as _).unwrap();
    let steps = driver.start().unwrap();
    assert!(steps.step().unwrap_err().to_string().contains("at once"));
    steps.running.stop(true, false).unwrap();
    assert_eq!(*completed.batches.lock().unwrap(), [1000]);
}

#[test]
fn a_window_on_what_failed_is_not_asked_for_again() {
    let driver = driver("local[2]");
    let stream = driver
        .input(batches![[1]])
        .transform(|rdd| if rdd.num_partitions() > 0 { Err("never") } else { Ok(rdd) });
    driver.collect(&stream.window(seconds(2), seconds(1)));
    let text = failure(&driver.start().unwrap(), 1).to_string();
    assert!(text.contains("transform at") && text.contains("never"), "{text}");
}

/// A record whose `drop` panics where batches are forgotten.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Grenade {
    armed: bool,
}

impl Drop for Grenade {
    fn drop(&mut self) {
        let forgotten = std::thread::current().name() == Some("streaming-job-generator");
        assert!(!(self.armed && forgotten), "a drop that panics");
    }
}

#[test]
fn a_panic_while_a_batch_is_forgotten_is_reported() {
    let driver = driver("local[2]");
    let (stream, feed) = fed_stream::<Grenade>(driver.streaming());
    stream.foreach_rdd(|_| ());
    let steps = driver.start().unwrap();
    feed.handle().store_each(vec![Grenade { armed: true }, Grenade { armed: false }]).unwrap();
    let failed = (0..5).find_map(|_| steps.step().err()).expect("the panic was not reported");
    assert!(failed.to_string().contains("a drop that panics"), "{failed}");
    assert!(steps.running.await_termination().is_err());
    steps.running.stop(true, true).unwrap();
}
