//! W7 and `log`, which need a process of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of its own for a test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("bench-it-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the program; returns its events, and whether it ended well.
fn bench(folder: &Path, line: &str) -> (Vec<String>, bool) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    let run = command.arg("--work").arg(folder).arg("--data").arg(folder).args(line.split(' ')).output();
    let run = run.unwrap();
    let events = String::from_utf8(run.stdout).unwrap().lines().map(str::to_owned).collect();
    (events, run.status.success())
}

/// Returns the numbers of the batches.
fn batches(events: &[String]) -> Vec<usize> {
    let batches = events.iter().filter_map(|event| event.strip_prefix(r#"{"event":"batch","i":"#));
    batches.map(|rest| rest.split(',').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn a_run_that_died_is_gone_on_from() {
    let folder = Folder::new("phases");
    let options = "--cores 2 --state-keys 500 --lines-per-batch 200";
    let (events, good) = bench(&folder.0, &format!("--workload w7 --phase again {options}"));
    assert!(!good, "{events:#?}");
    let (events, good) = bench(&folder.0, &format!("--workload w7 --phase cold --batches 3 {options}"));
    assert!(good && batches(&events) == [0, 1, 2], "{events:#?}");
    let (events, good) = bench(&folder.0, &format!("--workload W7 --phase first --batches 25 {options}"));
    assert!(good && batches(&events) == (0..25).collect::<Vec<_>>(), "{events:#?}");
    assert!(events.iter().any(|event| event.starts_with(r#"{"event":"first_result","epoch_ms":"#)));
    let (events, good) = bench(&folder.0, &format!("--workload w7 --phase again --batches 4 {options}"));
    // Each batch says what it would after the others, or the program would not end well.
    let numbers = batches(&events);
    assert!(good && numbers.len() == 4 && (23..=25).contains(&numbers[0]), "{events:#?}");
}

#[test]
fn what_is_logged_is_counted_and_recovered() {
    let folder = Folder::new("log");
    std::fs::write(folder.0.join("words.txt"), "to be or not\nto be\n").unwrap();
    let (events, good) = bench(&folder.0, "--workload log --compare --cores 2 --lines-per-batch 50");
    assert!(good, "{events:#?}");
    assert!(events.iter().any(|event| event.starts_with(r#"{"event":"compare","workload":"log""#)));
    let recovered = r#"{"event":"recovered","blocks":50,"records":5000,"ms":"#;
    assert!(events.iter().any(|event| event.starts_with(recovered)), "{events:#?}");
}

#[test]
fn checkpoints_change_no_result() {
    let folder = Folder::new("checkpoints");
    let keys: Vec<String> = (0..1000).map(|n| format!("u{:07}\n", n * 7 % 500)).collect();
    std::fs::write(folder.0.join("state-500.txt"), keys.concat()).unwrap();
    let run = |more: &str| {
        let options = "--workload W4 --op map --cores 2 --state-keys 500 --lines-per-batch 100 --batches 23";
        let (events, good) = bench(&folder.0, &format!("{options}{more}"));
        assert!(good, "{events:#?}");
        let results = events.iter().filter_map(|event| event.split_once(r#""result":"#));
        results.map(|(_, result)| result.to_owned()).collect::<Vec<_>>()
    };
    let without = run("");
    assert_eq!((without.len(), run(" --checkpoints")), (23, without));
    assert!(folder.0.join("w4").join("checkpoint-23000").exists());
}
