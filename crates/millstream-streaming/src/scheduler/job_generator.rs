//! Cuts the batches: at each batch time, makes jobs of what the outputs describe.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millstream_core::failpoint;
use millstream_core::fs::FsPath;
use millstream_core::{BatchId, SavedVariable, TaskContext, with_batch};

use super::job_scheduler::{Job, inherited};
use super::{CatchUp, JobScheduler, Termination, mark_engine_thread, waited_for};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::recovery::{Checkpointer, Restart, variables};
use crate::recurring_timer::RecurringTimer;
use crate::time::Time;

/// All that can wake the generator.
#[derive(Debug)]
enum Event {
    GenerateJobs(Time),
    /// The batch was completed, and states that were saved before it are made again.
    Replay(Time),
    /// The batch was due while the program was away, and so were those after it; the clock goes on with the one after the last of these.
    GenerateMissed(Time, Last),
    /// The batch and all before it were completed.
    ClearMetadata(Time, Vec<SavedVariable>),
    /// A savepoint is asked for.
    Savepoint(FsPath, Sender<Result<Time>>),
    Stop,
}

/// The last batch that was due while the program was away.
type Last = Time;

/// The thread that cuts the batches, and its timer.
pub(crate) struct JobGenerator {
    events: Sender<Event>,
    timer: OnceLock<RecurringTimer>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Nothing is ever sent: it is closed when the thread ends.
    ended: Mutex<Receiver<Infallible>>,
    /// Whether the thread is in code of the user's.
    describing: Arc<AtomicBool>,
}

/// Returns the event whose turn it is; nothing when there are no more.
///
/// What was completed is written down before a further batch is generated: a program that is to catch up with many batches, and dies
/// again meanwhile, must have got on. An event that `waits` has its turn once something else has happened.
fn next(
    events: &Receiver<Event>,
    later: &mut VecDeque<Event>,
    waits: impl Fn(&Event) -> bool,
) -> Option<Event> {
    loop {
        let must_wait = later.front().is_none_or(&waits);
        if !must_wait && later.len() >= LOOK_AHEAD {
            break;
        }
        let came = if must_wait { events.recv().ok() } else { events.try_recv().ok() };
        match came {
            Some(event @ (Event::ClearMetadata(..) | Event::Savepoint(..))) => return Some(event),
            Some(event) => later.push_back(event),
            None => break,
        }
    }
    later.pop_front()
}

/// As many events are looked through, since a clock that is far ahead sends without a pause.
const LOOK_AHEAD: usize = 64;

/// What the thread works with.
struct Work {
    graph: Arc<Graph>,
    scheduler: Arc<JobScheduler>,
    termination: Arc<Termination>,
    /// Set when a batch could not be generated: no later one may be.
    failed: bool,
    checkpointer: Option<Checkpointer>,
    /// The last batch that was generated, by this run or before it.
    last: Option<Time>,
    /// How many batches were submitted and not completed.
    submitted: usize,
    catch_up: CatchUp,
    describing: Arc<AtomicBool>,
}

