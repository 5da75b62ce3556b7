//! Runs what the command line asks for.

use std::io::Write;

use crate::allocations::allocated;
use crate::args::{Command, Mode, RunArgs};
use crate::compare::{Failure, compare, median};
use crate::data::{Records, load};
use crate::events::Events;
use crate::hold::{hold, quantile};
use crate::logged::Turns;
use crate::workload::{BatchResult, Kind, Plan, Workload};
use crate::{generate, hand, machine, made, product, restart};

/// How a run that could be done ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As it should.
    Good,
    /// What came out is not what should have.
    Differs,
    /// The process is to end at once: what was started must not be stopped.
    Dies,
}

/// Does what the command says and writes events to `out`.
///
/// # Errors
/// If data can not be read or written, or a batch can not be run.
pub(crate) fn run(command: &Command, out: impl Write) -> Result<Verdict, String> {
    match command {
        Command::Generate(args) => generate::generate(args).map(|()| Verdict::Good),
        Command::Run(args) => run_workload(args, &mut Events::new(out)),
        Command::Hold(args) => hold(*args)?.tell(out),
        Command::Machine(args) => machine::measure(*args, out),
    }
}

fn run_workload(args: &RunArgs, events: &mut Events<impl Write>) -> Result<Verdict, String> {
    events.start(if args.mode == Mode::Hand { "hand" } else { "millstream" })?;
    let supported = |kind: &Kind| args.mode == Mode::Hand || product::supports(*kind);
    let Some(kind) = Kind::named(&args.workload).filter(supported) else {
        events.unsupported(&args.workload)?;
        return Ok(Verdict::Good);
    };
    let plan = Plan::new(kind, args);
    if kind == Kind::W7 {
        let verdict = restart::run(&plan, args.phase, &args.work, events)?;
        events.done()?;
        return Ok(verdict);
    }
    let batches = match args.mode {
        Mode::Compare => plan.warm_up.saturating_add(plan.batches.saturating_mul(plan.pairs)),
        _ => plan.batches,
    };
    // No batch reaches beyond so many records, and further ones would only take memory.
    let records = load(kind, plan.state_keys, &args.data, batches.saturating_mul(plan.per_batch))?;
    let verdict = match args.mode {
        Mode::Product => one_side(millstream(args, &plan, &records)?, &plan, events)?,
        Mode::Hand => one_side(beside(args, &plan, &records)?, &plan, events)?,
        Mode::Compare => both_sides(args, plan, &records, events)?,
    };
    if let (Kind::Log, Records::Lines(lines)) = (kind, &records) {
        let recovered = Turns::new(&plan, lines, &args.work, true).recover()?;
        say(format_args!("{} logged blocks recovered in {:.0} ms", recovered.blocks, recovered.ms));
        events.recovered(&recovered)?;
    }
    events.done()?;
    Ok(verdict)
}

/// Starts the program of a workload.
fn millstream<'a>(
    args: &RunArgs,
    plan: &Plan,
    records: &'a Records,
) -> Result<Box<dyn Workload + 'a>, String> {
    match (plan.kind, records) {
        (Kind::Log, Records::Lines(lines)) => Ok(Box::new(Turns::new(plan, lines, &args.work, true))),
        _ => product::open(plan, args.variant, records, args.checkpoints.then_some(&*args.work)),
    }
}

/// Makes ready what a workload's program is set against.
fn beside<'a>(args: &RunArgs, plan: &Plan, records: &'a Records) -> Result<Box<dyn Workload + 'a>, String> {
    match (plan.kind, records) {
        (Kind::Log, Records::Lines(lines)) => Ok(Box::new(Turns::new(plan, lines, &args.work, false))),
        // The question is what the hot word costs, not what the engine does.
        (Kind::Skew, _) if args.mode == Mode::Compare => {
            product::open(plan, args.variant, &made::words(plan.per_batch, false), None)
        }
        _ => hand::open(plan, args.variant, records),
    }
}

