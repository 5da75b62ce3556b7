//! W7: how long a program with a state takes from its start to its first completed batch.
//!
//! `--phase cold` begins anew. `first` does so as well, and the process dies after the last batch, without a stop;
//! `again` goes on from the checkpoints that it left. The first result's event carries the figure: milliseconds since
//! the start of the program. The batches are of a second each, on a clock that is moved by hand, so that nothing waits.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use millstream::listener::{BatchInfo, StreamingListener};
use millstream::prelude::*;
use millstream::streaming::Time;
use millstream::testing::{Driver, Steps};

use crate::args::Phase;
use crate::empty_folder::empty_folder;
use crate::events::Events;
use crate::results;
use crate::run::{Verdict, say};
use crate::workload::{BatchResult, Plan, key};

const SECOND: Duration = Duration::from_secs(1);

/// How long a batch may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a phase in a folder of its own under `work`.
///
/// # Errors
/// If the streams can not be started or a batch fails; in the phase `again` if there are no checkpoints.
pub(crate) fn run(
    plan: &Plan,
    phase: Phase,
    work: &Path,
    events: &mut Events<impl Write>,
) -> Result<Verdict, String> {
    let folder = work.join("w7");
    if phase != Phase::Again {
        empty_folder(&folder)?;
    }
    events.ready()?;
    let started = start(plan, phase, folder).map_err(|error| error.to_string())?;
    let mut verdict = Verdict::Good;
    for n in 0..plan.batches {
        let (i, batch) = started.batch(plan)?;
        if n == 0 {
            events.first_result()?;
        }
        let expected = expected(positions(plan, i), plan.state_keys);
        if batch.result != expected {
            say(format_args!("bench: batch {i} differs: it says {} and should {expected}", batch.result));
            verdict = Verdict::Differs;
        }
        events.batch(i, &batch, None)?;
    }
    say(format_args!(
        "W7 {phase:?}, {} threads, {} keys: {:.0} ms to the first completed batch",
        plan.cores,
        plan.state_keys,
        events.first_result_ms(),
    ));
    if phase == Phase::First && verdict == Verdict::Good {
        // Nothing of it is stopped: the process ends while it runs.
        std::mem::forget(started);
        return Ok(Verdict::Dies);
    }
    started.steps.running.stop(true, false).map_err(|error| error.to_string())?;
    Ok(verdict)
}

/// The streams, and where they say what came of their batches.
struct Started {
    steps: Steps,
    results: Receiver<(Time, String)>,
    completed: Receiver<BatchInfo>,
}

fn start(plan: &Plan, phase: Phase, folder: PathBuf) -> Result<Started> {
    let conf = Conf::empty().set_master(format!("local[{}]", plan.cores));
    let driver = Driver::new(conf, SECOND)?;
    let (to, results) = mpsc::channel();
    describe(plan, driver.streaming(), to);
    let (infos, completed) = mpsc::channel();
    driver.streaming().add_streaming_listener(Arc::new(Completed(infos)))?;
    let driver = match phase {
        Phase::Cold | Phase::First => {
            driver.streaming().checkpoint(&folder);
            driver
        }
        Phase::Again => driver.get_or_create(&folder)?,
    };
    let from = driver.streaming().recovered_from();
    if phase == Phase::Again && from.is_none() {
        let none = format!("no checkpoint in {}: run --phase first before", folder.display());
        return Err(millstream::core::Error::user(none).into());
    }
    let steps = driver.start()?;
    // It stands at 0, so that no batch was missed.
    steps.clock.set_time(from.unwrap_or_default());
    Ok(Started { steps, results, completed })
}

/// Counts keys in a state that has all of them from the start.
fn describe(plan: &Plan, streaming: &StreamingContext, to: Sender<(Time, String)>) {
    let Plan { cores, state_keys, .. } = *plan;
    let all = streaming.context().range(0, state_keys as i64, 1, cores);
    let all = all.map(|n| (Text::from(key(n as usize)), 0u64));
    let count = StateSpec::function(|_: &Text, one: Option<u64>, state: &mut State<'_, u64>| {
        let count = state.get_option().copied().unwrap_or(0) + one.unwrap_or(0);
        state.update(count);
        count
    });
    let spec = count.num_partitions(cores).initial_state(all);
    let plan = *plan;
    let ones = streaming.generator_stream(cores, move |time, part| {
        let all = positions(&plan, number(time));
        let at = |part| all.start + (all.end - all.start) * part / cores;
        (at(part)..at(part + 1)).map(move |at| (Text::from(key(at % state_keys)), 1u64))
    });
    ones.map_with_state(spec).foreach_rdd_with(move |rdd, time| {
        let result = results::touched_and_sum(rdd.collect()?.into_iter());
        to.send((time, result)).map_err(millstream::core::Error::user)
    });
}

/// Returns the number of a batch, from 0 on.
fn number(time: Time) -> usize {
    usize::try_from(time.as_millis() / 1000 - 1).unwrap_or_default()
}

/// Returns the places of a batch's records among those of all batches; the keys go round and round.
fn positions(plan: &Plan, i: usize) -> Range<usize> {
    i * plan.per_batch..(i + 1) * plan.per_batch
}

/// Returns what comes of a batch if nothing was lost or counted twice.
fn expected(positions: Range<usize>, keys: usize) -> String {
    results::touched_and_sum(positions.map(|at| (at / keys) as u64 + 1))
}

impl Started {
    /// Waits for the next batch that is completed, an unfinished one of an earlier run or the one that is due now.
    fn batch(&self, plan: &Plan) -> Result<(usize, BatchResult), String> {
        self.steps.clock.advance(SECOND);
        let info = self.completed.recv_timeout(PATIENCE);
        let info = info.map_err(|_| "no batch was completed: see what the log says".to_owned())?;
        let of_batch = |(time, _): &(Time, String)| *time == info.batch_time;
        let result = self.results.try_iter().find(of_batch).map(|(_, result)| result).unwrap_or_default();
        let ms = info.processing_time.unwrap_or_default().as_secs_f64() * 1000.0;
        Ok((number(info.batch_time), BatchResult { records: plan.per_batch, ms, result }))
    }
}

struct Completed(Sender<BatchInfo>);

impl StreamingListener for Completed {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        // Sent in vain only when the program is being stopped.
        let _ = self.0.send(batch.clone());
    }
}
