//! `local[n]`: tasks run on n threads of this process, and on those that run jobs.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::executor::{Executor, Report};
use super::task::Task;
use crate::error::{Error, Result};
use crate::ids::JobId;
use crate::rdd::lineage;

mod home;
mod run_queue;

use home::Home;
use run_queue::RunQueue;

/// Worker threads that share one queue.
pub struct LocalExecutor {
    queue: Arc<RunQueue>,
    threads: Vec<JoinHandle<()>>,
}

/// How long a thread that has nothing to do looks for a task before it sleeps, where it has a core of its own: a stage begins so soon
/// after the one before it, and in a virtual machine it takes this long to wake a thread.
const PATIENCE: Duration = Duration::from_micros(50);

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
        let slots = slots.max(1);
        let have_cores = std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= slots);
        let queue = Arc::new(RunQueue::new(if have_cores { PATIENCE } else { Duration::ZERO }));
        let mut executor = LocalExecutor { queue: Arc::clone(&queue), threads: Vec::new() };
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
        self.queue.push(task, report);
    }

    fn help(&self, job: JobId, submit: &mut dyn FnMut(), has_ended: &dyn Fn() -> bool) {
        let mut looking = self.queue.look();
        submit();
        // Tasks of other jobs are left to the workers: they may take long.
        while let Some(next) = self.queue.find(|task| task.id().job == job, has_ended) {
            drop(looking);
            looking = self.queue.run(next);
        }
    }
}

impl Drop for LocalExecutor {
    fn drop(&mut self) {
        self.queue.close();
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
