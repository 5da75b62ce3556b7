//! The examples, on real input.

mod joins;
mod lists;
mod recovery;
mod sinks;

use crate::programs::{Ending, Program, ScratchFolder, free_port, release_program, root};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);

const RULE: &str = "-------------------------------------------\n";

fn example(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(release_program("millstream-examples", name));
    command.args(arguments);
    command
}

/// A server for one client of a program.
struct Server(TcpListener);

impl Server {
    fn new() -> Self {
        Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
    }

    fn port(&self) -> String {
        self.0.local_addr().unwrap().port().to_string()
    }

    fn accept(&self) -> TcpStream {
        self.0.accept().unwrap().0
    }
}

/// A real text, of many words and with empty lines: the licence.
fn licence() -> String {
    std::fs::read_to_string(root().join("LICENSE")).unwrap()
}

/// How often each word comes, counted without the product.
fn counts(text: &str) -> HashMap<String, u64> {
    let mut counts = HashMap::new();
    for word in text.split(['\n', ' ']).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    counts
}

/// The records that were printed: a word and its count each.
fn printed(text: &str) -> impl Iterator<Item = (String, u64)> {
    let records = text.lines().filter_map(|line| line.strip_prefix('(')?.strip_suffix(')')?.rsplit_once(','));
    records.map(|(word, count)| (word.to_owned(), count.parse().unwrap()))
}

/// What was printed of each batch, without its header.
fn batches(text: &str) -> Vec<&str> {
    let bodies = text.split(RULE).skip(2).step_by(2);
    bodies.map(|body| body.strip_suffix("\n\n").or(body.strip_suffix('\n')).unwrap_or(body)).collect()
}

#[test]
fn every_word_of_a_large_text_is_counted_once() {
    let server = Server::new();
    let text = licence().repeat(600);
    assert!(text.len() > 5_000_000);
    let arguments =
        ["127.0.0.1", &server.port(), "--interval", "200ms", "--records", "1000000", "--master", "local[2]"];
    let mut program = Program::start(&mut example("network_word_count", &arguments));
    let mut client = server.accept();
    client.write_all(text.as_bytes()).unwrap();
    // What comes after this word was counted is counted in a later batch, so the text's own batches are then printed whole.
    for end in ["#end-of-text", "#end-of-test"] {
        writeln!(client, "{end}").unwrap();
        let ending = program.watch(Some(&format!("({end},1)\n")), LIMIT);
        assert!(matches!(ending, Ending::Printed), "{ending:?}");
    }
    let mut sums: HashMap<String, u64> = HashMap::new();
    for (word, count) in printed(program.seen()).filter(|(word, _)| !word.starts_with("#end-of-te")) {
        *sums.entry(word).or_default() += count;
    }
    let expected = counts(&text);
    assert_eq!(sums.values().sum::<u64>(), expected.values().sum::<u64>());
    assert_eq!(sums, expected);
}

/// Waits until the program has printed the text.
#[track_caller]
fn reaches(program: &mut Program, text: &str) {
    let ending = program.watch(Some(text), LIMIT);
    assert!(matches!(ending, Ending::Printed), "`{text}`: {ending:?}");
}

/// Reads on until what the program has printed is as it should be.
#[track_caller]
fn reads_on(program: &mut Program, what: &str, mut holds: impl FnMut(&str) -> bool) {
    let end = Instant::now() + LIMIT;
    while !holds(program.seen()) {
        let ending = program.watch_next(LIMIT);
        assert!(matches!(ending, Ending::Printed), "{what}: {ending:?}");
        assert!(Instant::now() < end, "{what}: {}", program.seen());
    }
}

/// The same program with what it complains of among what it prints.
fn with_stderr(program: &Command) -> Command {
    let mut shell = Command::new("bash");
    shell.args(["-c", "exec \"$0\" \"$@\" 2>&1"]).arg(program.get_program()).args(program.get_args());
    shell
}

