//! An executor whose tasks run in child processes of the same program.
//!
//! The driver starts its own program some more times, with [`EXECUTOR_OF`] set. Each of these processes builds the same
//! graph, and in its `start` connects to the driver and runs the tasks it is sent. It proves on one machine what a cluster
//! needs: that a task is data. Everything crosses through one socket per process, so it is no way to be fast.

use std::collections::VecDeque;
use std::io::{self, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millstream_core::ids::JobId;
use millstream_core::scheduler::description::{Peer, Sent};
use millstream_core::scheduler::executor::{Ended, Executor, Report};
use millstream_core::scheduler::serve;
use millstream_core::scheduler::task::{Task, TaskFailure};
use millstream_core::{Conf, Context, Error, Result, settings};
use millstream_streaming::executor::EXECUTOR_OF;

/// How long a process may take from its start to its hello.
const START: Duration = Duration::from_secs(60);

/// How often a process that has just been started is looked after.
const LOOK: Duration = Duration::from_millis(2);

/// Runs tasks in child processes of the same program, one task at a time in each.
///
/// A process that dies is replaced, and its task is reported as lost, so that it is run again.
pub struct ProcessExecutor {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// How a child process is started.
type MakeCommand = Box<dyn Fn() -> Command + Send + Sync>;

struct Shared {
    command: MakeCommand,
    state: Mutex<State>,
    filled: Condvar,
    values_sent: AtomicUsize,
}

struct State {
    tasks: VecDeque<(Task, Report)>,
    /// The process of each thread.
    processes: Vec<Option<u32>>,
    /// The task each thread waits for.
    running: Vec<Option<Running>>,
    /// How many tasks were reported as lost.
    lost: usize,
    closed: bool,
}

/// A task that was sent, and how its process is told that it is no longer wanted.
struct Running {
    job: JobId,
    to: Arc<Mutex<TcpStream>>,
    cancel: Vec<u8>,
}

impl ProcessExecutor {
    /// Starts `processes` threads, each of which starts and looks after a process that `command` describes.
    ///
    /// The command must start this program so that it builds the same graph; [`EXECUTOR_OF`] is added to its environment.
    ///
    /// # Errors
    /// If a thread can not be started.
    pub fn new(processes: usize, command: impl Fn() -> Command + Send + Sync + 'static) -> Result<Arc<Self>> {
        let processes = processes.max(1);
        let running = (0..processes).map(|_| None).collect();
        let processes_of = vec![None; processes];
        let state =
            State { tasks: VecDeque::new(), processes: processes_of, running, lost: 0, closed: false };
        let shared = Shared {
            command: Box::new(command),
            state: Mutex::new(state),
            filled: Condvar::new(),
            values_sent: AtomicUsize::new(0),
        };
        let mut executor = ProcessExecutor { shared: Arc::new(shared), threads: Vec::new() };
        for at in 0..processes {
            let shared = Arc::clone(&executor.shared);
            let thread =
                std::thread::Builder::new().name(format!("process-{at}")).spawn(move || shared.work(at));
            let thread =
                thread.map_err(|error| Error::io(format!("starting the thread of process {at}"), error))?;
            executor.threads.push(thread);
        }
        Ok(Arc::new(executor))
    }

    /// Returns the ids of the processes that run now.
    #[must_use]
    pub fn process_ids(&self) -> Vec<u32> {
        self.shared.state().processes.iter().flatten().copied().collect()
    }

    /// Returns how many tasks were lost, because their process died while it ran them.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.shared.state().lost
    }

    /// Returns how many broadcast values were sent, to all processes together.
    #[must_use]
    pub fn values_sent(&self) -> usize {
        self.shared.values_sent.load(Ordering::Relaxed)
    }
}

/// Returns whether this process was started by a [`ProcessExecutor`].
#[must_use]
pub fn is_executor() -> bool {
    std::env::var_os(EXECUTOR_OF).is_some()
}

/// Makes the context of a program that is driver or executor: one that runs tasks in processes that `command` describes,
/// or, in such a process, a plain one.
///
/// Closures are strict, and `spark.default.parallelism` is the number of processes unless it is set.
///
/// # Errors
/// If a setting can not be used or threads can not be started.
pub fn context(
    conf: Conf,
    processes: usize,
    command: impl Fn() -> Command + Send + Sync + 'static,
) -> Result<(Context, Option<Arc<ProcessExecutor>>)> {
    // All processes must build the same graph, with as many partitions.
    let parallelism = conf.get(settings::DEFAULT_PARALLELISM)?.unwrap_or(processes);
    let conf = conf.set(settings::DEFAULT_PARALLELISM.key(), parallelism.to_string());
    // A closure that can not travel is to be refused where it is, not where it is missed.
    let conf = conf.set(settings::CLOSURES_STRICT.key(), "true");
    if is_executor() {
        return Ok((Context::new(conf)?, None));
    }
    let executor = ProcessExecutor::new(processes, command)?;
    Ok((Context::with_executor(conf, Arc::clone(&executor))?, Some(executor)))
}

impl Executor for ProcessExecutor {
    fn slots(&self) -> usize {
        self.threads.len()
    }

    fn launch(&self, task: Task, report: Report) {
        self.shared.state().tasks.push_back((task, report));
        self.shared.filled.notify_one();
    }

    fn cancel(&self, job: JobId) {
        let mut state = self.shared.state();
        let of_job = |running: &mut Option<Running>| running.take_if(|running| running.job == job);
        let cancelled: Vec<_> = state.running.iter_mut().filter_map(of_job).collect();
        drop(state);
        cancelled.into_iter().for_each(Running::cancel);
    }
}

impl Running {
    fn cancel(self) {
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        // A process that is gone is found to be so by the thread that waits for it.
        let _ = serve::write_frame(&mut *to, &self.cancel);
    }
}

impl Drop for ProcessExecutor {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.filled.notify_all();
        let me = std::thread::current().id();
        for thread in self.threads.drain(..) {
            // The last handle of the context may be dropped by a report, on one of these threads.
            if thread.thread().id() != me {
                // A panic was printed when it happened.
                let _ = thread.join();
            }
        }
    }
}

