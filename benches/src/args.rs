//! The command line: `--name value` or `--name=value`; options that are not known are ignored.

use std::num::NonZeroUsize;
use std::path::PathBuf;

/// What the program is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Write the data files.
    Generate(GenerateArgs),
    /// Run a workload.
    Run(RunArgs),
    /// See whether short batches keep up with the real clock.
    Hold(HoldArgs),
    /// See how evenly the machine reads memory.
    Machine(MachineArgs),
}

/// How long which batch interval has to be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HoldArgs {
    /// `--hold`: for how many seconds.
    pub(crate) seconds: u64,
    /// `--interval`: milliseconds between two batches; 5 by default.
    pub(crate) interval_ms: u64,
    /// `--cores`: worker threads; all of the machine by default.
    pub(crate) cores: usize,
}

/// How long which part of the machine is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MachineArgs {
    /// `--machine`: for how many seconds.
    pub(crate) seconds: u64,
    /// `--cores`: on how many; all of the machine by default.
    pub(crate) cores: usize,
}

/// How data is generated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GenerateArgs {
    /// `--generate`: the folder the files are written to.
    pub(crate) folder: PathBuf,
    /// `--lines`: lines of each file; 2,000,000 by default.
    pub(crate) lines: usize,
    /// `--seed`: equal seeds write equal files; 1 by default.
    pub(crate) seed: u64,
}

/// How a workload is run. What is `None` depends on the workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunArgs {
    /// `--workload`: its name.
    pub(crate) workload: String,
    /// `--data`: the folder that holds words.txt, grep.txt and state-*.txt.
    pub(crate) data: PathBuf,
    /// `--cores`: worker threads; all of the machine by default.
    pub(crate) cores: usize,
    /// `--batches`: how many batches are run; when comparing, how many in each turn.
    pub(crate) batches: Option<usize>,
    /// `--lines-per-batch`: records of a batch.
    pub(crate) lines_per_batch: Option<usize>,
    /// `--warm-up`: batches that are run first and not counted in rates.
    pub(crate) warm_up: Option<usize>,
    /// `--variant`: the type of a word.
    pub(crate) variant: Variant,
    /// `--op`: which stateful operator W4 uses; `update` by default.
    pub(crate) op: Op,
    /// `--state-keys`: how many keys W4 and W7 have from the start; 1,000,000 by default in W4, 1,000 in W7.
    pub(crate) state_keys: Option<usize>,
    /// `--checkpoints`: W4 writes checkpoints into the folder of `--work`.
    pub(crate) checkpoints: bool,
    /// `--phase`: how W7 starts; `cold` by default.
    pub(crate) phase: Phase,
    /// `--work`: a folder for files of a run; one beside the system's temporary files by default.
    pub(crate) work: PathBuf,
    /// `--split std`: what the hand-written loops split lines with.
    pub(crate) split: Split,
    /// `--hand` or `--compare`.
    pub(crate) mode: Mode,
    /// `--pairs`: how often the two sides take turns; 5 by default and at least.
    pub(crate) pairs: usize,
}

/// The type a word has while it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// Whatever is fastest: borrowed words in the loop, the small-string type in Millstream.
    Fastest,
    /// `String` in both.
    String,
}

/// Which stateful operator W4 uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// `update_state_by_key`, called for every key.
    Update,
    /// `map_with_state`, called for each record.
    Map,
}

/// How W7 starts, and how it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Anew; it is stopped.
    Cold,
    /// Anew; the process dies after the last batch.
    First,
    /// From the checkpoints that the first left.
    Again,
}

/// How the hand-written loops find the words of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Split {
    /// A loop over bytes, which measured fastest.
    Bytes,
    /// `str::split(' ')`, which most would write.
    Std,
}

/// Which sides run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Millstream.
    Product,
    /// The hand-written loop.
    Hand,
    /// Both in turn.
    Compare,
}

/// The fewest pairs from which a ratio is reported: a shared machine's speed drifts by half within minutes.
const LEAST_PAIRS: usize = 5;

/// The longest a batch interval is held.
const MOST_SECONDS: usize = 86_400;
/// The most worker threads.
const MOST_CORES: usize = 1024;
/// The most lines, records of a batch, batches and pairs.
const MOST_RECORDS: usize = 1 << 32;