#[test]
fn the_server_may_come_late_and_vanish() {
    let refused = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err();
    let refusals = |seen: &str| seen.matches("Connection refused").count();
    // The receiver of Millstream, and one of a program's own.
    for name in ["network_word_count", "custom_receiver"] {
        let port = free_port();
        let number = port.to_string();
        let restart = "spark.streaming.receiverRestartDelay=50ms";
        let arguments = ["127.0.0.1", &number, "--interval", "100ms", "--conf", restart];
        let mut program = Program::start(&mut with_stderr(&example(name, &arguments)));
        let mut expected: HashMap<String, u64> = HashMap::new();
        for round in 0..3 {
            assert!(refused(port));
            let before = refusals(program.seen());
            reads_on(&mut program, "nobody listens", |seen| refusals(seen) > before);

            // A server that is a process of its own, on the same port each time.
            let mut server = Command::new(release_program("millstream", "millstream"));
            let mut server = Program::start(server.args(["nc", &number]));
            server.input(&vec![format!("round-{round} sent"); 200]);
            for word in [format!("round-{round}"), "sent".to_owned()] {
                *expected.entry(word).or_default() += 200;
            }
            reads_on(&mut program, "all words are counted", |seen| {
                let mut sums: HashMap<String, u64> = HashMap::new();
                printed(seen).for_each(|(word, count)| *sums.entry(word).or_default() += count);
                sums == expected
            });
            drop(server); // killed, and with it its connection and what listened
        }
    }
}

#[test]
fn words_are_counted_from_the_start_on() {
    let server = Server::new();
    let directory = ScratchFolder::new();
    let directory = directory.path().to_str().unwrap();
    let arguments = ["127.0.0.1", &server.port(), "--checkpoint-directory", directory, "--interval", "100ms"];
    let mut program = Program::start(&mut example("stateful_network_word_count", &arguments));
    let mut client = server.accept();
    // The state begins with a count of one for `hello`.
    for (line, counted) in [("hello you", "(you,1)"), ("hello", "(hello,3)"), ("you hello", "(hello,4)")] {
        writeln!(client, "{line}").unwrap();
        reaches(&mut program, &format!("{counted}\n"));
    }
    assert!(program.seen().contains("(hello,2)\n"));
}

#[test]
fn raw_blocks_are_sent_and_searched() {
    let port = free_port().to_string();
    let file = root().join("LICENSE");
    let arguments = [&port, file.to_str().unwrap(), "5000", "2000000"];
    let _sender = Program::start(&mut example("raw_text_sender", &arguments));
    let restart = "spark.streaming.receiverRestartDelay=50ms";
    let arguments = ["2", "127.0.0.1", &port, "100", "--conf", restart];
    let mut grep = Program::start(&mut example("raw_network_grep", &arguments));
    let found = |text: &str| -> u64 {
        text.lines().filter_map(|line| line.strip_prefix("Grep count: ")?.parse::<u64>().ok()).sum()
    };
    let there = licence().lines().filter(|line| line.contains("the")).count() as u64;
    reads_on(&mut grep, "each connection sends the whole text more than once", |seen| {
        found(seen) > 4 * there
    });
}

#[test]
fn the_queue_stream_counts_each_of_its_batches() {
    let mut program = Program::start(&mut example("queue_stream", &["--interval", "50ms"]));
    let ending = program.watch(None, LIMIT);
    assert!(matches!(&ending, Ending::Exited(status) if status.success()), "{ending:?}");
    let mut counted = 0;
    for batch in batches(program.seen()).into_iter().filter(|batch| !batch.is_empty()) {
        let mut records: Vec<_> = printed(batch).collect();
        records.sort();
        let expected: Vec<_> = (0..10).map(|digit| (digit.to_string(), 100)).collect();
        assert_eq!(records, expected, "{batch}");
        counted += 1;
    }
    assert_eq!(counted, 30);
}

