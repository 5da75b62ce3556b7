//! Runs a receiver and restarts it.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use millstream_core::Data;

use super::backlog::Backlog;
use super::block::Block;
use super::block_generator::{BlockGenerator, BlockGeneratorConfig, GenerateBlocks};
use super::block_store::{BlockStore, Storage};
use super::rate_limiter::RateLimiter;
use super::receiver_handle::{ReceiverHandle, Run, with_causes};
use super::{Receiver, StreamId};
use crate::clock::{Clock, StopSignal, Waited};
use crate::error::{Error, Result};
use crate::rate::PidRateEstimator;
use crate::recovery::block_log::BlockLog;

#[cfg(test)]
mod tests;

/// How a receiver is run.
#[derive(Debug, Clone)]
pub(crate) struct ReceiverConfig {
    /// How its records are cut into blocks.
    pub(crate) blocks: BlockGeneratorConfig,
    /// `spark.streaming.receiver.maxRate`: records per second, no limit if `None` or 0.
    pub(crate) max_rate: Option<u64>,
    /// `spark.streaming.backpressure.initialRate`, if backpressure is on.
    pub(crate) initial_rate: Option<u64>,
    /// What adapts the rate, if backpressure is on.
    pub(crate) estimator: Option<PidRateEstimator>,
    /// `millstream.receiver.maxBacklog`: bytes received and not yet processed above which blocks go to disk, or the
    /// receiver is held back.
    pub(crate) max_backlog: usize,
    /// `spark.streaming.receiverRestartDelay`.
    pub(crate) restart_delay: Duration,
    /// Where its blocks may lie.
    pub(crate) storage: Storage,
    /// How long the receiver's own thread is waited for when it is stopped or restarted, in real time.
    pub(crate) stop_timeout: Duration,
}

/// Who is told what becomes of receivers, and given their blocks.
pub(crate) trait ReceiverEvents: Send + Sync {
    /// A receiver was started.
    fn receiver_started(&self, stream: StreamId);
    /// A receiver reported an error, or panicked.
    fn receiver_error(&self, stream: StreamId, message: &str, error: &str);
    /// A receiver was stopped; `error` is empty if it was not because of one.
    fn receiver_stopped(&self, stream: StreamId, message: &str, error: &str);
    /// A block was stored, or could not be; a stream's blocks come in order. An error of it is one of whoever stored the block.
    fn add_block(&self, stored: Result<Arc<dyn Block>>) -> Result<()>;
}

/// What a supervisor is asked for.
pub(super) enum Command {
    /// By the given start of the receiver; what an earlier one asks for is over.
    Restart {
        run: u64,
        message: String,
        error: String,
        delay: Option<Duration>,
    },
    Stop {
        message: String,
        error: String,
    },
}

/// Runs a receiver: starts it on a thread of its own, restarts it when it fails, stops it.
///
/// Its threads are no workers, so that a receiver takes no slot from the batches.
pub(crate) struct Supervisor {
    stream: StreamId,
    commands: Sender<Command>,
    stop_for_good: StopSignal,
    generator: Arc<dyn GenerateBlocks>,
    /// Nothing is ever sent: it is closed when the supervisor's thread ends.
    ended: Mutex<mpsc::Receiver<Infallible>>,
}

impl Supervisor {
    /// Starts a receiver and its supervision; what it stores is logged if there is a log.
    pub(crate) fn start<T: Data>(
        stream: StreamId,
        receiver: Arc<dyn Receiver<T>>,
        config: ReceiverConfig,
        clock: Arc<dyn Clock>,
        log: Option<Arc<BlockLog>>,
        events: Arc<dyn ReceiverEvents>,
    ) -> Result<Self> {
        let limiter = RateLimiter::new(Arc::clone(&clock), config.max_rate, config.initial_rate);
        let backlog = Backlog::new(config.max_backlog);
        let (sink, reports) = (Arc::clone(&events), Arc::clone(&events));
        let handler = Arc::new(BlockStore::new(stream, config.storage, log, move |message, error| {
            reports.receiver_error(stream, message, &with_causes(error));
        }));
        let generator = Arc::new(BlockGenerator::<T>::start(
            stream,
            config.blocks,
            limiter,
            backlog,
            Arc::clone(&clock),
            handler,
            Arc::new(move |stored| {
                sink.add_block(stored).inspect_err(|error| {
                    sink.receiver_error(stream, "A block could not be stored", &with_causes(error));
                })
            }),
        )?);
        let (commands, asked) = mpsc::channel();
        let (keep_open, ended) = mpsc::channel();
        let stop_for_good = StopSignal::new();
        let supervision = Supervision {
            stream,
            clock,
            events,
            commands: commands.clone(),
            asked,
            stop_for_good: stop_for_good.clone(),
            restart_delay: config.restart_delay,
            stop_timeout: config.stop_timeout,
            generator: Arc::clone(&generator) as Arc<dyn GenerateBlocks>,
            start: Box::new({
                let (receiver, generator) = (Arc::clone(&receiver), Arc::clone(&generator));
                move |run| {
                    spawn(Arc::clone(&receiver), ReceiverHandle { generator: Arc::clone(&generator), run })
                }
            }),
            on_stop: Box::new(move || receiver.on_stop()),
        };
        let name = format!("receiver-supervisor-{stream}");
        thread::Builder::new()
            .name(name.clone())
            .spawn(move || {
                let _keep_open: Sender<Infallible> = keep_open;
                supervision.run();
            })
            .map_err(|source| Error::thread(name, source))?;
        Ok(Supervisor { stream, commands, stop_for_good, generator, ended: Mutex::new(ended) })
    }