impl Shared {
    /// Nothing that can panic runs under this lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, at: usize) {
        // Started before it is needed: building the graph takes a while.
        let mut process = self.start(at);
        while let Some((task, report)) = self.next() {
            let id = task.id();
            if process.is_err() {
                process = self.start(at);
            }
            let ended = match &mut process {
                Ok(running) => match running.describe(task, &self.values_sent) {
                    Ok((frames, sent)) => match self.ask(at, running, &frames, &sent) {
                        Ok(reply) => sent.ended(&reply),
                        Err(error) => {
                            process = Err(Error::user("the process died"));
                            self.state().lost += 1;
                            Ended::Lost(format!("its process died: {error}"))
                        }
                    },
                    Err(cause) => Ended::Failed(TaskFailure { operator: "sending the task".into(), cause }),
                },
                Err(cause) => {
                    let cause = cause.clone();
                    Ended::Failed(TaskFailure { operator: "starting an executor process".into(), cause })
                }
            };
            report.ended(id, ended);
        }
        self.state().processes[at] = None;
    }

    /// Sends a task and waits for the answer.
    fn ask(&self, at: usize, process: &mut Process, frames: &[Vec<u8>], sent: &Sent) -> Result<Vec<u8>> {
        let running = Running { job: sent.id().job, to: Arc::clone(&process.to), cancel: sent.cancel()? };
        let mut to = process.to.lock().unwrap_or_else(PoisonError::into_inner);
        frames.iter().try_for_each(|frame| serve::write_frame(&mut *to, frame))?;
        drop(to);
        // From here on it can be cancelled; if it was meanwhile, nobody else tells the process.
        self.state().running[at] = Some(running);
        let late = sent.is_cancelled().then(|| self.state().running[at].take()).flatten();
        late.into_iter().for_each(Running::cancel);
        let reply = serve::read_frame(&mut process.from);
        self.state().running[at] = None;
        reply?.ok_or_else(|| Error::user("it has closed the connection"))
    }

    fn next(&self) -> Option<(Task, Report)> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if let Some(next) = state.tasks.pop_front() {
                return Some(next);
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn start(&self, at: usize) -> Result<Process> {
        self.state().processes[at] = None;
        let process = Process::start((self.command)())?;
        self.state().processes[at] = Some(process.child.0.id());
        Ok(process)
    }
}

/// A child process that is connected.
struct Process {
    from: BufReader<TcpStream>,
    to: Arc<Mutex<TcpStream>>,
    /// The broadcast values it was sent.
    peer: Peer,
    child: Reaped,
}

/// A child process that is ended and waited for when it is no longer needed.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    fn start(mut command: Command) -> Result<Self> {
        let failed = |what: &str| {
            let what = format!("{what} an executor process");
            move |error| Error::io(what, error)
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed("listening for"))?;
        let address = listener.local_addr().map_err(failed("listening for"))?;
        let child = command.env(EXECUTOR_OF, address.to_string()).spawn().map_err(failed("starting"))?;
        let mut child = Reaped(child);
        let to = accept(&listener, &mut child.0).map_err(failed("waiting for"))?;
        let mut from = BufReader::new(to.try_clone().map_err(failed("talking to"))?);
        serve::read_hello(&mut from)?;
        Ok(Process { from, to: Arc::new(Mutex::new(to)), peer: Peer::default(), child })
    }

    fn describe(&mut self, task: Task, values_sent: &AtomicUsize) -> Result<(Vec<Vec<u8>>, Sent)> {
        let before = self.peer.values_sent();
        let described = task.describe(&mut self.peer);
        values_sent.fetch_add(self.peer.values_sent() - before, Ordering::Relaxed);
        described
    }
}

/// Waits for the process to connect, as long as it lives.
fn accept(listener: &TcpListener, child: &mut Child) -> io::Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let start = Instant::now();
    loop {
        match listener.accept() {
            Ok((socket, _)) => {
                socket.set_nonblocking(false)?;
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if let Some(status) = child.try_wait()? {
            return Err(io::Error::other(format!("it ended with {status} before it connected")));
        }
        if start.elapsed() > START {
            return Err(io::Error::other(format!("it did not connect within {START:?}")));
        }
        std::thread::sleep(LOOK);
    }
}