impl JobGenerator {
    /// Starts the thread and the scheduler of what it generates; batches are cut once the timer is started.
    pub(crate) fn start(
        graph: &Arc<Graph>,
        termination: &Arc<Termination>,
        concurrent_jobs: usize,
        checkpointer: Option<Checkpointer>,
    ) -> Result<(Self, Arc<JobScheduler>)> {
        let (events, received) = mpsc::channel();
        let to_me = events.clone();
        let of_batch = checkpointer.is_some().then(|| graph.context.clone());
        let scheduler = JobScheduler::start(
            &graph.context,
            Arc::clone(&graph.clock),
            Arc::clone(&graph.listeners),
            Arc::clone(termination),
            Arc::clone(&graph.batches_first),
            concurrent_jobs,
            // After the stop there is no one left who would need the metadata to be cleared.
            Box::new(move |batch| {
                // Here and now: the next batch, which may add to them, has not begun.
                let variables = of_batch.as_ref().map(variables::of).unwrap_or_default();
                drop(to_me.send(Event::ClearMetadata(batch, variables)));
            }),
        )?;
        let last = graph.recovery.recovered().map(|recovered| recovered.manifest.time);
        let describing = Arc::new(AtomicBool::new(false));
        let mut work = Work {
            graph: Arc::clone(graph),
            scheduler: Arc::clone(&scheduler),
            termination: Arc::clone(termination),
            failed: false,
            checkpointer,
            last,
            submitted: 0,
            catch_up: CatchUp::new(graph, last)?,
            describing: Arc::clone(&describing),
        };
        let (keep_open, ended) = mpsc::channel();
        let name = "streaming-job-generator";
        let (context, properties) = (graph.context.clone(), inherited(&graph.context));
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                let _keep_open: Sender<Infallible> = keep_open;
                context.with_local_properties(properties, || work.run(&received));
            })
            .map_err(|error| Error::thread(name, error))?;
        let (thread, ended) = (Mutex::new(Some(thread)), Mutex::new(ended));
        Ok((JobGenerator { events, timer: OnceLock::new(), thread, ended, describing }, scheduler))
    }

    /// Runs the batches of a restart, before those of the timer.
    pub(crate) fn restart(&self, restart: &Restart) {
        let replayed = restart.replayed.iter().copied().map(Event::Replay);
        let pending = restart.pending.iter().copied().map(Event::GenerateJobs);
        let missed = restart.missed.map(|(first, last)| Event::GenerateMissed(first, last));
        // Sent in vain only after the stop.
        replayed.chain(pending).chain(missed).for_each(|event| drop(self.events.send(event)));
    }

    /// Has a savepoint written between two batches.
    pub(crate) fn savepoint(&self, directory: FsPath) -> Result<Time> {
        if self.waits_for_caller() {
            return Err(millstream_core::Error::Argument {
                operator: "savepoint".into(),
                problem: "it is written between batches, and was asked for while one is described".into(),
                remedy: "ask in an output or on another thread, not in a transformation".into(),
            }
            .into());
        }
        let (to_me, written) = mpsc::channel();
        let stopped = || Error::from(millstream_core::Error::Stopped);
        self.events.send(Event::Savepoint(directory, to_me)).map_err(|_| stopped())?;
        written.recv().map_err(|_| stopped())?
    }

    /// Returns whether the thread waits for this one: it is the same, or runs a task of a job that describes a batch.
    fn waits_for_caller(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let is_own =
            thread.as_ref().is_some_and(|thread| thread.thread().id() == std::thread::current().id());
        let batch = TaskContext::get().and_then(|task| task.batch());
        is_own || batch.is_some_and(|batch| batch.output.is_none())
    }

    /// Starts to cut batches, the first at `first`.
    pub(crate) fn start_timer(&self, graph: &Graph, first: Time) -> Result<()> {
        let events = self.events.clone();
        let clock = Arc::clone(&graph.clock);
        let timer = RecurringTimer::start(
            "streaming-batch-timer",
            clock,
            first,
            graph.batch_interval,
            move |time| {
                // Sent in vain only after the stop.
                let _ = events.send(Event::GenerateJobs(time));
            },
        )?;
        let _ = self.timer.set(timer);
        Ok(())
    }

    /// Stops the timer, at once or after the batch that is due next; returns the time of the last batch.
    pub(crate) fn stop_timer(&self, at_once: bool) -> Option<Time> {
        self.timer.get().and_then(|timer| timer.stop(at_once))
    }

    /// Ends the thread after what has been asked of it; returns whether that has happened in time, if code of the user's is at work,
    /// and else in `patience`.
    pub(crate) fn stop(&self, timeout: impl Fn() -> Duration, patience: Duration) -> bool {
        // Sent in vain if the thread has ended already.
        let _ = self.events.send(Event::Stop);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let ends_in = |time| !matches!(ended.recv_timeout(time), Err(RecvTimeoutError::Timeout));
        let start = Instant::now();
        let has_ended = waited_for(|| timeout().saturating_sub(start.elapsed()), ends_in);
        // The closure of a `transform` may take as long as it likes. What writes a checkpoint is waited for: whoever goes on from it would
        // find the directory in use.
        if !has_ended && (self.describing.load(Ordering::Acquire) || !ends_in(patience)) {
            return false;
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // Panics of users' closures are caught; one of the generator itself was printed when it happened.
            let _ = thread.join();
        }
        true
    }
}

impl Work {
    fn run(&mut self, events: &Receiver<Event>) {
        mark_engine_thread();
        let mut later = VecDeque::new();
        while let Some(event) = next(events, &mut later, |event| self.waits(event)) {
            if matches!(event, Event::Stop) {
                return self.stopped();
            }
            // A record's own `drop` may panic where batches are forgotten: whoever waits must hear of it.
            match catch_unwind(AssertUnwindSafe(|| self.handle(event))) {
                // Before all that came meanwhile.
                Ok(Some(next)) => later.push_front(next),
                Ok(None) => {}
                Err(panic) => {
                    self.failed = true;
                    self.termination.fail(Error::panicked(&*panic));
                }
            }
        }
    }

