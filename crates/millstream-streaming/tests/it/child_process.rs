//! The same program as driver and as executors: tasks are data, and everything runs in child processes.
//!
//! Each test is a program. Run by hand it is the driver; a child process runs the same test, up to `start`, where it
//! serves the driver and never returns.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use millstream_core::{Conf, Context, Data, WorkerPool};
use millstream_streaming::listener::{BatchInfo, StreamingListener};
use millstream_streaming::testing::{Driver, batches};
use millstream_streaming::{DStream, RddQueue, Time};
use millstream_testkit::process_executor::{self, ProcessExecutor};

use crate::fed::fed_stream;
use crate::tables::{LONG, SECOND, millis, run_on, seconds, sorted, step};

/// How many child processes run the tasks; as many partitions do reduces have.
const PROCESSES: usize = 2;

pub(crate) fn local() -> Conf {
    Conf::empty().set_master("local[2]")
}

/// The context of the test `name`, be it driver or executor.
fn context(name: &'static str) -> (Context, Option<Arc<ProcessExecutor>>) {
    context_of("child_process", name)
}

/// The context of a test of a module, be it driver or executor.
pub(crate) fn context_of(
    module: &'static str,
    name: &'static str,
) -> (Context, Option<Arc<ProcessExecutor>>) {
    let command = move || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &format!("{module}::{name}"), "--nocapture"]).stdout(Stdio::null());
        command
    };
    process_executor::context(local(), PROCESSES, command).unwrap()
}

/// Runs an operation on a table in child processes, and again on threads; returns both outcomes, rows sorted.
fn both<T: Data, U: Data + Ord>(
    name: &'static str,
    input: Vec<Vec<T>>,
    operation: impl Fn(&DStream<T>) -> DStream<U>,
    batches: usize,
) -> [Vec<(i64, Vec<U>)>; 2] {
    let (context, executor) = context(name);
    let run = |context: &Context| {
        let rows = run_on(context, SECOND, input.clone(), &operation, batches);
        rows.into_iter().map(|(time, row)| (time, sorted(row))).collect::<Vec<_>>()
    };
    let outcome = run(&context);
    assert!(executor.is_some(), "an executor does not come here");
    [outcome, run(&Context::new(local()).unwrap())]
}

fn assert_same<T: Data, U: Data + Ord + std::fmt::Debug>(
    name: &'static str,
    input: Vec<Vec<T>>,
    operation: impl Fn(&DStream<T>) -> DStream<U>,
    batches: usize,
) {
    let [in_processes, on_threads] = both(name, input, operation, batches);
    assert!(on_threads.iter().any(|(_, row)| !row.is_empty()));
    assert_eq!(in_processes, on_threads);
}

fn lines() -> Vec<Vec<String>> {
    (0..6).map(|batch| (0..40).map(|n| format!("to be or not {} {batch}", n % 5)).collect()).collect()
}

