//! What becomes of a batch that an output fails on: the end, another try, a dead letter.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};

use millstream_core::fs::{FixedFormat, KeyValueTextFormat};
use millstream_core::{Conf, Context, Error as CoreError};
use millstream_streaming::listener::{OutputOperationInfo, StreamingListener};
use millstream_streaming::testing::{Driver, Steps, batches};
use millstream_streaming::{DStream, Error, OutputHandle, Time};

use crate::tables::{LONG, SECOND, conf, seconds, step};

fn driver() -> Driver {
    Driver::new(conf("local[2]"), SECOND).unwrap()
}

/// An output that fails on batches as often as `failures` says, and tells of each of its calls.
fn flaky(
    stream: &DStream<i32>,
    failures: impl Fn(i64) -> usize + Send + Sync + 'static,
) -> (OutputHandle<i32>, mpsc::Receiver<(i64, usize)>) {
    let (tell, told) = mpsc::channel();
    let last = Mutex::new((0, 0));
    let output = stream.foreach_rdd_with(move |_, time| {
        let mut last = last.lock().unwrap();
        *last = (time.as_millis(), if last.0 == time.as_millis() { last.1 + 1 } else { 1 });
        tell.send(*last).unwrap();
        if last.1 <= failures(last.0) { Err(format!("attempt {} of {time}", last.1)) } else { Ok(()) }
    });
    (output, told)
}