fn one_side(
    mut side: Box<dyn Workload + '_>,
    plan: &Plan,
    events: &mut Events<impl Write>,
) -> Result<Verdict, String> {
    events.ready()?;
    let mut measured = Vec::new();
    for i in 0..plan.batches {
        let before = allocated();
        let batch = side.batch(i)?;
        let bytes = allocated().zip(before).map(|(after, before)| after - before);
        if i == 0 {
            events.first_result()?;
        }
        events.batch(i, &batch, bytes)?;
        // Short runs have no warm-up to leave out.
        if i >= plan.warm_up.min(plan.batches / 2) {
            measured.push(batch);
        }
    }
    say(format_args!(
        "{:?}, {} threads: median of {} batches {:.4} ms, p99 {:.4} ms, {:.0} records/s",
        plan.kind,
        plan.cores,
        measured.len(),
        median(measured.iter().map(|batch| batch.ms)),
        quantile(&measured.iter().map(|batch| batch.ms).collect::<Vec<_>>(), 0.99),
        median(measured.iter().map(BatchResult::rate)),
    ));
    Ok(Verdict::Good)
}

fn both_sides(
    args: &RunArgs,
    plan: Plan,
    records: &Records,
    events: &mut Events<impl Write>,
) -> Result<Verdict, String> {
    let mut hand = beside(args, &plan, records)?;
    let mut product = millstream(args, &plan, records)?;
    events.ready()?;
    match compare(plan, &mut *hand, &mut *product) {
        Ok(comparison) => {
            say(format_args!("{comparison}"));
            events.compare(&args.workload, &comparison)?;
            Ok(Verdict::Good)
        }
        Err(Failure::Differs(message)) => {
            say(format_args!("bench: {message}"));
            Ok(Verdict::Differs)
        }
        Err(Failure::Failed(message)) => Err(message),
    }
}

/// Writes a line for people.
pub(crate) fn say(text: std::fmt::Arguments<'_>) {
    // The numbers are in the events as well: a closed standard error loses nothing.
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::parse;
    use crate::generate::tests::Folder;

    fn events_of(line: &str) -> (Result<Verdict, String>, Vec<String>) {
        let mut out = Vec::new();
        let command = parse(line.split(' ').map(str::to_owned)).unwrap();
        let verdict = run(&command, &mut out);
        (verdict, String::from_utf8(out).unwrap().lines().map(str::to_owned).collect())
    }

    #[test]
    fn a_run_reports_its_batches_in_order() {
        let folder = Folder::new("run");
        let data = folder.path().display();
        assert_eq!(events_of(&format!("--generate {data} --lines 1000")).0, Ok(Verdict::Good));
        let options = format!("--data {data} --cores 2 --batches 3 --lines-per-batch 400 --work /nowhere");
        let (verdict, events) = events_of(&format!("--hand --workload W1 {options}"));
        assert_eq!(verdict, Ok(Verdict::Good));
        let starts = [
            r#"{"event":"start","peer":"hand","version":""#,
            r#"{"event":"ready","epoch_ms":"#,
            r#"{"event":"first_result","epoch_ms":"#,
            r#"{"event":"batch","i":0,"records":400,"ms":"#,
            r#"{"event":"batch","i":1,"records":400,"ms":"#,
            r#"{"event":"batch","i":2,"records":400,"ms":"#,
            r#"{"event":"done","epoch_ms":"#,
        ];
        assert_eq!(events.len(), starts.len(), "{events:#?}");
        for (event, start) in events.iter().zip(starts) {
            assert!(event.starts_with(start), "{event}");
        }
        assert!(events[3..6].iter().all(|event| event.contains(r#","result":"matches=4""#)), "{events:#?}");
    }

    #[test]
    fn an_unknown_workload_is_no_error() {
        let (verdict, events) = events_of("--workload W99 --data /nowhere --phase cold");
        assert_eq!(verdict, Ok(Verdict::Good));
        assert_eq!(events.len(), 2);
        assert_eq!(events[1], r#"{"event":"unsupported","workload":"W99"}"#);
    }

    #[test]
    fn missing_data_is_an_error() {
        assert!(
            events_of("--hand --workload W2 --data /nowhere").0.unwrap_err().contains("/nowhere/words.txt")
        );
    }
}
