//! Which task is launched next when a slot is free: Spark's FIFO and FAIR.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, VecDeque};

use super::allocation::{Mode, PoolSpec};
use super::properties::{LocalProperties, POOL};
use super::task::Task;
use crate::ids::{JobId, StageId, TaskId};

/// The pool of jobs that name none.
const DEFAULT_POOL: &str = "default";

/// The tasks that wait for a slot, and where those that run count.
pub(crate) struct Queue {
    slots: usize,
    mode: Mode,
    /// In FIFO mode only one.
    pools: Vec<Pool>,
    /// The pool of each task that was launched and has not been reported.
    running: HashMap<TaskId, usize>,
}

/// Jobs that share their slots.
struct Pool {
    spec: PoolSpec,
    sets: BTreeMap<(JobId, StageId), Set>,
    waiting: usize,
    running: usize,
}

/// The tasks of a stage.
#[derive(Default)]
struct Set {
    waiting: VecDeque<Task>,
    running: usize,
}

impl Queue {
    /// Makes a queue for executors with some slots; `pools` are the ones of the allocation file.
    pub(crate) fn new(slots: usize, mode: Mode, pools: Vec<PoolSpec>) -> Self {
        let mut queue = Queue { slots: slots.max(1), mode, pools: Vec::new(), running: HashMap::new() };
        if mode == Mode::Fair {
            pools.into_iter().for_each(|spec| queue.add(spec));
        }
        if queue.place_of(DEFAULT_POOL).is_none() {
            queue.add(PoolSpec::named(DEFAULT_POOL));
        }
        queue
    }

    fn add(&mut self, spec: PoolSpec) {
        self.pools.push(Pool { spec, sets: BTreeMap::new(), waiting: 0, running: 0 });
    }

    fn place_of(&self, name: &str) -> Option<usize> {
        self.pools.iter().position(|pool| pool.spec.name == name)
    }

    /// Returns the pool that a job's properties name; it is made if there is none.
    pub(crate) fn pool_of(&mut self, properties: &LocalProperties) -> usize {
        if self.mode == Mode::Fifo {
            return 0;
        }
        let name = properties.get(POOL).unwrap_or(DEFAULT_POOL);
        self.place_of(name).unwrap_or_else(|| {
            self.add(PoolSpec::named(name));
            self.pools.len() - 1
        })
    }

    /// Lets a task wait for its turn.
    pub(crate) fn push(&mut self, pool: usize, task: Task) {
        let pool = &mut self.pools[pool];
        pool.waiting += 1;
        pool.sets.entry((task.id.job, task.id.stage)).or_default().waiting.push_back(task);
    }

    /// Returns the task whose turn it is, if a slot is free.
    pub(crate) fn next(&mut self) -> Option<Task> {
        if self.running.len() >= self.slots {
            return None;
        }
        let with_tasks = self.pools.iter().enumerate().filter(|(_, pool)| pool.waiting > 0);
        // In FIFO mode there is one.
        let (at, _) = with_tasks.min_by(|(_, a), (_, b)| a.compare(b))?;
        let task = self.pools[at].next()?;
        self.running.insert(task.id, at);
        Some(task)
    }

    /// Takes note that a task was reported, which may happen more than once.
    pub(crate) fn ended(&mut self, task: TaskId) {
        if let Some(at) = self.running.remove(&task) {
            let pool = &mut self.pools[at];
            pool.running -= 1;
            if let Some(set) = pool.sets.get_mut(&(task.job, task.stage)) {
                set.running -= 1;
                pool.forget_if_done((task.job, task.stage));
            }
        }
    }

    /// Returns whether a task of a job was launched and has not been reported.
    pub(crate) fn runs_any(&self, job: JobId) -> bool {
        self.running.keys().any(|task| task.job == job)
    }

    /// Takes out the waiting tasks of a stage.
    pub(crate) fn remove(&mut self, pool: usize, job: JobId, stage: StageId) -> VecDeque<Task> {
        let pool = &mut self.pools[pool];
        let waiting = pool.sets.get_mut(&(job, stage)).map(|set| std::mem::take(&mut set.waiting));
        let waiting = waiting.unwrap_or_default();
        pool.waiting -= waiting.len();
        pool.forget_if_done((job, stage));
        waiting
    }
}

impl Pool {
    /// Orders pools by whose turn is first, as Spark's fair scheduling does: those below their minimum share, by how far;
    /// then by running tasks for their weight; then by name.
    fn compare(&self, other: &Pool) -> Ordering {
        let needy = |pool: &Pool| pool.running < pool.spec.min_share;
        let of_share = |pool: &Pool| pool.running as f64 / pool.spec.min_share.max(1) as f64;
        let of_weight = |pool: &Pool| pool.running as f64 / f64::from(pool.spec.weight.max(1));
        let by_need = match (needy(self), needy(other)) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (true, true) => of_share(self).total_cmp(&of_share(other)),
            (false, false) => of_weight(self).total_cmp(&of_weight(other)),
        };
        by_need.then_with(|| self.spec.name.cmp(&other.spec.name))
    }

    fn next(&mut self) -> Option<Task> {
        let mut with_tasks = self.sets.iter_mut().filter(|(_, set)| !set.waiting.is_empty());
        let (_, set) = match self.spec.mode {
            // Of an earlier job, then of an earlier stage.
            Mode::Fifo => with_tasks.next(),
            Mode::Fair => with_tasks.min_by_key(|((_, stage), set)| (set.running, *stage)),
        }?;
        let task = set.waiting.pop_front()?;
        set.running += 1;
        self.running += 1;
        self.waiting -= 1;
        Some(task)
    }

    fn forget_if_done(&mut self, key: (JobId, StageId)) {
        if self.sets.get(&key).is_some_and(|set| set.waiting.is_empty() && set.running == 0) {
            self.sets.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
