//! Measures Millstream beside hand-written loops over the same data.
//!
//! ```text
//! bench --generate DIR [--lines N] [--seed S]     writes words.txt, grep.txt and state-*.txt
//! bench --workload W --data DIR [OPTIONS]         runs a workload with Millstream
//! bench --workload W --data DIR --hand            runs the hand-written loop instead
//! bench --workload W --data DIR --compare         runs both in turn and prints the ratio of their rates
//! bench --workload W7 --phase P --work DIR        starts a program with a state: `cold`, `first` or `again`
//! bench --hold SECONDS [--interval MS]            runs short batches on the real clock and prints how late they are
//! bench --machine SECONDS                         reads memory alone and prints how evenly the machine does so
//! ```
//!
//! Standard output carries JSON lines (see [`events`]), standard error what a person wants to read. The workloads
//! are listed in [`workload`], the options in [`args`].

mod allocations;
mod args;
mod batches;
mod compare;
mod data;
mod empty_folder;
mod events;
mod generate;
mod hand;
mod hold;
mod logged;
mod machine;
mod made;
mod product;
mod random;
mod restart;
mod results;
mod run;
mod workload;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let outcome = args::parse(words).and_then(|args| run::run(&args, std::io::stdout().lock()));
    match outcome {
        Ok(run::Verdict::Dies) => std::process::exit(0),
        Ok(run::Verdict::Good) => ExitCode::SUCCESS,
        Ok(run::Verdict::Differs) => ExitCode::from(1),
        Err(message) => {
            // Nothing is left to do if standard error is closed, too.
            let _ = writeln!(std::io::stderr(), "bench: {message}");
            ExitCode::from(2)
        }
    }
}
