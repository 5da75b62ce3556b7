//! `WorkerPool`: connections and the like, made once per worker process and used for many batches.

mod closing;

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt::Debug;
use std::panic::Location;
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use self::closing::AnyPool;
pub(crate) use self::closing::{context_ended, context_stopped};
use crate::error::{Error, Result};
use crate::scheduler::panics;
use crate::task::TaskContext;

/// What a pool's function makes.
pub type Made<C> = std::result::Result<C, Box<dyn StdError + Send + Sync>>;

/// How often a task that waits looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// Connections, clients, or whatever else is dear to make: each worker process has its own, and uses them for many batches.
///
/// A pool is a `static` of the program, so that a closure names it without capturing anything and finds, in whatever process
/// it runs, the pool of that process. Nothing is made before it is needed. A task borrows by [`with`](Self::with); what
/// it borrowed is kept for the next task with the same key. There are never more than [`max`](Self::max) per key; what
/// lies idle for [`idle`](Self::idle) is closed, by dropping it, and so is all that tasks of a [`Context`](crate::Context) have used
/// when that context is stopped.
///
/// `K` says what is to be made, such as an address; use `()` where there is but one.
///
/// # Examples
/// ```
/// use std::io::{BufRead, BufReader, Write};
/// use std::net::{TcpListener, TcpStream};
/// use millstream_core::{Conf, Context, WorkerPool};
///
/// static SINK: WorkerPool<String, TcpStream> = WorkerPool::new(|address| Ok(TcpStream::connect(address)?));
///
/// let server = TcpListener::bind("127.0.0.1:0").unwrap();
/// let context = Context::new(Conf::empty().set_master("local[1]"))?;
/// for batch in [["a", "b"], ["c", "d"]] {
///     let address = server.local_addr().unwrap().to_string();
///     let lines = context.parallelize(batch.map(String::from), 2);
///     lines.foreach_partition_env(address, |address, mut lines| {
///         SINK.with(address, |connection| lines.try_for_each(|line| writeln!(connection, "{line}")))
///     })?;
/// }
/// context.stop(); // closes the connection
/// let received: Vec<_> = BufReader::new(server.accept().unwrap().0).lines().map(Result::unwrap).collect();
/// assert_eq!(received, ["a", "b", "c", "d"]); // one connection for four partitions
/// # Ok::<(), millstream_core::Error>(())
/// ```
pub struct WorkerPool<K: 'static, C: 'static> {
    place: &'static Location<'static>,
    make: fn(&K) -> Made<C>,
    alive: fn(&mut C) -> bool,
    max: usize,
    idle: Duration,
    wait: Duration,
    slots: Mutex<BTreeMap<K, Slots<C>>>,
    given_back: Condvar,
    listed: Once,
}

/// What there is for one key.
struct Slots<C> {
    lent: usize,
    /// The one that was used last comes last.
    idle: Vec<Idle<C>>,
}

struct Idle<C> {
    resource: C,
    since: Instant,
    /// The context whose task has used it; nothing outside of tasks.
    context: Option<u64>,
}