    /// Does what an event asks for; returns what follows it, if that is not sent.
    fn handle(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::GenerateJobs(time) => self.generate_jobs(time),
            Event::Replay(time) => {
                let id = BatchId { time_ms: time.as_millis().unsigned_abs(), output: None };
                if let Err(cause) =
                    described(&Arc::clone(&self.describing), || with_batch(id, || self.replay(time)))
                {
                    self.fail(time, cause);
                }
            }
            Event::GenerateMissed(time, last) => {
                let next = self.generate_missed(time, last).filter(|next| *next <= last);
                return next.map(|next| Event::GenerateMissed(next, last));
            }
            Event::ClearMetadata(batch, variables) => {
                self.submitted = self.submitted.saturating_sub(1);
                failpoint::reach("batch-after-jobs");
                let written =
                    self.checkpointer.as_mut().map(|it| it.completed(&self.graph, batch, variables));
                if let Some(Err(cause)) = written {
                    self.fail(batch, cause);
                }
                let inputs_from =
                    self.checkpointer.as_ref().map_or(batch, |it| it.oldest_needed(&self.graph));
                self.graph.clear_metadata(batch, inputs_from);
                if let Some(checkpointer) = &mut self.checkpointer {
                    checkpointer.answer_request(&self.graph);
                }
                self.termination.completed(batch);
            }
            Event::Savepoint(directory, asked_by) => {
                // Sent in vain if whoever asked is gone.
                let _ = asked_by.send(self.savepoint(&directory));
            }
            Event::Stop => {}
        }
        None
    }

    fn generate_jobs(&mut self, time: Time) {
        // What was received meanwhile stays where it is, and holds the receivers back.
        if self.failed || self.scheduler.is_halted() {
            return;
        }
        let may_write = self.checkpointer.as_ref().map_or(Ok(()), Checkpointer::check);
        if let Err(cause) = may_write.and_then(|()| self.graph.receivers.allocate_blocks_to_batch(time)) {
            return self.fail(time, cause);
        }
        self.graph.begin_batch(time);
        let id = BatchId { time_ms: time.as_millis().unsigned_abs(), output: None };
        let jobs = described(&self.describing, || with_batch(id, || self.jobs(time)));
        let jobs = jobs.and_then(|jobs| {
            let written = self.checkpointer.as_mut().map(|it| it.generated(&self.graph, time));
            written.unwrap_or(Ok(())).map(|()| jobs)
        });
        match jobs {
            Ok(jobs) => {
                failpoint::reach("batch-before-submit");
                self.last = self.last.max(Some(time));
                self.submitted += 1;
                self.scheduler.submit(time, self.graph.take_inputs(time), jobs);
            }
            Err(cause) => self.fail(time, cause),
        }
    }

    fn stopped(&mut self) {
        let Some(checkpointer) = self.checkpointer.as_mut().filter(|_| !self.failed) else { return };
        // What was written before is as good, and only takes longer to go on from.
        if let Err(error) = checkpointer.stopped(&self.graph) {
            tracing::warn!("the last checkpoint could not be written: {error}");
        }
    }

    /// Makes the states after a batch again, of those before it and of its inputs.
    fn replay(&mut self, time: Time) -> Result<()> {
        if self.failed || self.scheduler.is_halted() {
            return Ok(());
        }
        self.graph.begin_batch(time);
        for operator in self.graph.stateful() {
            let is_older = operator.goes_on_after().is_some_and(|after| after < time);
            if let Some(stream) = self.graph.stream(&operator.id()).filter(|_| is_older) {
                stream.any_rdd(time)?;
            }
        }
        self.graph.settle(time)?;
        if let Some(checkpointer) = &mut self.checkpointer {
            checkpointer.replayed(&self.graph, time)?;
        }
        let inputs_from = self.checkpointer.as_ref().map_or(time, |it| it.oldest_needed(&self.graph));
        self.graph.clear_metadata(time, inputs_from);
        Ok(())
    }

    fn savepoint(&self, directory: &FsPath) -> Result<Time> {
        let Some(checkpointer) = &self.checkpointer else {
            return Err(millstream_core::Error::Argument {
                operator: "savepoint".into(),
                problem: "the streams have no checkpoint directory".into(),
                remedy: "call `checkpoint` before the start".into(),
            }
            .into());
        };
        checkpointer.savepoint(&self.graph, directory)
    }

    fn fail(&mut self, batch: Time, cause: Error) {
        self.failed = true;
        self.termination.fail(Error::Generate { batch, cause: Box::new(cause) });
    }

    /// Returns whether the turn of an event comes later: when keys time out is known once the batches before were completed.
    fn waits(&self, event: &Event) -> bool {
        matches!(event, Event::GenerateMissed(..))
            && self.submitted > 0
            && self.catch_up.looks_at_states()
            && !self.failed
            && !self.scheduler.is_halted()
    }

    /// Generates a batch that was missed, or passes over it and others; returns the one after it.
    fn generate_missed(&mut self, time: Time, last: Time) -> Option<Time> {
        if self.failed || self.scheduler.is_halted() {
            return None;
        }
        let interval = self.graph.batch_interval;
        let to = self.catch_up.passes_over(&self.graph, time, last);
        match to {
            Some(to) => {
                self.graph.recovery.passed_over().add(self.last.unwrap_or(time - interval), to);
            }
            None => self.generate_jobs(time),
        }
        Some(to.unwrap_or(time) + interval)
    }

    fn jobs(&self, time: Time) -> Result<Vec<Job>> {
        let mut jobs = Vec::new();
        for output in self.graph.outputs() {
            if let Some(run) = (output.generate)(time)? {
                let operator = Arc::clone(&output.operator);
                jobs.push(Job { output: output.number, operator, run, then: None });
            }
        }
        if let Some(last) = jobs.last_mut() {
            let graph = Arc::clone(&self.graph);
            last.then = Some(Box::new(move || graph.settle(time)));
        }
        Ok(jobs)
    }
}