/// Notes what listeners are told of outputs.
#[derive(Default)]
struct Told(Mutex<Vec<(&'static str, OutputOperationInfo)>>);

impl StreamingListener for Told {
    fn on_output_operation_retried(&self, operation: &OutputOperationInfo) {
        self.0.lock().unwrap().push(("retried", operation.clone()));
    }

    fn on_output_operation_completed(&self, operation: &OutputOperationInfo) {
        self.0.lock().unwrap().push(("completed", operation.clone()));
    }
}

fn listening(driver: &Driver) -> Arc<Told> {
    let told = Arc::new(Told::default());
    driver.streaming().add_streaming_listener(Arc::clone(&told) as _).unwrap();
    told
}

/// Moves the clock when the timer of the batches and an output that waits have seen it.
fn set_time(steps: &Steps, millis: i64) {
    assert!(steps.clock.wait_for_waiters(2, LONG));
    steps.clock.set_time(Time::from_millis(millis));
}

#[test]
fn a_retry_waits_for_the_clock_and_keeps_the_order_of_batches() {
    let driver = driver();
    let input = driver.input(batches![[1], [2], [3]]);
    let (output, calls) = flaky(&input, |batch| if batch == 1000 { 2 } else { 0 });
    output.retry(2, seconds(5));
    let second = driver.collect(&input);
    let told = listening(&driver);
    let steps = driver.start().unwrap();
    steps.clock.advance(SECOND);
    assert_eq!(calls.recv_timeout(LONG), Ok((1000, 1)));
    set_time(&steps, 2000);
    set_time(&steps, 5999);
    set_time(&steps, 6000);
    assert_eq!(calls.recv_timeout(LONG), Ok((1000, 2)));
    set_time(&steps, 10_000);
    set_time(&steps, 11_000);
    assert!(steps.running.await_batch(Time::from_millis(11_000), LONG).unwrap());
    steps.running.stop(true, false).unwrap();
    let later: Vec<_> = calls.try_iter().collect();
    assert_eq!(later[0], (1000, 3));
    assert_eq!(later[1..], (2..=11).map(|batch| (batch * 1000, 1)).collect::<Vec<_>>());
    assert_eq!(second.batches()[..3], batches![[1], [2], [3]]);

    let told = told.0.lock().unwrap();
    let retries: Vec<_> = told.iter().filter(|(what, _)| *what == "retried").map(|(_, info)| info).collect();
    for (at, info) in retries.iter().enumerate() {
        assert_eq!((info.id, info.batch_time.as_millis(), info.attempts), (0, 1000, at as u32 + 1));
        assert_eq!(info.failure_reason, Some(format!("attempt {} of 1000 ms", at + 1)));
        assert!(info.name.starts_with("foreach_rdd at "), "{}", info.name);
        assert_eq!(info.end_time, None);
    }
    assert_eq!(retries.len(), 2);
    let (_, completed) = told.iter().find(|(what, _)| *what == "completed").unwrap();
    assert_eq!((completed.attempts, completed.put_aside, &completed.failure_reason), (3, false, &None));
    assert_eq!(completed.duration(), Some(seconds(10)));
}

#[test]
fn retries_end_with_the_last_error_and_panics_are_retried_too() {
    let driver = driver();
    let calls = Mutex::new(0);
    let output = driver.input(batches![[1]]).foreach_rdd(move |_| -> Result<(), &str> {
        *calls.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += 1;
        let calls = *calls.lock().unwrap();
        assert!(calls > 1, "a panic");
        Err("the database is gone")
    });
    output.retry(3, seconds(0));
    let steps = driver.start().unwrap();
    let error = steps.step().unwrap_err();
    assert!(matches!(error, Error::Output { output: 0, attempts: 4, .. }), "{error}");
    assert!(error.to_string().ends_with("failed: the database is gone (tried 4 times)"), "{error}");
}

#[test]
fn a_stop_at_once_ends_the_waiting_and_a_graceful_one_waits() {
    for graceful in [false, true] {
        let driver = driver();
        let (output, calls) = flaky(&driver.input(batches![[1]]), |batch| usize::from(batch == 1000));
        output.retry(1, seconds(100)).dead_letter("/no/one/writes/here");
        let steps = driver.start().unwrap();
        steps.clock.advance(SECOND);
        assert_eq!(calls.recv_timeout(LONG), Ok((1000, 1)));
        assert!(steps.clock.wait_for_waiters(2, LONG));
        let (stop, clock) = (steps.running.stop_handle(), steps.clock.clone());
        let stopping = std::thread::spawn(move || stop.stop(true, graceful));
        if graceful {
            clock.set_time(Time::from_millis(101_000));
        }
        stopping.join().unwrap().unwrap();
        let end = steps.running.await_termination();
        if graceful {
            end.unwrap();
            assert_eq!(calls.recv_timeout(LONG), Ok((1000, 2)));
        } else {
            let error = end.unwrap_err().to_string();
            assert!(error.contains("attempt 1 of 1000 ms"), "{error}");
            assert_eq!(calls.try_iter().count(), 0);
        }
    }
}

/// A directory of a test's own, which goes with it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("millstream-outputs-{name}-{}", std::process::id()));
        // One that was killed may have had the number of this process.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn lines(directory: &Path) -> Vec<String> {
    Context::new(Conf::empty()).unwrap().text_file(directory).collect().unwrap()
}

#[test]
fn a_dead_letter_holds_the_records_and_the_reason_and_the_next_batch_goes_on() {
    let directory = Directory::new("dead");
    let dead = directory.0.join("made/for/it");
    let driver = driver();
    let input = driver.input(batches![[1, 2, 3], [4], [5, 6]]);
    let (first, calls) = flaky(&input, |batch| if batch == 2000 { 0 } else { 9 });
    first.retry(1, seconds(0)).dead_letter(&dead);
    input
        .foreach_rdd(|rdd| rdd.foreach(|n| if n == 4 { Err("four") } else { Ok(()) }))
        .dead_letter_as_text(&dead);
    let (windows, after) = (driver.collect(&input.window(seconds(2), seconds(1))), driver.collect(&input));
    let told = listening(&driver);
    let steps = driver.start().unwrap();
    step(&steps, 3);
    steps.running.stop(true, false).unwrap();
    steps.running.await_termination().unwrap();

    assert_eq!(calls.try_iter().collect::<Vec<_>>(), [(1000, 1), (1000, 2), (2000, 1), (3000, 1), (3000, 2)]);
    assert_eq!(windows.batches(), batches![[1, 2, 3], [1, 2, 3, 4], [4, 5, 6]]);
    assert_eq!(after.batches(), batches![[1, 2, 3], [4], [5, 6]]);
    let mut names: Vec<_> =
        fs::read_dir(&dead).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["foreach_rdd-0-1000", "foreach_rdd-0-3000", "foreach_rdd-1-2000"]);
    let context = Context::new(Conf::empty()).unwrap();
    let records = |name: &str| context.object_file::<i32>(dead.join(name)).collect().unwrap();
    assert_eq!([records(&names[0]), records(&names[1])], [vec![1, 2, 3], vec![5, 6]]);
    assert_eq!(lines(&dead.join(&names[2])), ["4"]);
    let report = |name: &str| fs::read_to_string(dead.join(name).join("_failure.txt")).unwrap();
    let first = report(&names[0]);
    assert!(first.starts_with(&format!("operator: foreach_rdd at {}:", file!())), "{first}");
    assert!(first.contains("id: input/foreach_rdd\noutput: 0\nbatch: 1000 ms\nattempts: 2\n"), "{first}");
    assert!(first.ends_with("cause: attempt 2 of 1000 ms\n"), "{first}");
    let second = report(&names[2]);
    assert!(
        second.contains("batch: 2000 ms\nattempts: 1\ncause: job ") && second.contains("four"),
        "{second}"
    );

    let told = told.0.lock().unwrap();
    let aside: Vec<_> = told.iter().filter(|(_, info)| info.put_aside).map(|(_, info)| info).collect();
    let whose: Vec<_> = aside.iter().map(|info| (info.batch_time.as_millis(), info.id)).collect();
    assert_eq!(whose, [(1000, 0), (2000, 1), (3000, 0)]);
    assert!(aside.iter().all(|info| info.failure_reason.as_ref().unwrap().contains("foreach_rdd at ")));
}

