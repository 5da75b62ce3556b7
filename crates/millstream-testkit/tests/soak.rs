//! The soak program, for some seconds.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::process::Command;

fn soak(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_soak")).args(arguments).output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{line}");
    line
}

#[test]
fn every_word_is_counted_once_at_full_speed() {
    let line = soak(&["--seconds", "3"]);
    assert!(line.contains(r#""gaps":0"#), "{line}");
}

#[test]
fn lost_results_change_no_sum() {
    let line = soak(&["--seconds", "3", "--interval", "20", "--lose", "0.1"]);
    assert!(line.contains(r#""lose":0.1"#) && line.contains(r#""gaps":0"#), "{line}");
}
