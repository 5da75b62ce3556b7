//! An executor whose tasks run in other processes of the same program.
//!
//! It shows that a task is data: whatever an operator needs must be in the description, or in the program itself. It is
//! no cluster: the processes are children on this machine, and all results pass through the driver.

use std::collections::VecDeque;
use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millstream_core::scheduler::executor::{Ended, Executor, Report};
use millstream_core::scheduler::serve::{read_frame, read_hello, write_frame};
use millstream_core::scheduler::task::{Task, TaskFailure};
use millstream_core::{Error, Result};
use millstream_streaming::executor::EXECUTOR_OF;

/// How long a new process may take until it says hello: it builds the whole graph first.
const HELLO: Duration = Duration::from_secs(60);

/// Makes the command that starts this program once more, as an executor.
type Program = dyn Fn() -> Command + Send + Sync;

/// Runs tasks in child processes, one at a time in each.
///
/// A child that dies loses its task, which is then run elsewhere; a new child takes its place.
pub struct ProcessExecutor {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    filled: Condvar,
    program: Box<Program>,
}

#[derive(Default)]
struct State {
    tasks: VecDeque<(Task, Report)>,
    closed: bool,
    /// The numbers of the processes that live, by slot.
    children: Vec<Option<u32>>,
}

/// A child that has said hello.
struct Executing {
    child: Child,
    from: BufReader<TcpStream>,
    to: TcpStream,
}

impl ProcessExecutor {
    /// Makes an executor of `slots` processes, each started by the command that `program` makes when it is first needed.
    ///
    /// The started program must build the same graph as this one and call `start` on it.
    ///
    /// # Errors
    /// If the operating system refuses a thread.
    pub fn new(slots: usize, program: impl Fn() -> Command + Send + Sync + 'static) -> Result<Self> {
        let state = State { children: vec![None; slots], ..State::default() };
        let shared =
            Arc::new(Shared { state: Mutex::new(state), filled: Condvar::new(), program: Box::new(program) });
        let mut executor = ProcessExecutor { shared: Arc::clone(&shared), threads: Vec::new() };
        for slot in 0..slots {
            let shared = Arc::clone(&shared);
            let thread =
                std::thread::Builder::new().name(format!("process-{slot}")).spawn(move || shared.work(slot));
            executor.threads.push(thread.map_err(|error| Error::io("starting a thread", error))?);
        }
        Ok(executor)
    }

    /// Returns what tells the numbers of the processes that live now, also after the executor has been given away.
    pub fn children(&self) -> impl Fn() -> Vec<u32> + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move || shared.state().children.iter().flatten().copied().collect()
    }
}

impl Executor for ProcessExecutor {
    fn slots(&self) -> usize {
        self.threads.len()
    }

    fn launch(&self, task: Task, report: Report) {
        self.shared.state().tasks.push_back((task, report));
        self.shared.filled.notify_one();
    }
}

impl Drop for ProcessExecutor {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.filled.notify_all();
        let me = std::thread::current().id();
        for thread in self.threads.drain(..).filter(|thread| thread.thread().id() != me) {
            // A panic was printed when it happened.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Nothing that can panic runs under this lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, slot: usize) {
        let mut executing: Option<Executing> = None;
        while let Some((task, report)) = self.next() {
            let id = task.id();
            let ended = self.run(task, slot, &mut executing);
            if matches!(ended, Ended::Lost(_)) {
                self.set_child(slot, None);
                executing = None;
            }
            report.ended(id, ended);
        }
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

    fn run(&self, task: Task, slot: usize, executing: &mut Option<Executing>) -> Ended {
        let (bytes, sent) = match task.describe() {
            Ok(described) => described,
            Err(cause) => return Ended::Failed(TaskFailure { operator: "describing a task".into(), cause }),
        };
        let exchange = || -> Result<Vec<u8>> {
            let executing = match executing {
                Some(executing) => executing,
                none => none.insert(self.start(slot)?),
            };
            write_frame(&mut executing.to, &bytes)?;
            let reply = read_frame(&mut executing.from)?;
            reply.ok_or_else(|| Error::user("the process has closed its connection"))
        };
        match exchange() {
            Ok(reply) => sent.ended(&reply),
            Err(error) => Ended::Lost(error.to_string()),
        }
    }

    fn start(&self, slot: usize) -> Result<Executing> {
        let failed = |error| Error::io("starting another process of this program", error);
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let mut command = (self.program)();
        command.env(EXECUTOR_OF, address.to_string()).stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.spawn().map_err(failed)?;
        self.set_child(slot, Some(child.id()));
        let connection = accept(&listener, &mut child)?;
        connection.set_nonblocking(false).map_err(failed)?;
        let mut from = BufReader::new(connection.try_clone().map_err(failed)?);
        read_hello(&mut from)?;
        Ok(Executing { child, from, to: connection })
    }

    fn set_child(&self, slot: usize, child: Option<u32>) {
        if let Some(place) = self.state().children.get_mut(slot) {
            *place = child;
        }
    }
}

/// Waits for a child to connect, as long as it lives.
fn accept(listener: &TcpListener, child: &mut Child) -> Result<TcpStream> {
    let failed = |error| Error::io("waiting for another process of this program", error);
    let start = Instant::now();
    loop {
        match listener.accept() {
            Ok((connection, _)) => return Ok(connection),
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return Err(failed(error)),
            Err(_) => {}
        }
        if let Some(status) = child.try_wait().map_err(failed)? {
            return Err(Error::user(format!("the process ended before it said hello ({status})")));
        }
        if start.elapsed() > HELLO {
            return Err(Error::user(format!("the process said no hello within {HELLO:?}")));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Drop for Executing {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