/// The three commonest words of a text as they are printed, counted without the product.
fn hottest(text: &str) -> String {
    let mut counts: Vec<_> = counts(text).into_iter().map(|(word, count)| (Reverse(count), word)).collect();
    counts.sort();
    counts.iter().take(3).map(|(Reverse(count), word)| format!("({word},{count})\n")).collect()
}

#[test]
fn hot_words_are_those_of_the_window() {
    let server = Server::new();
    let arguments = ["127.0.0.1", &server.port(), "4s", "400ms", "--interval", "100ms"];
    let mut program = Program::start(&mut example("windowed_hot_words", &arguments));
    let mut client = server.accept();
    let licence = licence();
    // Its second half has the same hottest words: they are counted anew only if those of the first text have left the window.
    let half = &licence[licence.len() / 2..];
    assert!(counts(half).keys().any(|word| hottest(&licence).contains(&format!("({word},"))));
    for text in [&licence, half, "b a c d a b\nc d\n"] {
        assert!(text.ends_with('\n'));
        client.write_all(text.as_bytes()).unwrap();
        let ending = program.watch(Some(&format!("{RULE}{}\n", hottest(text))), LIMIT);
        assert!(matches!(ending, Ending::Printed), "{}: {ending:?}", hottest(text));
    }
    let everything = counts(&(licence.clone() + half + "b a c d a b\nc d\n"));
    for batch in batches(program.seen()) {
        let named: Vec<_> = printed(batch).map(|(word, count)| (Reverse(count), word)).collect();
        assert!(named.is_sorted() && named.len() <= 3, "{batch}");
        assert!(named.iter().all(|(Reverse(count), word)| (1..=everything[word]).contains(count)), "{batch}");
    }
}

#[test]
fn wrong_arguments_are_told_with_the_usage() {
    let mut asked = BTreeSet::new();
    for (name, arguments, message) in [
        ("network_word_count", &[] as &[&str], "<HOST>"),
        ("network_word_count", &["localhost"], "<PORT>"),
        ("network_word_count", &["localhost", "http"], "invalid value 'http' for '<PORT>'"),
        ("network_word_count", &["localhost", "70000"], "a port is a number from 1 to 65535"),
        ("network_word_count", &["localhost", "9999", "more"], "unexpected argument 'more'"),
        ("queue_stream", &["--interval", "soon"], "`soon` is not a duration"),
        ("access_log_windows", &["localhost"], "<PORT>"),
        ("connection_per_partition", &["localhost", "9999"], "<SINK>"),
        ("connection_per_partition", &["localhost", "9999", "localhost"], "an address is a host and a port"),
        (
            "connection_per_partition",
            &["localhost", "9999", "localhost:0"],
            "a port is a number from 1 to 65535",
        ),
        ("blacklist_join", &["localhost", "9999"], "<BLACKLIST>"),
        ("custom_receiver", &["localhost"], "<PORT>"),
        ("hdfs_word_count", &[], "<DIRECTORY>"),
        ("historic_counts", &["localhost", "9999"], "<HISTORY>"),
        ("raw_network_grep", &["1", "localhost", "9999"], "<BATCH_MILLIS>"),
        ("raw_network_grep", &["0", "localhost", "9999", "1000"], "invalid value '0' for '<NUM_STREAMS>'"),
        ("raw_text_sender", &["9999", "LICENSE", "1000"], "<BYTES_PER_SECOND>"),
        ("recoverable_network_word_count", &["localhost", "9999", "checkpoint"], "<OUTPUT>"),
        ("recoverable_network_word_count_v1", &["localhost", "9999"], "<CHECKPOINT_DIRECTORY>"),
        ("recoverable_network_word_count_v2", &["localhost", "9999"], "<CHECKPOINT_DIRECTORY>"),
        ("save_to_files", &["localhost", "9999", "a"], "<SUFFIX>"),
        ("sort_in_foreach_rdd", &["localhost"], "<PORT>"),
        ("stateful_network_word_count", &["localhost"], "<PORT>"),
        ("stateless_join", &["localhost", "9999"], "<RIGHT>"),
        (
            "stateless_join",
            &["localhost", "1", "2", "--join", "outer"],
            "[possible values: inner, left-outer",
        ),
        ("transform_blacklist", &["localhost"], "<PORT>"),
        ("word_blacklist", &["localhost"], "<PORT>"),
        ("windowed_hot_words", &["localhost", "9999", "1x"], "`1x` has the unknown unit `x`"),
    ] {
        let Output { status, stdout, stderr } = example(name, arguments).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(2), "{name} {arguments:?}: {stderr}");
        assert!(stderr.contains(message), "{name} {arguments:?}: {stderr}");
        assert!(
            stderr.contains("Usage: ") && stderr.contains("--conf KEY=VALUE"),
            "{name} {arguments:?}: {stderr}"
        );
        assert!(stdout.is_empty());
        asked.insert(name.to_owned());
    }
    let examples = std::fs::read_dir(root().join("examples/src/bin")).unwrap();
    let examples = examples.map(|file| file.unwrap().path().file_stem().unwrap().display().to_string());
    assert_eq!(asked, examples.collect(), "each example is asked");
    for (name, arguments, message) in [
        (
            "network_word_count",
            &["localhost", "1", "--conf", "spark.streaming.blockIntervall=1s"] as &[&str],
            "write `spark.streaming.blockInterval`, the nearest key",
        ),
        ("network_word_count", &["localhost", "1", "--master", "yarn"], "`yarn`"),
        ("windowed_hot_words", &["localhost", "1", "1500ms", "1s"], "window"),
        (
            "blacklist_join",
            &["localhost", "1", "no/such/list"],
            "reading the list no/such/list, which has a name in each line: ",
        ),
        ("raw_text_sender", &["1", "/dev/null", "1", "1"], "/dev/null is empty"),
        ("raw_text_sender", &["1", "no/such/text", "1", "1"], "reading no/such/text: "),
    ] {
        let Output { status, stderr, .. } = example(name, arguments).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(1), "{name} {arguments:?}: {stderr}");
        assert!(
            stderr.starts_with(&format!("{name}: ")) && stderr.contains(message),
            "{name} {arguments:?}: {stderr}"
        );
    }
}

