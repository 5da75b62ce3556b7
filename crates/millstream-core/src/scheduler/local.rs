//! `local[n]`: tasks run on n threads of this process.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::executor::{Ended, Executor, Report};
use super::task::Task;
use crate::error::{Error, Result};
use crate::rdd::lineage;

mod home;

use home::Home;

/// Worker threads that share one queue.
pub struct LocalExecutor {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

/// Who is woken so late after a task has come sleeps elsewhere the next time.
const LATE: Duration = Duration::from_millis(1);

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    /// And since when they wait.
    tasks: VecDeque<(Task, Report, Instant)>,
    /// How many threads sleep: to wake one is a system call, even if none does.
    idle: usize,
    closed: bool,
}

impl LocalExecutor {
    /// Starts the worker threads.
    ///
    /// # Errors
    /// If the operating system refuses a thread.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::scheduler::executor::Executor;
    /// use millstream_core::scheduler::local::LocalExecutor;
    ///
    /// assert_eq!(LocalExecutor::new(3)?.slots(), 3);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn new(slots: usize) -> Result<Self> {
        let queue = Arc::new(Queue::default());
        let mut executor = LocalExecutor { queue: Arc::clone(&queue), threads: Vec::new() };
        let slots = slots.max(1);
        for n in 0..slots {
            let queue = Arc::clone(&queue);
            let thread =
                std::thread::Builder::new().name(format!("worker-{n}")).stack_size(lineage::LARGE_STACK);
            let thread = thread.spawn(move || {
                lineage::on_large_stack();
                queue.work(Home::of(n, slots));
            });
            let thread = thread.map_err(|error| Error::io(format!("starting worker thread {n}"), error))?;
            executor.threads.push(thread);
        }
        Ok(executor)
    }
}

impl Executor for LocalExecutor {
    fn slots(&self) -> usize {
        self.threads.len()
    }

    fn launch(&self, task: Task, report: Report) {
        let mut state = self.queue.lock();
        state.tasks.push_back((task, report, Instant::now()));
        let wake = state.idle > 0;
        drop(state);
        if wake {
            self.queue.filled.notify_one();
        }
    }
}

impl Drop for LocalExecutor {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.filled.notify_all();
        let me = std::thread::current().id();
        for thread in self.threads.drain(..) {
            // The last handle of the context may be dropped by a task, on one of these threads.
            if thread.thread().id() != me {
                // A panic of a worker is a defect that was reported when it happened.
                let _ = thread.join();
            }
        }
    }
}

/// Lets a thread go from home that was woken there so long after a task had come.
fn woken(home: &mut Option<Home>, after: Duration) {
    match home {
        Some(there) if !there.leave() => *home = None,
        Some(there) if after > LATE => there.move_on(),
        _ => {}
    }
}

impl Queue {
    fn work(&self, mut home: Option<Home>) {
        while let Some((task, report)) = self.next(&mut home) {
            let id = task.id();
            let ended = match task.run() {
                Ok(output) => Ended::Succeeded(output),
                Err(failure) => Ended::Failed(failure),
            };
            report.ended(id, ended);
        }
    }

    /// Returns the next task; waits for one at home.
    fn next(&self, home: &mut Option<Home>) -> Option<(Task, Report)> {
        let mut is_home = false;
        let mut state = self.lock();
        loop {
            if let Some((task, report, since)) = state.tasks.pop_front() {
                drop(state);
                if is_home {
                    woken(home, since.elapsed());
                }
                return Some((task, report));
            }
            if state.closed {
                return None;
            }
            if home.is_some() && !is_home {
                // Not under the lock: the system may have to move the thread first.
                drop(state);
                let _ = home.take_if(|home| !home.enter());
                is_home = true;
                state = self.lock();
                continue;
            }
            state.idle += 1;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Nothing that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
