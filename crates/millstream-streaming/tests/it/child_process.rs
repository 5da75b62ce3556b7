//! A task is data: other processes of this program run the stages of a batch, given bytes only.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use millstream_core::{Conf, Context};
use millstream_streaming::executor::EXECUTOR_OF;
use millstream_streaming::testing::{Collected, Driver, batches};
use millstream_testkit::ProcessExecutor;

const SECOND: Duration = Duration::from_secs(1);


fn lines() -> Vec<Vec<String>> {
    let line = |text: &str| text.to_owned();
    batches![
        [line("to be or not to be"), line("that is the question"), line("to be")],
        [],
        [line("be that as it may"), line("to")],
    ]
}

/// The streams of every test here: in the driver and in each child the same graph must be built.
struct Streams {
    driver: Driver,
    counts: Collected<(String, (i64, BTreeSet<u32>))>,
    windowed: Collected<(String, i64)>,
    slid: Collected<(String, i64)>,
    transformed: Collected<String>,
    counted_inside: Collected<u64>,
}

fn streams(context: &Context, lines: Vec<Vec<String>>) -> Streams {
    let driver = Driver::on(context, SECOND).unwrap();
    let lines = driver.input(lines);
    // Captured: every process has its own, and each finds it in its own graph.
    let separator = String::from(" ");
    let words = lines.flat_map(move |line| line.split(&separator).map(String::from).collect::<Vec<_>>());
    let mapped = words.map(|word| (word, (1i64, BTreeSet::from([std::process::id()]))));
    let counts = mapped.reduce_by_key(|(n, a), (m, b)| (n + m, &a | &b));
    let ones = words.map(|word| (word, 1i64));
    let windowed = ones.reduce_by_key_and_window(|a, b| a + b, 2 * SECOND, SECOND);
    let slid =
        ones.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, 2 * SECOND, SECOND);
    // Made on the driver, once a batch: they capture nothing, so the address of their code is enough.
    let transformed = lines
        .transform(|rdd| rdd.filter(|line| line.contains("that")).map(|line| line.to_uppercase()));
    let counted_inside = lines.transform(|rdd| rdd.map(|line| line.len() as u64));
    Streams {
        counts: driver.collect(&counts),
        windowed: driver.collect(&windowed),
        slid: driver.collect(&slid),
        transformed: driver.collect(&transformed),
        counted_inside: driver.collect(&counted_inside),
        driver,
    }
}

fn conf() -> Conf {
    Conf::empty().set_master("local[2]").set("millstream.closures.strict", "true")
}

/// The program as an executor; run as a test of its own it does nothing.
#[test]
fn program() {
    if std::env::var_os(EXECUTOR_OF).is_some() {
        // No line is here: all a task works on comes with it.
        let _never_returns = streams(&Context::new(conf()).unwrap(), Vec::new()).driver.start();
    }
}

fn processes(slots: usize) -> ProcessExecutor {
    let program = std::env::current_exe().unwrap();
    let command = move || {
        let mut command = Command::new(&program);
        command.args(["--exact", "child_process::program", "--nocapture"]);
        command
    };
    ProcessExecutor::new(slots, command).unwrap()
}

fn sorted<T: Ord>(mut batches: Vec<Vec<T>>) -> Vec<Vec<T>> {
    batches.iter_mut().for_each(|batch| batch.sort());
    batches
}

/// Runs all streams; returns what came out, and in which processes words were mapped.
fn run(context: &Context) -> (Vec<String>, BTreeSet<u32>) {
    let Streams { driver, counts, windowed, slid, transformed, counted_inside } = streams(context, lines());
    driver.run(4).unwrap();
    let counts = counts.batches();
    let mapped_in = counts.iter().flatten().flat_map(|(_, (_, processes))| processes.clone()).collect();
    let numbers = counts.into_iter().map(|batch| batch.into_iter().map(|(word, (n, _))| (word, n)).collect());
    let out = vec![
        format!("{:?}", sorted::<(String, i64)>(numbers.collect())),
        format!("{:?}", sorted(windowed.batches())),
        format!("{:?}", sorted(slid.batches())),
        format!("{:?}", transformed.batches()),
        format!("{:?}", counted_inside.batches()),
    ];
    (out, mapped_in)
}

#[test]
fn other_processes_count_words_as_this_one_does() {
    let here = Context::new(conf()).unwrap();
    let there = Context::with_executor(conf(), processes(2)).unwrap();
    let (expected, in_this) = run(&here);
    let (actual, in_others) = run(&there);
    assert_eq!(actual, expected);
    assert!(expected[0].contains(r#"("be", 3)"#), "{}", expected[0]);
    assert_eq!(in_this, BTreeSet::from([std::process::id()]));
    assert!(!in_others.is_empty() && !in_others.contains(&std::process::id()), "{in_others:?}");
}

#[test]
fn a_killed_process_loses_nothing() {
    let executor = processes(2);
    let children = executor.children();
    let there = Context::with_executor(conf(), executor).unwrap();
    let killer = std::thread::spawn(move || {
        let mut killed = BTreeSet::new();
        while killed.len() < 3 {
            for child in children() {
                if killed.insert(child) {
                    let killed = Command::new("kill").args(["-9", &child.to_string()]).status();
                    assert!(killed.unwrap().success());
                }
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    let (actual, _) = run(&there);
    killer.join().unwrap();
    assert_eq!(actual, run(&Context::new(conf()).unwrap()).0);
}