#[test]
fn examples_run_under_both_their_names() {
    let millstream = release_program("millstream", "millstream");
    let run_example = |arguments: &[&str]| {
        let mut command = Command::new(&millstream);
        command.arg("run-example").args(arguments);
        command
    };
    for name in ["streaming.QueueStream", "queue_stream"] {
        let Output { status, stdout, .. } = run_example(&[name, "--interval", "20ms"]).output().unwrap();
        assert!(status.success(), "{name}: {status}");
        let printed: u64 = printed(&String::from_utf8(stdout).unwrap()).map(|(_, count)| count).sum();
        assert_eq!(printed, 30_000, "{name}");
    }
    for name in ["streaming.NetworkWordCount", "network_word_count"] {
        let server = Server::new();
        let arguments = [name, "--interval", "100ms", "127.0.0.1", &server.port()];
        let mut program = Program::start(&mut run_example(&arguments));
        writeln!(server.accept(), "hello world hello").unwrap();
        let ending = program.watch(Some("(hello,2)\n"), LIMIT);
        assert!(matches!(ending, Ending::Printed), "{name}: {ending:?}");
    }
    // The exit code is the example's own.
    let Output { status, stderr, .. } = run_example(&["network_word_count"]).output().unwrap();
    assert_eq!(status.code(), Some(2), "{}", String::from_utf8_lossy(&stderr));
    for arguments in [&["streaming.NoSuchThing"] as &[&str], &[]] {
        let Output { status, stderr, .. } = run_example(arguments).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(2), "{stderr}");
        for listed in ["streaming.NetworkWordCount", "queue_stream", "windowed_hot_words"] {
            assert!(stderr.contains(listed), "{stderr}");
        }
    }
}
