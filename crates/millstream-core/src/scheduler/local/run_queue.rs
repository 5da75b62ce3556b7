//! The tasks that wait for a thread, and the threads that wait for a task.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::home::{Home, here};
use crate::scheduler::executor::{Ended, Report};
use crate::scheduler::task::Task;

/// The tasks that wait for a thread, and the threads that wait for a task.
pub(super) struct RunQueue {
    state: Mutex<State>,
    /// How many tasks wait: for those who look without the lock.
    waiting: AtomicUsize,
    /// How long who finds no task looks for one.
    patience: Duration,
}

/// If more tasks wait than threads look for one, none sleeps.
#[derive(Default)]
struct State {
    tasks: VecDeque<Waiting>,
    /// How many threads come to look for a task: nobody has to be woken for what they take, which costs a system call and,
    /// in a virtual machine, more than a short task.
    looking: usize,
    asleep: Vec<Sleeper>,
    closed: bool,
}

/// A task, where it is reported, and since when it waits.
pub(super) struct Waiting {
    task: Task,
    report: Report,
    since: Instant,
}

struct Sleeper {
    thread: Thread,
    core: Option<usize>,
}

/// Who is woken so late after a task has come sleeps elsewhere the next time.
const LATE: Duration = Duration::from_millis(1);

/// A thread that looks for a task before it does anything else.
pub(super) struct Looking<'a>(&'a RunQueue);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.looking -= 1;
        // It leaves behind what it does not take.
        let woken = state.wake();
        drop(state);
        woken.inspect(Thread::unpark);
    }
}

impl RunQueue {
    pub(super) fn new(patience: Duration) -> Self {
        RunQueue { state: Mutex::default(), waiting: AtomicUsize::new(0), patience }
    }

    /// Adds a task, and wakes a thread for it if none looks for one.
    pub(super) fn push(&self, task: Task, report: Report) {
        let mut state = self.lock();
        state.tasks.push_back(Waiting { task, report, since: Instant::now() });
        self.waiting.store(state.tasks.len(), Ordering::Relaxed);
        let woken = state.wake();
        drop(state);
        woken.inspect(Thread::unpark);
    }

    /// Says that the calling thread looks for a task, until what is returned is dropped.
    pub(super) fn look(&self) -> Looking<'_> {
        self.lock().looking += 1;
        Looking(self)
    }

    /// Runs a task and reports it; the calling thread looks for the next one then, which the report may launch.
    pub(super) fn run(&self, next: Waiting) -> Looking<'_> {
        let Waiting { task, report, .. } = next;
        let id = task.id();
        let ended = match task.run() {
            Ok(output) => Ended::Succeeded(output),
            Err(failure) => Ended::Failed(failure),
        };
        let looking = self.look();
        report.ended(id, ended);
        looking
    }

    /// Returns the next task that `suits`; if none waits, looks for one for a while, unless it is `enough`.
    pub(super) fn find(&self, suits: impl Fn(&Task) -> bool, enough: impl Fn() -> bool) -> Option<Waiting> {
        let mut began = None;
        while !enough() {
            if self.waiting.load(Ordering::Relaxed) > 0 {
                let mut state = self.lock();
                let found = state.tasks.iter().position(|waiting| suits(&waiting.task));
                let found = found.and_then(|at| state.tasks.remove(at));
                self.waiting.store(state.tasks.len(), Ordering::Relaxed);
                return found;
            }
            if began.get_or_insert_with(Instant::now).elapsed() >= self.patience {
                break;
            }
            std::hint::spin_loop();
        }
        None
    }

    /// Runs tasks until the queue is closed; sleeps at home.
    pub(super) fn work(&self, mut home: Option<Home>) {
        let mut looking = self.look();
        let mut is_home = false;
        loop {
            if let Some(next) = self.find(|_| true, || false) {
                drop(looking);
                if std::mem::take(&mut is_home) {
                    woken(&mut home, next.since.elapsed());
                }
                looking = self.run(next);
                continue;
            }
            if !is_home && home.is_some() {
                // Not under the lock: the system may have to move the thread first.
                let _ = home.take_if(|home| !home.enter());
                is_home = home.is_some();
            }
            match self.sleep(looking, home.as_ref().map(Home::core)) {
                Some(again) => looking = again,
                None => return,
            }
        }
    }

    /// Sleeps on a core until a task has come; returns nothing if none will.
    fn sleep<'a>(&'a self, looking: Looking<'a>, core: Option<usize>) -> Option<Looking<'a>> {
        let mut state = self.lock();
        if !state.tasks.is_empty() {
            return Some(looking);
        }
        if state.closed {
            drop(state);
            return None;
        }
        let thread = std::thread::current();
        let me = thread.id();
        state.asleep.push(Sleeper { thread, core });
        drop(state);
        // One that came meanwhile wakes this thread at once.
        drop(looking);
        while self.lock().asleep.iter().any(|sleeper| sleeper.thread.id() == me) {
            std::thread::park();
        }
        // Whoever has woken it says that it looks.
        Some(Looking(self))
    }

    /// Has the threads end once no task waits.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.looking += state.asleep.len();
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        asleep.iter().for_each(|sleeper| sleeper.thread.unpark());
    }

    /// Nothing that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns a thread that is to be woken for a task nobody looks for, if there is one; not one that sleeps on this core, if another can be.
    fn wake(&mut self) -> Option<Thread> {
        if self.tasks.len() <= self.looking || self.asleep.is_empty() {
            return None;
        }
        let here = here();
        let elsewhere =
            self.asleep.iter().rposition(|sleeper| sleeper.core.is_none() || sleeper.core != here);
        self.looking += 1;
        Some(self.asleep.swap_remove(elsewhere.unwrap_or(0)).thread)
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