    /// Returns the stream of the receiver.
    pub(crate) fn stream(&self) -> StreamId {
        self.stream
    }

    /// Sets how many records a second the receiver may store from now on.
    pub(crate) fn update_rate(&self, rate: u64) {
        self.generator.limiter().update_rate(rate);
    }

    /// Returns what cuts the receiver's blocks.
    pub(crate) fn generator(&self) -> &dyn GenerateBlocks {
        &*self.generator
    }

    /// Asks the receiver to stop for good, without waiting for it.
    pub(crate) fn request_stop(&self) {
        // If no one listens any more, the receiver has stopped already.
        let _ = self
            .commands
            .send(Command::Stop { message: "Stopped by driver".to_owned(), error: String::new() });
        self.stop_for_good.stop();
    }

    /// Waits until the receiver has stopped and its last block is handed over; returns whether that came to pass in time.
    pub(crate) fn wait_stopped(&self, timeout: Duration) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        !matches!(ended.recv_timeout(timeout), Err(RecvTimeoutError::Timeout))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.request_stop();
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// Runs `on_start` on a thread of its own; what is returned is closed when that thread ends.
fn spawn<T: Data>(
    receiver: Arc<dyn Receiver<T>>,
    handle: ReceiverHandle<T>,
) -> std::io::Result<mpsc::Receiver<Infallible>> {
    let (keep_open, ended) = mpsc::channel();
    thread::Builder::new().name(format!("receiver-{}", handle.run.stream)).spawn(move || {
        let _keep_open: Sender<Infallible> = keep_open;
        let run = Arc::clone(&handle.run);
        if run.stop.is_stopped() {
            return;
        }
        run.on_start_thread.get_or_init(|| thread::current().id());
        match catch_unwind(AssertUnwindSafe(|| receiver.on_start(&handle))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => run.fail("Error receiving", &with_causes(&*error)),
            Err(panic) => run.fail("The receiver panicked", panic_message(&*panic)),
        }
    })?;
    Ok(ended)
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

type StartRun = dyn Fn(Arc<Run>) -> std::io::Result<mpsc::Receiver<Infallible>> + Send;

/// The supervisor's thread.
struct Supervision {
    stream: StreamId,
    clock: Arc<dyn Clock>,
    events: Arc<dyn ReceiverEvents>,
    commands: Sender<Command>,
    asked: mpsc::Receiver<Command>,
    stop_for_good: StopSignal,
    restart_delay: Duration,
    stop_timeout: Duration,
    generator: Arc<dyn GenerateBlocks>,
    start: Box<StartRun>,
    on_stop: Box<dyn Fn() + Send>,
}

impl Supervision {
    fn run(self) {
        for number in 0.. {
            let (message, error, delay) = self.run_once(number);
            let Some(delay) = delay else {
                self.generator.stop();
                self.events.receiver_stopped(self.stream, &message, &error);
                return;
            };
            let message = format!("Restarting receiver with delay {} ms: {message}", delay.as_millis());
            self.events.receiver_stopped(self.stream, &message, &error);
            if self.clock.wait_till(self.clock.now() + delay, &self.stop_for_good) == Waited::Stopped {
                self.generator.stop();
                return;
            }
        }
    }

    /// Runs the receiver until it is to end; returns why, and after which delay it is to be restarted.
    fn run_once(&self, number: u64) -> (String, String, Option<Duration>) {
        let run = Arc::new(Run {
            stream: self.stream,
            number,
            stop: StopSignal::new(),
            refuses: AtomicBool::new(false),
            late: AtomicUsize::new(0),
            stop_for_good: self.stop_for_good.clone(),
            commands: self.commands.clone(),
            events: Arc::clone(&self.events),
            on_start_thread: OnceLock::new(),
        });
        self.events.receiver_started(self.stream);
        let ended = (self.start)(Arc::clone(&run));
        if let Err(error) = &ended {
            run.fail("The receiver's thread can not be started", &error.to_string());
        }
        let why = self.wait_for_the_end(number);
        // First what waits, since `on_stop` may wait for the receiver's threads, and these may wait to store.
        run.stop.stop();
        self.generator.wake();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (self.on_stop)())) {
            self.events.receiver_error(
                self.stream,
                "The receiver panicked when stopped",
                panic_message(&*panic),
            );
        }
        run.refuses.store(true, Ordering::Release);
        if let Ok(ended) = ended
            && ended.recv_timeout(self.stop_timeout) == Err(RecvTimeoutError::Timeout)
        {
            tracing::warn!(
                "stream {}: the receiver's `on_start` did not return within {:?} after its stop and is left alone; \
                 let it return when `is_stopped`",
                self.stream,
                self.stop_timeout
            );
        }
        why
    }

    fn wait_for_the_end(&self, number: u64) -> (String, String, Option<Duration>) {
        loop {
            match self.asked.recv() {
                Ok(Command::Restart { run, message, error, delay }) if run == number => {
                    return (message, error, Some(delay.unwrap_or(self.restart_delay)));
                }
                Ok(Command::Restart { .. }) => {}
                Ok(Command::Stop { message, error }) => return (message, error, None),
                Err(mpsc::RecvError) => {
                    return ("Nobody supervises the receiver".to_owned(), String::new(), None);
                }
            }
        }
    }
}