impl<K: Ord + Clone + Debug + Send, C: Send> WorkerPool<K, C> {
    /// Makes a pool: up to 8 per key, closed when idle for a minute, waited for up to a minute.
    ///
    /// `make` makes one for a key, on the thread of the task that needs it.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::WorkerPool;
    ///
    /// static BUFFERS: WorkerPool<usize, Vec<u8>> = WorkerPool::new(|capacity| Ok(Vec::with_capacity(*capacity)));
    /// assert!(BUFFERS.with(&100, |buffer| Ok::<_, String>(buffer.capacity()))? >= 100);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub const fn new(make: fn(&K) -> Made<C>) -> Self {
        WorkerPool {
            place: Location::caller(),
            make,
            alive: |_| true,
            max: 8,
            idle: Duration::from_secs(60),
            wait: Duration::from_secs(60),
            slots: Mutex::new(BTreeMap::new()),
            given_back: Condvar::new(),
            listed: Once::new(),
        }
    }

    /// Sets how many there may be for a key in a process, in use and idle; at least 1.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::WorkerPool;
    ///
    /// static ONE: WorkerPool<(), u32> = WorkerPool::new(|()| Ok(0)).max(1).wait(Duration::ZERO);
    /// let second = ONE.with(&(), |_| ONE.with(&(), |_| Ok::<_, String>(())));
    /// assert!(second.is_err(), "the only one is in use");
    /// ```
    #[must_use]
    pub const fn max(mut self, max: usize) -> Self {
        self.max = if max == 0 { 1 } else { max };
        self
    }

    /// Sets after how long what no task uses is closed.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::WorkerPool;
    ///
    /// static NUMBERS: WorkerPool<(), Vec<u32>> = WorkerPool::new(|()| Ok(Vec::new())).idle(Duration::ZERO);
    /// let push = |n| NUMBERS.with(&(), |numbers| { numbers.push(n); Ok::<_, String>(numbers.len()) });
    /// assert_eq!((push(7)?, push(8)?), (1, 1)); // two vectors: the first was closed at once
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub const fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Sets how long a task waits while all are in use.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::WorkerPool;
    ///
    /// static ONE: WorkerPool<(), u32> = WorkerPool::new(|()| Ok(0)).max(1).wait(Duration::from_millis(1));
    /// let second = ONE.with(&(), |_| ONE.with(&(), |_| Ok::<_, String>(())));
    /// assert!(second.is_err_and(|error| error.to_string().contains("stayed in use for 1ms")));
    /// ```
    #[must_use]
    pub const fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Sets what is asked of one that lay idle before it is used again; one that is not alive is closed, and another is made.
    ///
    /// Without it, a connection that the other side has closed meanwhile fails the task that gets it.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::WorkerPool;
    ///
    /// static NUMBERS: WorkerPool<(), Vec<u32>> =
    ///     WorkerPool::new(|()| Ok(Vec::new())).alive(|numbers| numbers.len() < 2);
    /// let push = |n| NUMBERS.with(&(), |numbers| { numbers.push(n); Ok::<_, String>(numbers.len()) });
    /// assert_eq!((push(7)?, push(8)?), (1, 2));
    /// assert_eq!(push(9)?, 1); // one with two numbers counts as dead
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub const fn alive(mut self, alive: fn(&mut C) -> bool) -> Self {
        self.alive = alive;
        self
    }

    /// Calls `f` with one for `key`: one that lies idle, else a new one.
    ///
    /// Afterwards it is kept for the next caller. If `f` returns an error or panics it counts as broken and is closed. What
    /// is buffered must be flushed by `f`: the batch may count as done when it returns. A thread that borrows
    /// a second one for the same key while it holds the first may wait for itself.
    ///
    /// # Errors
    /// The error of `f`; or if none can be made, or all stay in use for too long.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::WorkerPool;
    /// static NUMBERS: WorkerPool<(), Vec<u32>> = WorkerPool::new(|()| Ok(Vec::new()));
    /// let push = |n| NUMBERS.with(&(), |numbers| { numbers.push(n); Ok::<_, String>(numbers.len()) });
    /// assert_eq!((push(7)?, push(8)?), (1, 2));
    /// assert!(NUMBERS.with(&(), |_| Err::<(), _>("broken")).is_err());
    /// assert_eq!(push(9)?, 1); // another vector
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn with<R, E: Into<Box<dyn StdError + Send + Sync>>>(
        &'static self,
        key: &K,
        f: impl FnOnce(&mut C) -> std::result::Result<R, E>,
    ) -> Result<R> {
        let mut lent = self.take(key)?;
        let Some(resource) = &mut lent.resource else { return Err(Error::poisoned("an empty pool")) };
        let result = f(resource).map_err(Error::user)?;
        lent.give_back();
        Ok(result)
    }

    fn take(&'static self, key: &K) -> Result<Lent<K, C>> {
        self.listed.call_once(|| closing::list(self));
        let start = Instant::now();
        let mut slots = self.slots();
        loop {
            if let Some(task) = TaskContext::get() {
                task.check_cancelled()?;
            }
            let of_key = slots.entry(key.clone()).or_insert(Slots { lent: 0, idle: Vec::new() });
            if let Some(idle) = of_key.idle.pop() {
                of_key.lent += 1;
                drop(slots);
                let mut lent = Lent { pool: self, key: key.clone(), resource: Some(idle.resource) };
                if idle.since.elapsed() < self.idle && lent.resource.as_mut().is_some_and(self.alive) {
                    return Ok(lent);
                }
                drop(lent);
                slots = self.slots();
            } else if of_key.lent < self.max {
                of_key.lent += 1;
                drop(slots);
                let mut lent = Lent { pool: self, key: key.clone(), resource: None };
                let made = (self.make)(key);
                lent.resource = Some(made.map_err(|error| {
                    self.error(
                        key,
                        error,
                        "check that what it leads to runs and can be reached from this process",
                    )
                })?);
                return Ok(lent);
            } else {
                let left = self.wait.saturating_sub(start.elapsed());
                if left.is_zero() {
                    let problem = format!("all {} stayed in use for {:?}", self.max, self.wait);
                    return Err(self.error(
                        key,
                        problem,
                        "raise the pool's `max`, or use what it gives for a shorter time",
                    ));
                }
                let left = left.min(LOOK);
                slots = self.given_back.wait_timeout(slots, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    fn error(&self, key: &K, problem: impl ToString, remedy: &str) -> Error {
        let (pool, key, problem) =
            (format!("pool at {}", self.place), format!("{key:?}"), problem.to_string());
        Error::Pool { pool, key, problem, remedy: remedy.into() }
    }
}

impl<K, C> WorkerPool<K, C> {
    /// Users' code runs under this lock only where keys are compared.
    fn slots(&self) -> MutexGuard<'_, BTreeMap<K, Slots<C>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that is in use; unless it is given back it is closed, and its place is free again.
struct Lent<K: Ord + 'static, C: 'static> {
    pool: &'static WorkerPool<K, C>,
    key: K,
    resource: Option<C>,
}

impl<K: Ord + Clone + Debug + Send, C: Send> Lent<K, C> {
    fn give_back(mut self) {
        let context = TaskContext::get().map(|task| task.context());
        let since = Instant::now();
        let mut slots = self.pool.slots();
        // Asked under the lock: a context that is stopped later closes what lies here then.
        if context.is_some_and(closing::is_stopped) {
            return; // the lock goes first, then this
        }
        if let (Some(of_key), Some(resource)) = (slots.get_mut(&self.key), self.resource.take()) {
            of_key.idle.push(Idle { resource, since, context });
        }
        drop(slots);
        closing::due(since + self.pool.idle);
    }
}

impl<K: Ord, C> Drop for Lent<K, C> {
    fn drop(&mut self) {
        close(self.resource.take());
        if let Some(of_key) = self.pool.slots().get_mut(&self.key) {
            of_key.lent -= 1;
        }
        self.pool.given_back.notify_all();
    }
}

impl<K: Ord + Clone + Debug + Send, C: Send> AnyPool for WorkerPool<K, C> {
    fn close_idle(&self, now: Instant) -> Option<Instant> {
        self.close(|idle| now.duration_since(idle.since) >= self.idle);
        let slots = self.slots();
        slots.values().filter_map(|of_key| of_key.idle.first()).map(|idle| idle.since + self.idle).min()
    }

    fn close_of(&self, context: u64) {
        self.close(|idle| idle.context == Some(context));
        // A task that waits and was cancelled looks up.
        self.given_back.notify_all();
    }
}

impl<K: Ord, C> WorkerPool<K, C> {
    fn close(&self, which: impl Fn(&Idle<C>) -> bool) {
        let mut slots = self.slots();
        let closed: Vec<_> =
            slots.values_mut().flat_map(|of_key| of_key.idle.extract_if(.., |idle| which(idle))).collect();
        slots.retain(|_, of_key| of_key.lent > 0 || !of_key.idle.is_empty());
        drop(slots);
        closed.into_iter().for_each(|idle| close(Some(idle.resource)));
    }
}

fn close<C>(resource: Option<C>) {
    panics::let_go("what a worker pool held", || drop(resource));
}
