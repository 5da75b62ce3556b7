//! `bench`: every workload beside the hand-written loop, in the same run.

use crate::Result;
use crate::step::Steps;
use crate::toolchain::cargo;
use std::path::PathBuf;
use std::process::Command;

/// The workloads and the arguments that choose them.
const WORKLOADS: &[(&str, &[&str])] = &[
    ("W1: filter and count", &["--workload", "W1"]),
    ("W2: word count", &["--workload", "W2"]),
    ("W2: word count of `String`s", &["--workload", "W2", "--variant", "string"]),
    ("W3: top ten of a sliding window", &["--workload", "W3"]),
    ("W5: small batches", &["--workload", "W5"]),
    ("log: words received with the write-ahead log beside without", &["--workload", "log"]),
    ("join of two batches of a million pairs", &["--workload", "join"]),
    ("sort of ten million numbers", &["--workload", "sort"]),
    ("group of four million pairs", &["--workload", "group"]),
    ("skew: word count with a hot word beside one without", &["--workload", "skew"]),
];

/// Builds the bench program and compares each workload.
///
/// `extra` arguments (`--cores 2`, `--data DIR`) go to the program; without `--data` the data is generated once, beside
/// the build output.
pub(crate) fn run(extra: &[&str]) -> Result<()> {
    let mut steps = Steps::new();
    let outcome = bench_steps(&mut steps, extra);
    steps.finish(outcome)
}

fn bench_steps(steps: &mut Steps, extra: &[&str]) -> Result<()> {
    steps.program("release build", &mut bench("build"))?;
    let data = data_folder()?;
    if !data.exists() && !extra.contains(&"--data") {
        // Under another name until it is whole: half a file would be measured without a word.
        let new = data.with_extension("new");
        steps.program("data", bench("run").args(["--quiet", "--", "--generate"]).arg(&new))?;
        std::fs::rename(&new, &data).map_err(|e| format!("cannot rename {}: {e}", new.display()))?;
    }
    for (name, arguments) in WORKLOADS {
        let mut run = bench("run");
        run.args(["--quiet", "--", "--compare", "--data"])
            .arg(&data)
            .arg("--work")
            .arg(data.with_extension("work"));
        run.args(*arguments).args(extra);
        steps.program(name, &mut run)?;
    }
    Ok(())
}

fn bench(subcommand: &str) -> Command {
    let mut command = cargo(subcommand);
    command.args(["--profile", "bench", "-p", "benches", "--bin", "bench"]);
    command
}

/// `bench-data` in cargo's target folder, two floors above this program.
fn data_folder() -> Result<PathBuf> {
    let program = std::env::current_exe().map_err(|e| format!("cannot tell where this program lies: {e}"))?;
    let target = program.ancestors().nth(2).ok_or("this program does not lie in a target folder")?;
    Ok(target.join("bench-data"))
}
