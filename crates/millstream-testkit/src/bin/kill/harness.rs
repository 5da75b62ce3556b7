//! Runs the pipeline without kills and with them, and looks at what is left.

use std::fs;

use crate::compare::{Differences, check_once, expected, whole};
use crate::data::Data;
use crate::plan::Plan;
use crate::run::{LAST_VERSION, Run};
use crate::{Result, model, say};

/// Runs the pipeline without kills and with them; returns in how many ways they are not what they must be.
pub(crate) fn run(kills: usize, seed: u64) -> Result<usize> {
    say(format_args!("seed {seed}"));
    let data = Data::for_kills(kills, seed);
    let plan = Plan::new(seed);
    let (left, without) = Run::new(data, &plan, "undisturbed")?.finish(0)?;
    let (right, with) = Run::new(data, &plan, "disturbed")?.finish(kills)?;
    let mut differences = 0;
    let last = if kills > 0 { LAST_VERSION } else { 1 };
    for (run, outcome, version) in [("without kills", &without, 1), ("with kills", &with, last)] {
        let mut of_run = Differences { run, ..Differences::default() };
        model::check(outcome, &mut of_run);
        model::check_version(outcome, version, &mut of_run);
        check_once(outcome, &mut of_run);
        for ((output, wanted), (_, got)) in expected(&data).iter().zip(&whole(outcome)) {
            if wanted != got {
                of_run.add(format!("{output} as a whole: {}", first_difference(wanted, got)));
            }
        }
        differences += of_run.count;
    }
    // Both are what follows from the data; all the same, what is asked for is that they are equal.
    for ((output, wanted), (_, got)) in whole(&without).iter().zip(&whole(&with)) {
        if wanted != got {
            differences += 1;
            say(format_args!("{output} with kills and without: {}", first_difference(wanted, got)));
        }
    }
    // Kept where something differs, for whoever looks for the reason.
    for directory in [left, right] {
        if differences == 0 {
            let _ = fs::remove_dir_all(directory);
        } else {
            say(format_args!("what is left lies in {}", directory.display()));
        }
    }
    Ok(differences)
}

fn first_difference(wanted: &str, got: &str) -> String {
    let mut lines = wanted.lines().zip(got.lines().chain(std::iter::repeat("(nothing)")));
    let differing = lines.find(|(wanted, got)| wanted != got);
    differing.map_or_else(
        || "there is more than wanted".to_owned(),
        |(wanted, got)| format!("`{got}` instead of `{wanted}`"),
    )
}
