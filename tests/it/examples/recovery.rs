//! The examples that go on after a crash.

use super::{LIMIT, Server, example, reaches, reads_on};
use crate::programs::{Program, ScratchFolder, release_program};
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn words_are_counted_on_after_a_kill() {
    let folder = ScratchFolder::new();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (checkpoints, output) = (path("checkpoints"), path("counts"));
    let server = Server::new();
    let arguments = ["127.0.0.1", &server.port(), &checkpoints, &output, "--interval", "100ms"];
    let start = || Program::start(&mut example("recoverable_network_word_count", &arguments));

    let mut program = start();
    reaches(&mut program, "Creating new context\n");
    let mut client = server.accept();
    writeln!(client, "a b hello hello").unwrap();
    reaches(&mut program, "(hello,2)]\nDropped 2 word(s) totally\n");
    // What a batch has dropped counts from when the checkpoint says that it was completed.
    let (before, _) = program.seen().split_once("(hello,2)]").unwrap();
    is_completed(&checkpoints, number_behind(before, "Counts at time "));
    drop(client);
    drop(program); // killed

    let mut program = start();
    reaches(&mut program, "Going on after batch ");
    let mut client = server.accept();
    writeln!(client, "c world").unwrap();
    reaches(&mut program, "(world,1)]\nDropped 3 word(s) totally\n");
    // The file has what was told when a later batch is told.
    reads_on(&mut program, "a later batch", |seen| seen.rfind("Counts at") > seen.find("(world,1)]"));
    drop(program);

    let counts = std::fs::read_to_string(&output).unwrap();
    let times: Vec<u64> = counts
        .lines()
        .map(|line| {
            let rest = line.strip_prefix("Counts at time ").unwrap();
            rest.split_once(" ms [").unwrap().0.parse().unwrap()
        })
        .collect();
    assert!(times.is_sorted() && times.iter().all(|time| time % 100 == 0), "{counts}");
    for word in ["[(hello,2)]", "[(world,1)]"] {
        assert_eq!(counts.matches(word).count(), 1, "{counts}");
    }
}

/// The number behind the last place of `words` in a text.
fn number_behind(text: &str, words: &str) -> u64 {
    let (_, rest) = text.rsplit_once(words).unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

/// Waits until what is said of the checkpoints is as it should be.
fn explained(checkpoints: &str, mut holds: impl FnMut(&str) -> bool) {
    let began = Instant::now();
    loop {
        let mut explain = Command::new(release_program("millstream", "millstream"));
        let output = explain.args(["checkpoint", "explain", checkpoints]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        if output.status.success() && holds(&text) {
            return;
        }
        assert!(began.elapsed() < LIMIT, "{text}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until a batch that runs is completed.
fn is_completed(checkpoints: &str, batch: u64) {
    explained(checkpoints, |text| !text.contains(&format!("batch {batch} ms was not completed")));
}

/// Waits until a state is saved that has all that a program has printed.
fn state_is_saved(checkpoints: &str, program: &Program) {
    let printed = number_behind(program.seen(), "Time: ");
    let version =
        |text: &str| Some(text.split("state of batch ").nth(1)?.split(' ').next()?.parse().unwrap());
    explained(checkpoints, |text| version(text).is_some_and(|version: u64| version >= printed));
}

#[test]
fn a_second_version_goes_on_from_the_checkpoint_of_the_first() {
    let folder = ScratchFolder::new();
    let checkpoints = folder.path().join("checkpoints").display().to_string();
    let server = Server::new();
    let arguments = ["127.0.0.1", &server.port(), &checkpoints, "--interval", "100ms"];
    let start = |version: &str| {
        Program::start(&mut example(&format!("recoverable_network_word_count_{version}"), &arguments))
    };

    let mut program = start("v1");
    let mut client = server.accept();
    writeln!(client, "to be or not to be").unwrap();
    reaches(&mut program, "(be,2)\n");
    state_is_saved(&checkpoints, &program);
    drop(client);
    drop(program); // killed

    // The second one also goes on from its own.
    let mut known = "(not,(1,None))\n";
    for (line, to, be) in
        [("To TO", "(to,(4,Some(", "(be,(2,None))\n"), ("be To", "(to,(5,Some(", "(be,(3,Some(")]
    {
        let mut program = start("v2");
        reaches(&mut program, known);
        let mut client = server.accept();
        writeln!(client, "{line}").unwrap();
        reaches(&mut program, to);
        reaches(&mut program, be);
        reaches(&mut program, "(or,(1,None))\n");
        // While it lives no other one writes there.
        let refused = refusal("recoverable_network_word_count_v2", &arguments, 1);
        assert!(refused.contains("is in use by `RecoverableNetworkWordCount`, process "), "{refused}");
        state_is_saved(&checkpoints, &program);
        known = "(to,(4,Some(";
    }

    // And the first one is told that the states are not its own any more, the one without states that there are some.
    let refused = refusal("recoverable_network_word_count_v1", &arguments, 3);
    assert_eq!(refused.matches("its saved state is of another type: it was key").count(), 1, "{refused}");
    assert_eq!(refused.matches("update_state_by_key at ").count(), 1, "{refused}");
    let counts = folder.path().join("counts").display().to_string();
    let arguments = ["127.0.0.1", &server.port(), &checkpoints, &counts];
    let refused = refusal("recoverable_network_word_count", &arguments, 3);
    assert!(refused.contains("(`totals`) is gone"), "{refused}");
}

/// What an example says that does not start and ends with a code.
fn refusal(name: &str, arguments: &[&str], code: i32) -> String {
    let output = example(name, arguments).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{name}: {stderr}");
    stderr
}

#[test]
fn what_is_passed_over_and_what_has_changed_is_said_at_the_start() {
    let folder = ScratchFolder::new();
    let checkpoints = folder.path().join("checkpoints");
    let server = Server::new();
    let port = server.port();
    let arguments = ["127.0.0.1", &port, checkpoints.to_str().unwrap(), "--interval", "100ms"];
    let mut program = Program::start(&mut example("recoverable_network_word_count_v1", &arguments));
    let mut client = server.accept();
    writeln!(client, "to be or not to be").unwrap();
    reaches(&mut program, "(be,2)\n");
    state_is_saved(arguments[2], &program);
    drop(client);
    drop(program); // killed

    let number = |path: &std::path::PathBuf| -> Option<(u64, u64)> {
        let name = path.file_name()?.to_str()?.strip_prefix("checkpoint-")?;
        let (time, number) = name.split_once('.').unwrap_or((name, "0"));
        Some((time.parse().ok()?, number.parse().ok()?))
    };
    let files = std::fs::read_dir(&checkpoints).unwrap().map(|entry| entry.unwrap().path());
    let newest = files.filter(|path| number(path).is_some()).max_by_key(number).unwrap();
    std::fs::write(&newest, "torn").unwrap();

    let log = folder.path().join("log");
    let arguments = [&arguments[..], &["--conf", "spark.task.maxFailures=2"]].concat();
    let mut again = example("recoverable_network_word_count_v1", &arguments);
    again.env("MILLSTREAM_LOG", "info").stderr(std::fs::File::create(&log).unwrap());
    let mut program = Program::start(&mut again);
    reaches(&mut program, "(be,2)\n");
    drop(program);
    let said = std::fs::read_to_string(&log).unwrap();
    let passed_over = format!("passed over: {}: it was not written to the end; the newest", newest.display());
    for part in [&*passed_over, "setting `spark.task.maxFailures` was unset and is `2`"] {
        assert!(said.contains(part), "{said}");
    }
}