/// The most keys of a state: their names have seven digits.
const MOST_KEYS: usize = 10_000_000;

/// Reads the command line.
///
/// # Errors
/// If a known option has no value or one that can not be read, or if neither a workload nor `--generate` is given.
pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut words = words.into_iter().peekable();
    let mut generate = None;
    let mut hold = None;
    let mut machine = None;
    let mut interval_ms = 5;
    let mut lines = 2_000_000;
    let mut seed = 1;
    let mut run = RunArgs {
        workload: String::new(),
        data: PathBuf::from("."),
        cores: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        batches: None,
        lines_per_batch: None,
        warm_up: None,
        variant: Variant::Fastest,
        op: Op::Update,
        state_keys: None,
        checkpoints: false,
        phase: Phase::Cold,
        work: std::env::temp_dir().join("millstream-bench"),
        split: Split::Bytes,
        mode: Mode::Product,
        pairs: LEAST_PAIRS,
    };
    while let Some(word) = words.next() {
        let Some(option) = word.strip_prefix("--") else { continue };
        let (name, inline) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (option, None),
        };
        match name {
            "hand" => run.mode = Mode::Hand,
            "compare" => run.mode = Mode::Compare,
            "checkpoints" => run.checkpoints = true,
            _ => {
                let value = inline.or_else(|| words.next_if(|next| !next.starts_with("--")));
                let value = || value.ok_or_else(|| format!("--{name} needs a value"));
                match name {
                    "generate" => generate = Some(PathBuf::from(value()?)),
                    "hold" => hold = Some(positive(name, &value()?, MOST_SECONDS)? as u64),
                    "machine" => machine = Some(positive(name, &value()?, MOST_SECONDS)? as u64),
                    "interval" => interval_ms = positive(name, &value()?, MOST_SECONDS)? as u64,
                    "lines" => lines = positive(name, &value()?, MOST_RECORDS)?,
                    "seed" => seed = number(name, &value()?)?,
                    "workload" => run.workload = value()?,
                    "data" => run.data = PathBuf::from(value()?),
                    "cores" => run.cores = positive(name, &value()?, MOST_CORES)?,
                    "batches" => run.batches = Some(positive(name, &value()?, MOST_RECORDS)?),
                    "lines-per-batch" => run.lines_per_batch = Some(positive(name, &value()?, MOST_RECORDS)?),
                    "warm-up" => run.warm_up = Some(number(name, &value()?)?),
                    "pairs" => run.pairs = positive(name, &value()?, MOST_RECORDS)?.max(LEAST_PAIRS),
                    "variant" => run.variant = variant(&value()?)?,
                    "op" => run.op = op(&value()?)?,
                    "state-keys" => run.state_keys = Some(positive(name, &value()?, MOST_KEYS)?),
                    "phase" => run.phase = phase(&value()?)?,
                    "work" => run.work = PathBuf::from(value()?),
                    "split" => run.split = split(&value()?)?,
                    _ => {}
                }
            }
        }
    }
    match (generate, hold, machine) {
        (Some(folder), ..) => Ok(Command::Generate(GenerateArgs { folder, lines, seed })),
        (_, Some(seconds), _) => Ok(Command::Hold(HoldArgs { seconds, interval_ms, cores: run.cores })),
        (.., Some(seconds)) => Ok(Command::Machine(MachineArgs { seconds, cores: run.cores })),
        _ if run.workload.is_empty() => Err(
            "none of --workload W --data DIR, --generate DIR, --hold SECONDS and --machine SECONDS is given: name one"
                .to_owned(),
        ),
        _ => Ok(Command::Run(run)),
    }
}

fn number<N: std::str::FromStr>(name: &str, value: &str) -> Result<N, String> {
    value
        .parse()
        .map_err(|_| format!("--{name} {value}: not a number from 0 up: give one such as --{name} 2"))
}

/// Reads a number from 1 to `most`; larger ones could only exhaust the machine.
fn positive(name: &str, value: &str, most: usize) -> Result<usize, String> {
    match number(name, value)? {
        0 => Err(format!("--{name} 0: at least 1 is needed")),
        n if n > most => Err(format!("--{name} {n}: at most {most} is possible")),
        n => Ok(n),
    }
}