/// Runs what calls the user's code; its panic is an error.
fn described<R>(describing: &AtomicBool, describe: impl FnOnce() -> Result<R>) -> Result<R> {
    describing.store(true, Ordering::Release);
    let described = catch_unwind(AssertUnwindSafe(describe));
    describing.store(false, Ordering::Release);
    described.unwrap_or_else(|panic| Err(Error::panicked(&*panic)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_completed_comes_before_what_is_to_be_generated() {
        let at = Time::from_millis;
        let (send, events) = mpsc::channel();
        send.send(Event::Replay(at(1))).unwrap();
        send.send(Event::GenerateJobs(at(2))).unwrap();
        send.send(Event::GenerateMissed(at(3), at(3))).unwrap();
        let mut later = VecDeque::new();
        let mut next = || format!("{:?}", super::next(&events, &mut later, |_| false));
        assert_eq!(next(), "Some(Replay(Time(1)))");
        assert_eq!(next(), "Some(GenerateJobs(Time(2)))");
        send.send(Event::GenerateJobs(at(4))).unwrap();
        send.send(Event::Stop).unwrap();
        send.send(Event::ClearMetadata(at(2), Vec::new())).unwrap();
        assert_eq!(next(), "Some(ClearMetadata(Time(2), []))");
        assert_eq!(next(), "Some(GenerateMissed(Time(3), Time(3)))");
        assert_eq!(next(), "Some(GenerateJobs(Time(4)))");
        assert_eq!(next(), "Some(Stop)");
        drop(send);
        assert_eq!(next(), "None");
    }

    #[test]
    fn what_waits_has_its_turn_once_a_batch_was_completed() {
        let at = Time::from_millis;
        let (send, events) = mpsc::channel();
        send.send(Event::GenerateMissed(at(2), at(2))).unwrap();
        for time in 3..100 {
            send.send(Event::GenerateJobs(at(time))).unwrap();
        }
        send.send(Event::ClearMetadata(at(1), Vec::new())).unwrap();
        let mut later = VecDeque::new();
        let is_missed = |event: &Event| matches!(event, Event::GenerateMissed(..));
        assert!(matches!(next(&events, &mut later, is_missed), Some(Event::ClearMetadata(..))));
        assert!(matches!(next(&events, &mut later, |_| false), Some(Event::GenerateMissed(..))));
        assert!(
            matches!(next(&events, &mut later, is_missed), Some(Event::GenerateJobs(time)) if time == at(3))
        );
    }
}
