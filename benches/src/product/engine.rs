//! A streaming context on a clock that is moved by hand, and its one input stream.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millstream::core::{Chunk, Data};
use millstream::listener::{BatchInfo, StreamingListener};
use millstream::prelude::*;
use millstream::testing::{Driver, Steps};

use crate::batches::ranges;
use crate::workload::{BatchResult, Plan, Workload};

/// Where a program leaves the result of each batch.
pub(super) type Results = Arc<Mutex<String>>;

/// A workload's program, started.
struct Program<T: Data> {
    steps: Steps,
    /// The queue of each input stream, and the records that go through it.
    inputs: Vec<(RddQueue<T>, Arc<Vec<T>>)>,
    plan: Plan,
    results: Results,
    /// How long each batch took, as the engine says.
    times: Receiver<Duration>,
}

/// Starts the program that `describe` puts on the input stream; it is to leave its result of each batch.
pub(super) fn start<T: Data>(
    plan: &Plan,
    records: &Arc<Vec<T>>,
    describe: impl FnOnce(&DStream<T>, Results),
) -> Result<Box<dyn Workload>> {
    start_all(plan, [records], |[stream], results| describe(&stream, results))
}

/// Starts a program with an input stream for each list of records.
pub(super) fn start_all<T: Data, const N: usize>(
    plan: &Plan,
    inputs: [&Arc<Vec<T>>; N],
    describe: impl FnOnce([DStream<T>; N], Results),
) -> Result<Box<dyn Workload>> {
    let driver = Driver::new(conf(plan), Duration::from_millis(1))?;
    let inputs = inputs.map(|records| (RddQueue::new(), Arc::clone(records)));
    let results = Results::default();
    describe(
        inputs.each_ref().map(|(queue, _)| driver.streaming().queue_stream(queue)),
        Arc::clone(&results),
    );
    let (sender, times) = mpsc::channel();
    driver.streaming().add_streaming_listener(Arc::new(Times(sender)))?;
    let inputs = inputs.into();
    Ok(Box::new(Program { steps: driver.start()?, inputs, plan: *plan, results, times }))
}

/// Starts a program on records that its tasks make, since what lies in a queue can not be recovered; checkpoints go to
/// `folder`. A batch is a second of the clock that is moved by hand, so that states are saved every tenth batch.
pub(super) fn start_with_checkpoints(
    plan: &Plan,
    records: &Arc<Vec<String>>,
    folder: &Path,
    describe: impl FnOnce(DStream<String>, Results),
) -> Result<Box<dyn Workload>> {
    let second = Duration::from_secs(1);
    let driver = Driver::new(conf(plan), second)?;
    driver.streaming().checkpoint(folder);
    let (lines, Plan { cores, per_batch, .. }) = (Arc::clone(records), *plan);
    let lines = driver.streaming().generator_stream(cores, move |time, part| {
        let batch = usize::try_from(time.as_millis() / 1000 - 1).unwrap_or_default();
        let parts = ranges(lines.len(), per_batch, batch, part, cores);
        let lines = Arc::clone(&lines);
        parts.into_iter().flatten().map(move |at| lines[at].clone())
    });
    let results = Results::default();
    describe(lines, Arc::clone(&results));
    let (sender, times) = mpsc::channel();
    driver.streaming().add_streaming_listener(Arc::new(Times(sender)))?;
    let inputs: Vec<(RddQueue<String>, _)> = Vec::new();
    Ok(Box::new(Program { steps: driver.start()?, inputs, plan: *plan, results, times }))
}

fn conf(plan: &Plan) -> Conf {
    Conf::empty().set_master(format!("local[{}]", plan.cores))
}

/// Leaves a result.
pub(super) fn leave(results: &Results, result: String) {
    *results.lock().unwrap_or_else(PoisonError::into_inner) = result;
}

struct Times(Sender<Duration>);

impl StreamingListener for Times {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        // Sent in vain only when the program is being stopped.
        let _ = self.0.send(batch.processing_time.unwrap_or_default());
    }
}

impl<T: Data> Workload for Program<T> {
    fn batch(&mut self, i: usize) -> Result<BatchResult, String> {
        let Plan { cores, per_batch, .. } = self.plan;
        for (queue, records) in &self.inputs {
            let partition = |part| {
                let parts = ranges(records.len(), per_batch, i, part, cores).into_iter();
                parts.map(|at| Chunk::shared(Arc::clone(records), at)).collect()
            };
            queue.push(self.steps.running.context().from_chunks((0..cores).map(partition)));
        }
        self.steps.step().map_err(|error| error.to_string())?;
        let time = self.times.recv().map_err(|_| "the engine told no processing time".to_owned())?;
        let result = std::mem::take(&mut *self.results.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(BatchResult { records: per_batch, ms: time.as_secs_f64() * 1000.0, result })
    }
}
