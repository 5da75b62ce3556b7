//! Runs the output operations of the batches, in order.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millstream_core::operator::Operator;
use millstream_core::scheduler::job_thread;
use millstream_core::{BatchId, Context, LocalProperties, with_batch};

use super::{BatchesFirst, Termination, mark_engine_thread};
use crate::clock::{Clock, StopSignal, Waited};
use crate::error::{Error, Result};
use crate::graph::Inputs;
use crate::listener::{BatchInfo, ListenerBus, OutputOperationInfo, StreamingListenerEvent as Event};
use crate::output::{FailedOutput, Run};
use crate::time::Time;

/// One output operation of one batch.
pub(crate) struct Job {
    pub(crate) output: usize,
    pub(crate) operator: Arc<Operator>,
    pub(crate) run: Run,
    /// What is done once the batch has left by this output, be it done or put aside.
    pub(crate) then: Option<Box<dyn FnOnce() -> Result<()> + Send>>,
}

/// How an output operation of a batch ended.
struct Ended {
    attempts: u32,
    failure: Option<Error>,
    /// The batch was put aside, and the next one goes on.
    put_aside: bool,
}

/// Runs jobs on threads of its own, as many at a time as `spark.streaming.concurrentJobs` says.
pub(crate) struct JobScheduler {
    context: Context,
    /// Of the thread that started the streams.
    properties: LocalProperties,
    clock: Arc<dyn Clock>,
    listeners: Arc<ListenerBus>,
    termination: Arc<Termination>,
    batches_first: Arc<BatchesFirst>,
    /// Called with each batch once it and all before it were completed, in order.
    on_completed: Box<dyn Fn(Time) + Send + Sync>,
    /// Held by who calls it.
    completing: Mutex<()>,
    state: Mutex<State>,
    changed: Condvar,
    /// Raised when no more jobs may start, for those that wait to be tried again.
    halting: StopSignal,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(Time, Job)>,
    /// The batches that were not completed, and those that were while an earlier one was not.
    batches: BTreeMap<Time, Batch>,
    running: usize,
    /// No more jobs will come.
    closed: bool,
    /// No more jobs may start: an output has failed, or the streams were stopped at once.
    halted: bool,
}

struct Batch {
    info: BatchInfo,
    /// What its sources said; some of them know their records when they were read.
    inputs: Inputs,
    /// When its first job started, exactly.
    started: Option<Instant>,
    remaining: usize,
    /// An output of it has failed: it is never completed.
    failed: bool,
}

impl JobScheduler {
    pub(crate) fn start(
        context: &Context,
        clock: Arc<dyn Clock>,
        listeners: Arc<ListenerBus>,
        termination: Arc<Termination>,
        batches_first: Arc<BatchesFirst>,
        concurrent_jobs: usize,
        on_completed: Box<dyn Fn(Time) + Send + Sync>,
    ) -> Result<Arc<Self>> {
        let scheduler = Arc::new(JobScheduler {
            context: context.clone(),
            properties: inherited(context),
            clock,
            listeners,
            termination,
            batches_first,
            on_completed,
            completing: Mutex::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
            halting: StopSignal::new(),
            threads: Mutex::default(),
        });
        for n in 0..concurrent_jobs.max(1) {
            let name = format!("streaming-job-executor-{n}");
            let worker = Arc::clone(&scheduler);
            let thread = job_thread::spawn(name.clone(), move || worker.work())
                .map_err(|error| Error::thread(name, error))?;
            scheduler.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(scheduler)
    }

    /// Queues the jobs of a batch behind those of the batches before it.
    pub(crate) fn submit(&self, time: Time, inputs: Inputs, jobs: Vec<Job>) {
        let mut info = BatchInfo {
            batch_time: time,
            stream_id_to_input_info: inputs.infos(),
            submission_time: self.clock.now(),
            ..BatchInfo::default()
        };
        if self.listeners.has_listeners() {
            let operations =
                jobs.iter().map(|job| (job.output, operation_info(time, job.output, &job.operator)));
            info.output_operation_infos = operations.collect();
        }
        if !jobs.is_empty() {
            self.listeners.post(|| Event::BatchSubmitted(info.clone()));
        }
        let mut state = self.state();
        if state.halted {
            return;
        }
        state
            .batches
            .insert(time, Batch { info, inputs, started: None, remaining: jobs.len(), failed: false });
        state.queue.extend(jobs.into_iter().map(|job| (time, job)));
        drop(state);
        self.changed.notify_all();
        self.complete();
    }

    /// Runs no more jobs from now on, not even those that are queued.
    pub(crate) fn halt(&self) {
        let mut state = self.state();
        state.halted = true;
        let queued = std::mem::take(&mut state.queue);
        drop(state);
        drop(queued);
        self.halting.stop();
        self.changed.notify_all();
    }

    /// Returns whether no more jobs may start.
    pub(crate) fn is_halted(&self) -> bool {
        self.state().halted
    }

    /// Ends the threads once all queued jobs have run; returns whether that has happened in time, which may become shorter by a
    /// [`halt`](Self::halt).
    pub(crate) fn stop(&self, timeout: impl Fn() -> Duration) -> bool {
        let start = Instant::now();
        let mut state = self.state();
        state.closed = true;
        self.changed.notify_all();
        while state.running > 0 || !(state.queue.is_empty() || state.halted) {
            let left = timeout().saturating_sub(start.elapsed());
            if left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // Panics of jobs are caught; one of the scheduler itself was printed when it happened.
            let _ = thread.join();
        }
        true
    }

    fn work(&self) {
        mark_engine_thread();
        while let Some((time, job)) = self.next() {
            // What an output holds is dropped by code of its own, for one: whoever waits must hear of a panic.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.run(time, job))) {
                self.halt();
                self.termination.fail(Error::panicked(&*panic));
            }
            self.state().running -= 1;
            self.changed.notify_all();
        }
    }