/// Returns the processes once all of them run: a slow machine may have done all the tasks in one of them by then.
fn all_processes(executor: &ProcessExecutor) -> BTreeSet<u32> {
    let began = Instant::now();
    loop {
        let processes: BTreeSet<u32> = executor.process_ids().into_iter().collect();
        if processes.len() == PROCESSES {
            return processes;
        }
        assert!(began.elapsed() < LONG, "only {processes:?} run");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A count, the processes in which it was mapped, and the one in which it was reduced.
type Traced = (String, (u64, BTreeSet<u32>), u32);

#[test]
fn program() {
    let (context, executor) = context("program");
    let driver = Driver::on(&context, SECOND).unwrap();
    let words =
        driver.input(lines()).flat_map_into(|line, out| out.extend(line.split(' ').map(String::from)));
    let pairs = words.map(|word| (word, (1_u64, BTreeSet::from([std::process::id()]))));
    let counts = pairs.reduce_by_key(|(a, mut mapped), (b, other)| {
        mapped.extend(other);
        (a + b, mapped)
    });
    let traced = driver.collect(&counts.map(|(word, count)| -> Traced { (word, count, std::process::id()) }));
    let steps = driver.start().unwrap();
    let executor = executor.expect("an executor does not come here");
    step(&steps, 6);

    let processes = all_processes(&executor);
    assert!(!processes.contains(&std::process::id()));
    let (mut mapped, mut reduced) = (BTreeSet::new(), BTreeSet::new());
    for (batch, rows) in traced.batches().into_iter().enumerate() {
        let mut counts = BTreeMap::new();
        for (word, (count, in_processes), in_process) in rows {
            counts.insert(word, count);
            mapped.extend(in_processes);
            reduced.insert(in_process);
        }
        let mut expected = BTreeMap::new();
        for word in lines()[batch].iter().flat_map(|line| line.split(' ')) {
            *expected.entry(word.to_owned()).or_insert(0) += 1;
        }
        assert_eq!(counts, expected);
    }
    assert!(!mapped.is_empty() && mapped.is_subset(&processes), "mapped in {mapped:?} of {processes:?}");
    assert!(!reduced.is_empty() && reduced.is_subset(&processes), "reduced in {reduced:?} of {processes:?}");
}

#[test]
fn word_count() {
    let count = |s: &DStream<String>| {
        let words = s.flat_map(|line| line.split(' ').map(String::from).collect::<Vec<_>>());
        words.filter(|word| word != "or").map(|word| (word, 1)).reduce_by_key(|a, b| a + b)
    };
    assert_same("word_count", lines(), count, 7);
}

#[test]
fn closures_of_the_graph_capture_variables() {
    let (stop_words, factor) = (vec!["to".to_owned(), "not".to_owned()], 3);
    let count = move |s: &DStream<String>| {
        let stop_words = stop_words.clone();
        let words = s.flat_map_into(|line, out| out.extend(line.split(' ').map(String::from)));
        let words = words.filter(move |word| !stop_words.contains(word));
        words.map(move |word| (word, factor)).reduce_by_key(move |a, b| a + b + factor - 3)
    };
    assert_same("closures_of_the_graph_capture_variables", lines(), count, 6);
}

#[test]
fn other_operators() {
    let all = |s: &DStream<String>| {
        let lengths = s.map_ref(|line| line.len()).map_partitions(|part| [part.sum::<usize>()]);
        let counts = s.count().map(|n| n as usize);
        let timed = s.transform_timed(|rdd, time| rdd.context().parallelize([time.as_millis() as usize], 1));
        lengths.union(&counts).union(&timed)
    };
    assert_same("other_operators", lines(), all, 6);
}

fn pairs() -> Vec<Vec<(u32, i64)>> {
    (0..12).map(|batch| (0..10).map(|n| (n % (batch % 4 + 1), i64::from(batch * n + 1))).collect()).collect()
}

#[test]
fn windows() {
    let windows = |s: &DStream<(u32, i64)>| s.window(seconds(3), seconds(2)).reduce_by_key(|a, b| a + b);
    assert_same("windows", pairs(), windows, 14);
}

#[test]
fn reduced_windows() {
    let windows = |s: &DStream<(u32, i64)>| s.reduce_by_key_and_window(|a, b| a + b, seconds(4), seconds(2));
    assert_same("reduced_windows", pairs(), windows, 14);
}

#[test]
fn inverse_windows() {
    let windows = |s: &DStream<(u32, i64)>| {
        s.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, seconds(4), seconds(1))
    };
    assert_same("inverse_windows", pairs(), windows, 16);
}

#[test]
fn generated_streams() {
    let (context, executor) = context("generated_streams");
    let run = |context: &Context| {
        let driver = Driver::on(context, SECOND).unwrap();
        let offset = 100;
        let numbers = driver.streaming().generator_stream(3, move |time, partition| {
            [(partition as i64, time.as_millis() / 1000 + offset)]
        });
        let sums = driver.collect(&numbers.reduce_by_key(|a, b| a + b));
        let windows = driver.collect(&numbers.reduce_by_key_and_window(|a, b| a + b, seconds(3), seconds(1)));
        driver.run(5).unwrap();
        [sums.batches(), windows.batches()].map(|rows| rows.into_iter().map(sorted).collect::<Vec<_>>())
    };
    let in_processes = run(&context);
    assert!(executor.is_some());
    assert_eq!(in_processes, run(&Context::new(local()).unwrap()));
}

#[test]
fn queued_rdds() {
    let (context, executor) = context("queued_rdds");
    let run = |context: &Context| {
        let driver = Driver::on(context, SECOND).unwrap();
        let (single, all) = (RddQueue::new(), RddQueue::new());
        let streams = [
            driver.streaming().queue_stream(&single),
            driver.streaming().queue_stream_with(&all, false, None),
        ];
        let collected = streams.map(|stream| driver.collect(&stream.map(|n| n + 1)));
        let steps = driver.start().unwrap();
        for n in [1, 2, 3] {
            // After the start: no executor has them.
            single.push(context.parallelize([n, n * 10], 2));
            all.push(context.parallelize([n, n * 10], 2).map(|n| n * 2));
        }
        step(&steps, 3);
        steps.running.stop(false, false).unwrap();
        collected.map(|collected| collected.batches())
    };
    let in_processes = run(&context);
    assert!(executor.is_some());
    assert_eq!(in_processes[0], batches![[2, 11], [3, 21], [4, 31]]);
    assert_eq!(in_processes[1], batches![[3, 21, 5, 41, 7, 61], [], []]);
    assert_eq!(in_processes, run(&Context::new(local()).unwrap()));
}

#[test]
fn received_blocks() {
    let (context, executor) = context("received_blocks");
    let driver = Driver::on(&context, SECOND).unwrap();
    let (stream, feed) = fed_stream::<String>(driver.streaming());
    let lengths = stream.map_ref(|line| (line.len(), std::process::id()));
    let counts =
        driver.collect(&lengths.map(|(len, process)| ((len, process), 1)).reduce_by_key(|a, b| a + b));
    let steps = driver.start().unwrap();
    executor.expect("an executor does not come here");
    let handle = feed.handle();
    for _ in 0..3 {
        handle.store_each(vec!["abc".to_owned(); 5000]).unwrap();
        step(&steps, 1);
    }
    for batch in counts.batches() {
        assert_eq!(batch.iter().map(|(_, count)| count).sum::<i32>(), 5000);
        assert!(batch.iter().all(|((len, process), _)| *len == 3 && *process != std::process::id()));
    }
    assert_eq!(counts.times().last(), Some(&Time::from_millis(3000)));
}

#[test]
fn rdd_operators_whose_closures_capture_nothing() {
    let transformed = |s: &DStream<i64>| {
        let elsewhere = s.transform(|rdd| rdd.filter(|n| n % 2 == 0).map(|n| (n, std::process::id())));
        elsewhere.map(|(n, process)| (n, process != std::process::id())).map(|(n, _)| n)
    };
    let input = vec![(0..10).collect(), (10..15).collect()];
    assert_same("rdd_operators_whose_closures_capture_nothing", input, transformed, 2);
}

#[test]
fn actions_whose_closures_capture_nothing() {
    let (context, executor) = context("actions_whose_closures_capture_nothing");
    let driver = Driver::on(&context, SECOND).unwrap();
    let (results, received) = mpsc::channel();
    driver.input(vec![(1..=10_u64).collect::<Vec<_>>(), vec![]]).foreach_rdd(move |rdd| {
        let even = rdd.filter(|n| n % 2 == 0);
        let processes = even.map(|_| std::process::id()).collect()?;
        let sum = even.map(|n| n * 3).reduce(|a, b| a + b)?;
        results.send((even.count()?, sum, even.take(2)?, processes)).map_err(millstream_core::Error::user)
    });
    driver.run(2).unwrap();
    let executor = executor.expect("an executor does not come here");
    let results: Vec<_> = received.try_iter().collect();
    let numbers: Vec<_> =
        results.iter().map(|(count, sum, first, _)| (*count, *sum, first.clone())).collect();
    assert_eq!(numbers, [(5, Some(90), vec![2, 4]), (0, None, vec![])]);
    assert!(results[0].3.iter().all(|process| executor.process_ids().contains(process)));
}

#[test]
fn a_capturing_closure_on_an_rdd_is_refused_with_its_line() {
    let (context, executor) = context("a_capturing_closure_on_an_rdd_is_refused_with_its_line");
    let driver = Driver::on(&context, SECOND).unwrap();
    let factor = std::hint::black_box(3);
    let line = line!() + 1;
    let transformed = driver.input(batches![[1, 2]]).transform(move |rdd| rdd.map(move |n| n * factor));
    driver.collect(&transformed);
    let error = driver.run(1).unwrap_err().to_string();
    assert!(executor.is_some());
    assert!(error.contains(&format!("map at {}:{line}:", file!())), "{error}");
    assert!(error.contains("captures"), "{error}");
}

#[test]
fn a_failure_in_a_process_is_told_like_any_other() {
    let (context, executor) = context("a_failure_in_a_process_is_told_like_any_other");
    let driver = Driver::on(&context, SECOND).unwrap();
    let line = line!() + 1;
    let checked = driver.input(batches![[1], [0]]).map(|n: i32| 1_i32.checked_div(n).expect("no zeros here"));
    driver.collect(&checked);
    let steps = driver.start().unwrap();
    assert!(executor.is_some());
    step(&steps, 1);
    let error = steps.step().unwrap_err().to_string();
    for part in [&format!("map at {}:{line}:", file!()), "no zeros here", "batch 2000 ms"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_killed_process_loses_nothing() {
    let (context, executor) = context("a_killed_process_loses_nothing");
    let driver = Driver::on(&context, SECOND).unwrap();
    let rows: Vec<Vec<u64>> = (0..10).map(|row| (0..200).map(|n| row * n).collect()).collect();
    let slow = driver.input(rows.clone()).map(|n| {
        // Long enough for a kill to find the process at work.
        std::thread::sleep(std::time::Duration::from_micros(200));
        (n % 10, n)
    });
    let windows = slow.reduce_by_key_and_window(|a, b| a + b, seconds(3), seconds(1));
    let (sums, windows) = (driver.collect(&slow.reduce_by_key(|a, b| a + b)), driver.collect(&windows));
    let steps = driver.start().unwrap();
    let executor = executor.expect("an executor does not come here");
    let killed = std::thread::scope(|scope| {
        let (stop, stopped) = mpsc::channel::<()>();
        let executor = &executor;
        let killer = scope.spawn(move || {
            let mut killed = BTreeSet::new();
            let mut pause = millis(150);
            for turn in 0.. {
                if stopped.recv_timeout(pause) != Err(mpsc::RecvTimeoutError::Timeout) {
                    break;
                }
                // On a busy machine a process may take longer to start than the first pauses: none would ever get to work.
                pause = (pause * 5 / 4).min(seconds(5));
                if let Some(process) = executor.process_ids().get(turn % PROCESSES) {
                    let mut kill = Command::new("kill");
                    if kill
                        .args(["-9", &process.to_string()])
                        .stderr(Stdio::null())
                        .status()
                        .unwrap()
                        .success()
                    {
                        killed.insert(*process);
                    }
                }
            }
            killed
        });
        step(&steps, 10);
        // As long as it takes until a process was killed at work.
        while executor.lost() == 0 {
            step(&steps, 1);
        }
        drop(stop);
        killer.join().unwrap()
    });
    assert!(!killed.is_empty());
    let total = |rows: &[Vec<u64>]| rows.iter().flatten().sum::<u64>();
    for batch in 0..10 {
        assert_eq!(
            sums.batches()[batch].iter().map(|(_, sum)| sum).sum::<u64>(),
            total(&rows[batch..=batch])
        );
        let window = &rows[batch.saturating_sub(2)..=batch];
        assert_eq!(windows.batches()[batch].iter().map(|(_, sum)| sum).sum::<u64>(), total(window));
    }
}

/// Keeps how many records each completed batch had.
#[derive(Default)]
struct Records(std::sync::Mutex<Vec<u64>>);

impl StreamingListener for Records {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        self.0.lock().unwrap().push(batch.num_records());
    }
}

#[test]
fn files_are_counted_where_they_are_read() {
    let directory = std::env::temp_dir().join(format!("files-are-counted-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (context, executor) = context("files_are_counted_where_they_are_read");
    let driver = Driver::on(&context, SECOND).unwrap();
    let records = Arc::new(Records::default());
    driver.streaming().add_streaming_listener(Arc::clone(&records) as _).unwrap();
    let lines = driver.streaming().text_file_stream(&directory);
    let (all, words) = (driver.collect(&lines), driver.collect(&lines.count()));
    let steps = driver.start().unwrap();
    assert!(executor.is_some(), "an executor does not come here");
    let file = directory.join("lines");
    std::fs::write(&file, "to\nbe\nor\n").unwrap();
    let modified = std::time::UNIX_EPOCH + millis(500);
    std::fs::File::open(&file).unwrap().set_modified(modified).unwrap();
    step(&steps, 2);
    steps.running.stop(true, true).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(all.batches(), batches![["to", "be", "or"], []]);
    assert_eq!(words.batches(), batches![[3], [0]]);
    assert_eq!(*records.0.lock().unwrap(), [3, 0]);
}

/// The connections of a process, be it driver or executor.
static CONNECTIONS: WorkerPool<String, TcpStream> =
    WorkerPool::new(|address| Ok(TcpStream::connect(address)?)).max(1).idle(Duration::from_secs(3600));

#[test]
fn each_process_has_a_worker_pool_of_its_own() {
    let (context, executor) = context("each_process_has_a_worker_pool_of_its_own");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let driver = Driver::on(&context, SECOND).unwrap();
    let input: Vec<Vec<u32>> = (0..8).map(|batch| (batch * 10..batch * 10 + 10).collect()).collect();
    driver.input(input).repartition(4).foreach_rdd(move |rdd| {
        rdd.foreach_partition_env(address.clone(), |address, mut records| {
            let me = std::process::id();
            CONNECTIONS.with(address, |connection| records.try_for_each(|n| writeln!(connection, "{me} {n}")))
        })
    });
    let steps = driver.start().unwrap();
    let executor = executor.expect("an executor does not come here");
    step(&steps, 8);
    let processes: BTreeSet<u32> = executor.process_ids().into_iter().collect();
    // The end of the processes is that of their connections.
    drop((steps, context, executor));
    server.set_nonblocking(true).unwrap();
    let connections: Vec<_> = std::iter::from_fn(|| server.accept().ok()).collect();
    assert!((1..=PROCESSES).contains(&connections.len()), "{} connections", connections.len());
    let mut received = Vec::new();
    for (connection, _) in connections {
        connection.set_nonblocking(false).unwrap();
        let lines: Vec<String> = BufReader::new(connection).lines().map(Result::unwrap).collect();
        let (by, numbers): (BTreeSet<u32>, Vec<u32>) = lines
            .iter()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(process, n)| (process.parse::<u32>().unwrap(), n.parse::<u32>().unwrap()))
            .unzip();
        assert!(by.len() == 1 && by.is_subset(&processes), "{by:?} of {processes:?}");
        received.extend(numbers);
    }
    assert_eq!(sorted(received), (0..80).collect::<Vec<_>>());
}
