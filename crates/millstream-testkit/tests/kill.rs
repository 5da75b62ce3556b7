//! A stream program that is killed again and again, for some seconds.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::process::Command;

/// Each run begins at another place: fewer kills than places come to all of them in some runs. That a child does not come to the
/// place where it is to die is an error.
#[test]
fn what_a_killed_program_leaves_is_what_an_undisturbed_one_leaves() {
    let output = Command::new(env!("CARGO_BIN_EXE_kill")).args(["--kills", "25"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).lines().last(),
        Some("25 kills, 0 differences"),
        "{said}"
    );
}