    fn next(&self) -> Option<(Time, Job)> {
        let mut state = self.state();
        loop {
            if state.halted {
                return None;
            }
            if let Some(next) = state.queue.pop_front() {
                state.running += 1;
                return Some(next);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn run(&self, time: Time, job: Job) {
        let _running = self.batches_first.runs();
        let Job { output, operator, run, then } = job;
        self.job_started(time, output, &operator);
        let mut attempts = 1;
        let failure = loop {
            let Err(cause) = self.within(time, output, || (run.once)()) else { break None };
            let (times, delay) = run.retry;
            if attempts > times {
                break Some(cause);
            }
            self.job_retried(time, output, &operator, attempts, &cause);
            if self.clock.wait_till(self.clock.now() + delay, &self.halting) == Waited::Stopped {
                break Some(cause);
            }
            attempts += 1;
        };
        let put_aside = match (&failure, &run.put_aside) {
            (Some(cause), Some(put_aside)) if !self.is_halted() => {
                let (operator, cause) = ((*operator).clone(), cause.clone());
                let failed = FailedOutput { output, operator, batch: time, attempts, cause };
                Some(self.within(time, output, || put_aside(&failed)))
            }
            _ => None,
        };
        drop(run);
        let stays = failure.is_none() || matches!(put_aside, Some(Ok(())));
        let then = then.filter(|_| stays).map_or(Ok(()), |then| self.within(time, output, then));
        let fatal = match put_aside {
            Some(Err(problem)) => failure
                .clone()
                .map(|cause| Error::DeadLetter { cause: Box::new(cause), problem: Box::new(problem) }),
            Some(Ok(())) => None,
            None => failure.clone(),
        };
        let fatal = fatal.or(then.err());
        let put_aside = fatal.is_none() && failure.is_some();
        let failure = fatal.or(failure).map(|cause| Error::Output {
            output,
            operator: operator.to_string(),
            batch: time,
            attempts,
            cause: Box::new(cause),
        });
        if failure.is_some() && !put_aside {
            // Its batch is the first that was not completed: none after it may be.
            self.halt();
        }
        self.job_ended(time, output, &operator, Ended { attempts, failure, put_aside });
    }

    /// Runs what belongs to an output of a batch; a panic is an error like any other.
    fn within(&self, time: Time, output: usize, f: impl FnOnce() -> Result<()>) -> Result<()> {
        let id = BatchId { time_ms: time.as_millis().unsigned_abs(), output: Some(output) };
        // What an output sets is for its own jobs.
        let run = || {
            self.context.with_local_properties(self.properties.clone(), || {
                let description =
                    format!("Streaming job from [output operation {output}, batch time {time}]");
                self.context.set_job_description(description.as_str());
                with_batch(id, f)
            })
        };
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(Error::panicked(&*panic)))
    }

    fn job_started(&self, time: Time, output: usize, operator: &Operator) {
        let now = self.clock.now();
        let mut state = self.state();
        let Some(batch) = state.batches.get_mut(&time) else { return };
        let first = batch.started.is_none();
        if first {
            batch.started = Some(Instant::now());
            batch.info.processing_start_time = Some(now);
        }
        if let Some(operation) = batch.info.output_operation_infos.get_mut(&output) {
            operation.start_time = Some(now);
        }
        // Posted under the lock, so that the events of a batch come in their order.
        self.listeners.post_all(|events| {
            if first {
                events.push(Event::BatchStarted(batch.info.clone()));
            }
            let mut info = operation_info(time, output, operator);
            info.start_time = Some(now);
            events.push(Event::OutputOperationStarted(info));
        });
    }

    fn job_retried(&self, time: Time, output: usize, operator: &Operator, attempts: u32, cause: &Error) {
        let state = self.state();
        let Some(batch) = state.batches.get(&time) else { return };
        let operation = batch.info.output_operation_infos.get(&output);
        self.listeners.post(|| {
            let mut info = operation.cloned().unwrap_or_else(|| operation_info(time, output, operator));
            info.attempts = attempts;
            info.failure_reason = Some(cause.to_string());
            Event::OutputOperationRetried(info)
        });
    }

    fn job_ended(&self, time: Time, output: usize, operator: &Operator, ended: Ended) {
        let Ended { attempts, failure, put_aside } = ended;
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(batch) = state.batches.get_mut(&time) {
            let ended_before = batch.failed;
            batch.remaining -= 1;
            batch.failed |= failure.is_some() && !put_aside;
            let ends = !ended_before && (batch.remaining == 0 || batch.failed);
            if ends {
                batch.info.processing_end_time = Some(now);
                batch.info.processing_time = batch.started.map(|started| started.elapsed());
                batch.info.stream_id_to_input_info = batch.inputs.infos();
            }
            self.listeners.post_all(|events| {
                let info = batch.info.output_operation_infos.entry(output);
                let info = info.or_insert_with(|| operation_info(time, output, operator));
                info.end_time = Some(now);
                info.attempts = attempts;
                info.failure_reason = failure.as_ref().map(ToString::to_string);
                info.put_aside = put_aside;
                events.push(Event::OutputOperationCompleted(info.clone()));
                if ends {
                    events.push(Event::BatchCompleted(batch.info.clone()));
                }
            });
        }
        drop(state);
        match failure {
            Some(failure) if put_aside => tracing::error!("{failure}; its records were put aside"),
            Some(failure) => self.termination.fail(failure),
            None => {}
        }
        self.complete();
    }

    /// Tells of the batches that were completed meanwhile.
    fn complete(&self) {
        // Whoever comes second has later batches, and waits until the first has told of its own.
        let _in_order = self.completing.lock().unwrap_or_else(PoisonError::into_inner);
        let completed = self.state().take_completed();
        completed.into_iter().for_each(|batch| (self.on_completed)(batch));
    }

    /// Users' code never runs under this lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes out the batches that were completed together with all before them.
    fn take_completed(&mut self) -> Vec<Time> {
        let mut completed = Vec::new();
        while let Some(first) = self.batches.first_entry()
            && first.get().remaining == 0
            && !first.get().failed
        {
            completed.push(*first.key());
            first.remove();
        }
        completed
    }
}

/// Returns the local properties of this thread, as the jobs of streams get them: without a job group, as in Spark.
pub(crate) fn inherited(context: &Context) -> LocalProperties {
    context.with_local_properties(context.local_properties(), || {
        context.clear_job_group();
        context.set_local_property("spark.job.interruptOnCancel", "false");
        context.local_properties()
    })
}

fn operation_info(batch: Time, output: usize, operator: &Operator) -> OutputOperationInfo {
    OutputOperationInfo {
        batch_time: batch,
        id: output,
        name: operator.to_string(),
        description: operator.id.as_deref().unwrap_or_default().to_owned(),
        ..OutputOperationInfo::default()
    }
}

#[cfg(test)]
mod tests;