#[test]
fn records_that_can_not_be_computed_end_the_streams_with_both_errors() {
    let directory = Directory::new("undead");
    let driver = driver();
    let checked = driver.input(batches![[1], [0]]).map(|n: i32| 100_i32.checked_div(n).expect("no zeros"));
    checked.foreach_rdd(|rdd| rdd.count().map(drop)).dead_letter(&directory.0);
    let steps = driver.start().unwrap();
    step(&steps, 1);
    let error = steps.step().unwrap_err();
    let Error::Output { cause, .. } = &error else { panic!("{error}") };
    assert!(matches!(**cause, Error::DeadLetter { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("nor could the records be put aside: "), "{text}");
    assert_eq!(text.matches("no zeros").count(), 2, "{text}");
    let left = directory.0.join("foreach_rdd-0-2000");
    let names: Vec<_> = fs::read_dir(&left).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["_failure.txt"]);
}

#[test]
fn a_dead_letter_of_ones_own_may_refuse() {
    let driver = driver();
    let (tell, told) = mpsc::channel();
    let output = driver.input(batches![[1], [2]]).foreach_rdd(|_| Err::<(), _>("never"));
    output.dead_letter_with(move |rdd, failure| {
        tell.send((rdd.collect()?, failure.batch.as_millis(), failure.attempts, failure.cause.to_string()))
            .unwrap();
        if rdd.first()? == Some(2) { Err(CoreError::user("not two")) } else { Ok(()) }
    });
    let steps = driver.start().unwrap();
    step(&steps, 1);
    let error = steps.step().unwrap_err().to_string();
    assert!(error.ends_with("failed: never; nor could the records be put aside: not two"), "{error}");
    let told: Vec<_> = told.try_iter().collect();
    assert_eq!(told, [(vec![1], 1000, 1, "never".to_owned()), (vec![2], 2000, 1, "never".to_owned())]);
}

#[test]
fn a_handle_is_refused_after_the_start() {
    let driver = driver();
    let output = driver.input(batches![[1]]).foreach_rdd(|_| ());
    let _steps = driver.start().unwrap();
    let line = line!() + 1;
    let late = std::panic::AssertUnwindSafe(|| drop(output.retry(1, SECOND)));
    let panic = std::panic::catch_unwind(late).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.starts_with(&format!("retry at {}:{line}:", file!())), "{text}");
}

/// Each kind of output, on a stream whose second batch it can not put out.
#[test]
fn every_output_says_which_it_is_where_and_for_which_batch() {
    let directory = Directory::new("kinds");
    // A file where a directory is to be made.
    fs::write(directory.0.join("a-2000"), "").unwrap();
    let prefix = directory.0.join("a").display().to_string();
    type Put = Box<dyn Fn(&DStream<i32>) -> (&'static str, u32)>;
    let to = || prefix.clone();
    let (text, object, files, old, new) = (to(), to(), to(), to(), to());
    let outputs: [Put; 7] = [
        Box::new(|stream| {
            stream.map(|n| if n == 2 { panic!("no luck") } else { n }).print();
            ("print", line!() - 1)
        }),
        Box::new(|stream| {
            stream.foreach_rdd_with(|_, time| if time.as_millis() == 2000 { Err("no luck") } else { Ok(()) });
            ("foreach_rdd", line!() - 1)
        }),
        Box::new(move |stream| {
            stream.save_as_text_files(&*text, "");
            ("save_as_text_files", line!() - 1)
        }),
        Box::new(move |stream| {
            stream.save_as_object_files(&*object, "");
            ("save_as_object_files", line!() - 1)
        }),
        Box::new(move |stream| {
            stream.map(|_| vec![0]).save_as_files(&*files, "", FixedFormat { record_len: 1 });
            ("save_as_files", line!() - 1)
        }),
        Box::new(move |stream| {
            stream.map(|n| (n, n)).save_as_hadoop_files(&*old, "", KeyValueTextFormat::default());
            ("save_as_hadoop_files", line!() - 1)
        }),
        Box::new(move |stream| {
            stream.map(|n| (n, n)).save_as_new_api_hadoop_files(&*new, "", KeyValueTextFormat::default());
            ("save_as_new_api_hadoop_files", line!() - 1)
        }),
    ];
    for put in outputs {
        let driver = driver();
        let (name, line) = put(&driver.input(batches![[1], [2]]));
        let steps = driver.start().unwrap();
        step(&steps, 1);
        steps.clock.advance(SECOND);
        let error = steps.running.await_termination().unwrap_err().to_string();
        let place = format!("output 0 ({name} at {}:{line}:", file!());
        assert!(error.starts_with(&place) && error.contains(") of batch 2000 ms failed: "), "{error}");
        let cause = if name.starts_with("save") { "name a directory" } else { "no luck" };
        assert!(error.contains(cause) && !error.contains("src/output"), "{error}");
        let _ = fs::remove_dir_all(directory.0.join("a-1000"));
    }
}
