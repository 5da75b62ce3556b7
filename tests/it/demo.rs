//! The demo, which `cargo run --release` starts.

use crate::programs::{Ending, Program, free_port, release_program};
use std::process::{Command, Output};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

fn millstream(arguments: &[&str]) -> Command {
    let mut command = Command::new(release_program("millstream", "millstream"));
    command.args(arguments);
    command
}

/// Runs a command that ends by itself; returns its exit code, stdout and stderr.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = millstream(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The times of the batches that were printed.
fn times(printed: &str) -> Vec<u64> {
    let times = printed.lines().filter_map(|line| line.strip_prefix("Time: ")?.strip_suffix(" ms"));
    times.map(|time| time.parse().unwrap()).collect()
}

/// The sum of the counts that were printed.
fn words_counted(printed: &str) -> u64 {
    let counted =
        printed.lines().filter_map(|line| line.strip_prefix('(')?.strip_suffix(')')?.rsplit_once(','));
    counted.map(|(_word, count)| count.parse::<u64>().unwrap()).sum()
}

#[test]
fn the_demo_counts_words_and_ends_after_its_batches() {
    // With one worker thread, too: the receiver does not take it.
    for master in ["local[1]", "local[2]"] {
        let (code, out, err) =
            run(&["demo", "wordcount", "--batches", "3", "--interval", "200ms", "--master", master]);
        assert_eq!(code, Some(0), "{master}: {err}");
        let times = times(&out);
        assert_eq!(times.len(), 3, "{master}: {out}");
        assert!(times.iter().all(|time| time % 200 == 0), "{times:?}");
        assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
        assert!(words_counted(&out) > 0, "{master}: no word was counted: {out}");
        // One status line per batch, and nothing else.
        let told: Vec<&str> = err.lines().collect();
        assert_eq!(told.len(), 3, "{err}");
        for (line, time) in told.iter().zip(&times) {
            let rest = line.strip_prefix(&format!("{time} ms: ")).unwrap_or_else(|| panic!("{line}"));
            let (rate, rest) = rest.split_once(" records/s, scheduling delay ").unwrap();
            let (delay, processing) = rest.split_once(" ms, processing time ").unwrap();
            let numbers = [rate, delay, processing.strip_suffix(" ms").unwrap()];
            assert!(numbers.iter().all(|number| number.replace(',', "").parse::<u64>().is_ok()), "{line}");
        }
        assert!(told.iter().any(|line| !line.contains(" ms: 0 records/s")), "{err}");
    }
}

#[test]
fn without_arguments_it_is_the_demo_and_a_signal_ends_it() {
    for signal in ["INT", "TERM"] {
        let mut demo = Program::start(&mut millstream(&[]));
        // The header is there for an empty batch, too; this is a count.
        let ending = demo.watch(Some("\n("), LIMIT);
        assert!(matches!(ending, Ending::Printed), "{ending:?}");
        demo.signal(signal);
        let ending = demo.watch(None, LIMIT);
        assert!(matches!(ending, Ending::Exited(status) if status.success()), "{signal}: {ending:?}");
    }
}

#[test]
fn it_ends_with_its_reader() {
    let mut both = Command::new("bash");
    let script = "set -o pipefail; \"$0\" demo wordcount --interval 100ms | head -n 1";
    both.args(["-c", script]).arg(release_program("millstream", "millstream"));
    let mut both = Program::start(&mut both);
    let ending = both.watch(None, LIMIT);
    assert!(matches!(&ending, Ending::Exited(status) if status.success()), "{ending:?}");
    assert!(both.seen().starts_with("-----"), "{}", both.seen());
}

#[test]
fn it_reads_from_the_server_of_the_user() {
    let port = free_port().to_string();
    let mut nc = Program::start(&mut millstream(&["nc", "-lk", &port]));
    nc.input(&["hello world hello".to_owned(), String::new(), "  world ".to_owned()]);
    let mut demo = Program::start(&mut millstream(&[
        "demo",
        "wordcount",
        "--port",
        &port,
        "--interval",
        "100ms",
        "--conf",
        "spark.streaming.receiverRestartDelay=100",
    ]));
    // Both lines were typed together, but may have come in two batches.
    for counted in ["(hello,2)", "(world,"] {
        let ending = demo.watch(Some(counted), LIMIT);
        assert!(matches!(ending, Ending::Printed), "{counted}: {ending:?}");
    }
    nc.input(&["later later later".to_owned()]);
    assert!(matches!(demo.watch(Some("(later,3)"), LIMIT), Ending::Printed));
    demo.signal("INT");
    let ending = demo.watch(None, LIMIT);
    assert!(matches!(ending, Ending::Exited(status) if status.success()), "{ending:?}");
    assert_eq!(words_counted(demo.seen()), 7);
    assert!(nc.is_running(), "with -k the server outlives its client");
}

#[test]
fn what_is_set_wrongly_is_told_with_a_remedy() {
    for (arguments, message) in [
        (
            &["--conf", "spark.streaming.blockIntervall=1s"] as &[&str],
            "setting `spark.streaming.blockIntervall`: there is no such setting (from --conf); \
             write `spark.streaming.blockInterval`, the nearest key",
        ),
        (&["--conf", "spark.streaming.blockInterval=soon"], "`soon` is not a duration (from --conf); write"),
        (&["--conf", "spark.streaming.blockInterval"], "has no `=`; write `--conf KEY=VALUE`"),
        (&["--master", "yarn"], "`yarn`"),
        (&["--interval", "0ms"], "the batch interval 0ns is no positive number of whole milliseconds"),
    ] {
        let (code, out, err) = run(&[&["demo", "wordcount"], arguments].concat());
        assert_eq!(code, Some(1), "{arguments:?}: {err}");
        assert!(
            err.starts_with("millstream demo wordcount: ") && err.contains(message),
            "{arguments:?}: {err}"
        );
        assert_eq!((err.lines().count(), out.as_str()), (1, ""), "{arguments:?}: {err}");
    }
    for (arguments, message) in [
        (&["--interval", "soon"] as &[&str], "`soon` is not a duration; write"),
        (&["--batches", "0"], "0 is not in 1.."),
        (&["--port", "70000"], "70000 is not in"),
        (&["--rate", "5", "--port", "9999"], "cannot be used with"),
        (&["--bathces", "3"], "--batches"),
    ] {
        let (code, _, err) = run(&[&["demo", "wordcount"], arguments].concat());
        assert_eq!(code, Some(2), "{arguments:?}: {err}");
        assert!(err.contains(message), "{arguments:?}: {err}");
    }
}

#[test]
fn the_settings_are_printed() {
    let (code, out, err) = run(&["settings"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("\nspark.streaming.blockInterval = 200ms\n"), "{out}");
    let (code, out, _) = run(&["settings", "--markdown"]);
    assert_eq!(code, Some(0));
    assert!(
        out.starts_with("# Configuration\n") && out.contains("| `spark.streaming.blockInterval` | "),
        "{out}"
    );
}
