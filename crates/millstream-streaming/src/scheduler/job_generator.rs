//! Cuts the batches: at each batch time, makes jobs of what the outputs describe.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use millstream_core::{BatchId, with_batch};

use super::job_scheduler::{Job, inherited};
use super::{JobScheduler, Termination, mark_engine_thread};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::recurring_timer::RecurringTimer;
use crate::time::Time;

/// All that can wake the generator.
#[derive(Debug)]
enum Event {
    GenerateJobs(Time),
    /// The batch and all before it were completed.
    ClearMetadata(Time),
    Stop,
}

/// The thread that cuts the batches, and its timer.
pub(crate) struct JobGenerator {
    events: Sender<Event>,
    timer: OnceLock<RecurringTimer>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Nothing is ever sent: it is closed when the thread ends.
    ended: Mutex<Receiver<Infallible>>,
}

/// What the thread works with.
struct Work {
    graph: Arc<Graph>,
    scheduler: Arc<JobScheduler>,
    termination: Arc<Termination>,
    /// Set when a batch could not be generated: no later one may be.
    failed: bool,
}

impl JobGenerator {
    /// Starts the thread and the scheduler of what it generates; batches are cut once the timer is started.
    pub(crate) fn start(
        graph: &Arc<Graph>,
        termination: &Arc<Termination>,
        concurrent_jobs: usize,
    ) -> Result<(Self, Arc<JobScheduler>)> {
        let (events, received) = mpsc::channel();
        let to_me = events.clone();
        let scheduler = JobScheduler::start(
            &graph.context,
            Arc::clone(&graph.clock),
            Arc::clone(&graph.listeners),
            Arc::clone(termination),
            concurrent_jobs,
            // After the stop there is no one left who would need the metadata to be cleared.
            Box::new(move |batch| drop(to_me.send(Event::ClearMetadata(batch)))),
        )?;
        let mut work = Work {
            graph: Arc::clone(graph),
            scheduler: Arc::clone(&scheduler),
            termination: Arc::clone(termination),
            failed: false,
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
        Ok((JobGenerator { events, timer: OnceLock::new(), thread, ended }, scheduler))
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

    /// Ends the thread after what has been asked of it; returns whether that has happened in time.
    pub(crate) fn stop(&self, timeout: Duration) -> bool {
        // Sent in vain if the thread has ended already.
        let _ = self.events.send(Event::Stop);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // The closure of a `transform` may take as long as it likes.
        if matches!(ended.recv_timeout(timeout), Err(RecvTimeoutError::Timeout)) {
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
        for event in events {
            if matches!(event, Event::Stop) {
                return;
            }
            // A record's own `drop` may panic where batches are forgotten: whoever waits must hear of it.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.handle(event))) {
                self.failed = true;
                self.termination.fail(Error::panicked(&*panic));
            }
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::GenerateJobs(time) => self.generate_jobs(time),
            Event::ClearMetadata(batch) => {
                self.graph.clear_metadata(batch);
                self.termination.completed(batch);
            }
            Event::Stop => {}
        }
    }

    fn generate_jobs(&mut self, time: Time) {
        // What was received meanwhile stays where it is, and holds the receivers back.
        if self.failed || self.scheduler.is_halted() {
            return;
        }
        self.graph.receivers.allocate_blocks_to_batch(time);
        let id = BatchId { time_ms: time.as_millis().unsigned_abs(), output: None };
        let jobs = catch_unwind(AssertUnwindSafe(|| with_batch(id, || self.jobs(time))));
        match jobs.unwrap_or_else(|panic| Err(Error::panicked(&*panic))) {
            Ok(jobs) => self.scheduler.submit(time, self.graph.take_inputs(time), jobs),
            Err(cause) => {
                self.failed = true;
                self.termination.fail(Error::Generate { batch: time, cause: Box::new(cause) });
            }
        }
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