fn variant(value: &str) -> Result<Variant, String> {
    match value {
        "string" => Ok(Variant::String),
        "fastest" => Ok(Variant::Fastest),
        other => Err(format!("--variant {other}: not known: give `fastest` or `string`")),
    }
}

fn op(value: &str) -> Result<Op, String> {
    match value {
        "update" => Ok(Op::Update),
        "map" => Ok(Op::Map),
        other => Err(format!("--op {other}: not known: give `update` or `map`")),
    }
}

fn phase(value: &str) -> Result<Phase, String> {
    match value {
        "cold" => Ok(Phase::Cold),
        "first" => Ok(Phase::First),
        "again" => Ok(Phase::Again),
        other => Err(format!("--phase {other}: not known: give `cold`, `first` or `again`")),
    }
}

fn split(value: &str) -> Result<Split, String> {
    match value {
        "bytes" => Ok(Split::Bytes),
        "std" => Ok(Split::Std),
        other => Err(format!("--split {other}: not known: give `bytes` or `std`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    fn run(line: &str) -> RunArgs {
        match parse_line(line) {
            Ok(Command::Run(args)) => args,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn every_option_of_a_run_is_read() {
        let args = run("--workload W2 --data /d --cores 3 --batches 7 --lines-per-batch=11 --warm-up 0 \
                        --variant string --op map --state-keys 5000 --checkpoints --phase again --work /w --split std --compare \
                        --pairs 9");
        let expected = RunArgs {
            workload: "W2".into(),
            data: "/d".into(),
            cores: 3,
            batches: Some(7),
            lines_per_batch: Some(11),
            warm_up: Some(0),
            variant: Variant::String,
            op: Op::Map,
            state_keys: Some(5000),
            checkpoints: true,
            phase: Phase::Again,
            work: "/w".into(),
            split: Split::Std,
            mode: Mode::Compare,
            pairs: 9,
        };
        assert_eq!(args, expected);
    }

    #[test]
    fn unknown_options_are_ignored_with_and_without_values() {
        let args = run("stray --color --keys=10 -x --workload W1 --hand");
        assert_eq!((args.workload.as_str(), args.mode), ("W1", Mode::Hand));
        assert_eq!(args.batches, None);
    }

    #[test]
    fn generating_has_defaults() {
        let expected = GenerateArgs { folder: "/d".into(), lines: 2_000_000, seed: 1 };
        assert_eq!(parse_line("--generate /d"), Ok(Command::Generate(expected.clone())));
        let few = GenerateArgs { lines: 5, seed: 9, ..expected };
        assert_eq!(parse_line("--lines 5 --generate /d --seed 9"), Ok(Command::Generate(few)));
    }

    #[test]
    fn holding_has_a_default_interval() {
        let expected = HoldArgs { seconds: 60, interval_ms: 5, cores: 2 };
        assert_eq!(parse_line("--hold 60 --cores 2"), Ok(Command::Hold(expected)));
        assert_eq!(
            parse_line("--hold 60 --interval 1 --cores 2"),
            Ok(Command::Hold(HoldArgs { interval_ms: 1, ..expected }))
        );
    }

    #[test]
    fn the_machine_is_looked_at_for_some_time() {
        let expected = MachineArgs { seconds: 10, cores: 2 };
        assert_eq!(parse_line("--machine 10 --cores 2"), Ok(Command::Machine(expected)));
        assert!(parse_line("--machine").is_err_and(|message| message.contains("--machine needs a value")));
    }

    #[test]
    fn fewer_pairs_than_five_are_five() {
        assert_eq!(run("--workload W1 --pairs 2").pairs, 5);
    }

    #[test]
    fn bad_values_name_their_option() {
        for (line, part) in [
            ("--workload W1 --cores two", "--cores two"),
            ("--workload W1 --cores 0", "at least 1"),
            ("--workload W1 --cores 5000", "at most 1024"),
            ("--workload W1 --batches -3", "--batches -3"),
            ("--workload W1 --batches --hand", "--batches needs a value"),
            ("--workload W1 --variant odd", "--variant odd"),
            ("--workload W4 --op odd", "--op odd"),
            ("--workload W7 --phase odd", "--phase odd"),
            ("--workload W4 --state-keys 99999999", "at most 10000000"),
            ("--workload W1 --split odd", "--split odd"),
            ("--data /d", "--workload"),
        ] {
            let error = parse_line(line).expect_err(line);
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
