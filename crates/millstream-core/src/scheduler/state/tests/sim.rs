//! Plans made by hand, and a stand-in for the engine.

use std::sync::Arc;

use super::super::{Action, Event, Scheduler};
use crate::accumulator::counted::Counted;
use crate::accumulator::updates::Updates;
use crate::conf::Conf;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::function::CodeAddress;
use crate::ids::{JobId, ShuffleId, TaskId};
use crate::operator::Operator;
use crate::rdd::AnyRdd;
use crate::scheduler::action::{AnyAction, Value};
use crate::scheduler::allocation::Mode;
use crate::scheduler::executor::Ended;
use crate::scheduler::properties::LocalProperties;
use crate::scheduler::queue::Queue;
use crate::scheduler::stage::{Parent, Plan, PlannedStage};
use crate::scheduler::task::{Made, Output, Task, TaskFailure, Work};
use crate::shuffle::map_output::OneBucket;
use crate::shuffle::{AnyShuffle, Bucket, Reuse, ShuffleOutputs};
use crate::task::{BatchId, TaskContext};

/// What the scheduler asks of a shuffle: a number and how many reducers.
struct FakeShuffle {
    id: u64,
    reducers: usize,
    parent: AnyRdd,
}

impl AnyShuffle for FakeShuffle {
    fn id(&self) -> ShuffleId {
        ShuffleId(self.id)
    }
    fn parent(&self) -> AnyRdd {
        Arc::clone(&self.parent)
    }
    fn reducers(&self) -> usize {
        self.reducers
    }
    fn write(&self, _: usize, _: &TaskContext) -> Result<Vec<Bucket>> {
        unreachable!("nothing is run here")
    }
    fn encode(&self, _: &Bucket) -> Result<Vec<u8>> {
        unreachable!("nothing is sent here")
    }
    fn decode(&self, _: &[u8]) -> Result<Bucket> {
        unreachable!("nothing is sent here")
    }
    fn reuse(&self) -> Reuse {
        unreachable!("plans are made by hand here")
    }
    fn counted(&self) -> Counted {
        unreachable!("plans are made by hand here")
    }
}

struct FakeAction(AnyRdd);

impl AnyAction for FakeAction {
    fn operator(&self) -> &Arc<Operator> {
        &self.0.info().operator
    }
    fn rdd(&self) -> AnyRdd {
        Arc::clone(&self.0)
    }
    fn run(&self, _: usize, _: &TaskContext) -> Result<Value> {
        unreachable!("nothing is run here")
    }
    fn encode(&self, _: Value) -> Result<Vec<u8>> {
        unreachable!("nothing is sent here")
    }
    fn decode(&self, _: &[u8]) -> Result<Value> {
        unreachable!("nothing is sent here")
    }
    fn build(&self) -> CodeAddress {
        unreachable!("nothing is sent here")
    }
    fn env(&self) -> Result<Vec<u8>> {
        unreachable!("nothing is sent here")
    }
}

/// An RDD to stand wherever the scheduler only passes one on.
fn rdd() -> AnyRdd {
    Context::new(Conf::empty()).unwrap().empty_rdd::<u8>().any()
}

/// Whose buckets each of `tasks` tasks reads, if each reads those of its own number.
pub(in crate::scheduler) fn own(stage: usize, tasks: usize) -> Parent {
    Parent { stage, reducers: (0..tasks).map(|task| vec![task]).collect() }
}

/// The n-th stage, which ends in shuffle n.
pub(in crate::scheduler) fn shuffle(
    n: u64,
    tasks: usize,
    reducers: usize,
    parents: Vec<Parent>,
) -> PlannedStage {
    let shuffle = FakeShuffle { id: n, reducers, parent: rdd() };
    PlannedStage {
        work: Work::Shuffle(Arc::new(shuffle), rdd()),
        partitions: (0..tasks).collect(),
        parents,
        reuse: Some(Reuse { outputs: None, keep: None }),
        counted: Counted::default(),
        shared: false,
    }
}

pub(in crate::scheduler) fn action(partitions: Vec<usize>, parents: Vec<Parent>) -> PlannedStage {
    PlannedStage {
        work: Work::Action(Arc::new(FakeAction(rdd()))),
        partitions,
        parents,
        reuse: None,
        counted: Counted::default(),
        shared: false,
    }
}

/// Two map tasks, three reduce tasks.
pub(in crate::scheduler) fn two_stages() -> Plan {
    Plan { stages: vec![shuffle(0, 2, 3, vec![]), action(vec![0, 1, 2], vec![own(0, 3)])] }
}

/// Three stages of two tasks each.
pub(in crate::scheduler) fn three_stages() -> Plan {
    let stages = vec![
        shuffle(0, 2, 2, vec![]),
        shuffle(1, 2, 2, vec![own(0, 2)]),
        action(vec![0, 1], vec![own(1, 2)]),
    ];
    Plan { stages }
}

/// Stage, partition and attempt of a task.
pub(in crate::scheduler) type Name = (u64, usize, u32);

/// Stands in for the engine: keeps what was launched until a test says how it ends.
pub(in crate::scheduler) struct Sim {
    scheduler: Scheduler,
    pub(in crate::scheduler) running: Vec<Task>,
    pub(in crate::scheduler) finished: Vec<(u64, Result<Vec<Value>>)>,
    /// What was counted, each time it was.
    pub(in crate::scheduler) counted: Vec<Updates>,
}

impl Sim {
    pub(in crate::scheduler) fn new(max_failures: u32) -> Self {
        Sim::on(max_failures, Queue::new(usize::MAX, Mode::Fifo, Vec::new()))
    }

    pub(in crate::scheduler) fn on(max_failures: u32, queue: Queue) -> Self {
        let scheduler = Scheduler::new(max_failures, queue);
        Sim { scheduler, running: Vec::new(), finished: Vec::new(), counted: Vec::new() }
    }

    pub(in crate::scheduler) fn with(max_failures: u32, plan: Plan) -> Self {
        let mut sim = Sim::new(max_failures);
        sim.submit(0, plan);
        sim
    }

    pub(in crate::scheduler) fn submit(&mut self, job: u64, plan: Plan) {
        self.submit_with(job, plan, &[]);
    }

    pub(in crate::scheduler) fn submit_with(&mut self, job: u64, plan: Plan, set: &[(&str, &str)]) {
        let batch = Some(BatchId { time_ms: 1700, output: None });
        let mut properties = LocalProperties::default();
        set.iter().for_each(|(key, value)| properties.set(key, Some(value)));
        self.tell(Event::Submit { job: JobId(job), plan, batch, properties });
    }

    pub(in crate::scheduler) fn tell(&mut self, event: Event) {
        for action in self.scheduler.handle(event) {
            match action {
                Action::Launch(task) => self.running.push(task),
                Action::Forget(_, job) => drop(job),
                Action::LetGo(left) => drop(left),
                Action::Count(updates) => self.counted.push(updates),
                Action::Finish(job, result) => self.finished.push((job.0, result)),
            }
        }
    }

    /// What has been launched and has not ended, in order.
    pub(in crate::scheduler) fn running(&self) -> Vec<Name> {
        self.running.iter().map(|task| (task.id.stage.0, task.id.partition, task.id.attempt)).collect()
    }

    pub(in crate::scheduler) fn take(&mut self, name: Name) -> Task {
        let at = self.running().iter().position(|&other| other == name);
        self.running.remove(at.unwrap_or_else(|| panic!("{name:?} is not among {:?}", self.running())))
    }

    /// Ends a task well: it takes all it is given and makes the numbers of its partition and attempt.
    pub(in crate::scheduler) fn succeed(&mut self, name: Name) {
        let task = self.take(name);
        read(&task);
        self.report_success(&task);
    }

    pub(in crate::scheduler) fn report_success(&mut self, task: &Task) {
        let made = (task.id.partition, task.id.attempt);
        let made = match &task.work {
            Work::Action(_) => Made::Value(Box::new(made)),
            Work::Shuffle(shuffle, _) => Made::Buckets(
                (0..shuffle.reducers()).map(|_| Box::new(OneBucket::of(vec![made])) as Bucket).collect(),
            ),
        };
        let output = Output { made, updates: Updates::of_test(task.id) };
        self.tell(Event::TaskEnded { task: task.id, how: Ended::Succeeded(output) });
    }

    pub(in crate::scheduler) fn succeed_all(&mut self, names: impl IntoIterator<Item = Name>) {
        names.into_iter().for_each(|name| self.succeed(name));
    }

    pub(in crate::scheduler) fn fail(&mut self, task: TaskId) {
        self.fail_with(task, Error::user("no luck"));
    }

    pub(in crate::scheduler) fn fail_with(&mut self, task: TaskId, cause: Error) {
        let failure = TaskFailure { operator: "map at f.rs:1:2".into(), cause };
        self.tell(Event::TaskEnded { task, how: Ended::Failed(failure) });
    }

    pub(in crate::scheduler) fn lose(&mut self, task: TaskId) {
        self.tell(Event::TaskEnded { task, how: Ended::Lost("gone".into()) });
    }

    /// The values of the one job that has finished.
    pub(in crate::scheduler) fn values(&mut self) -> Vec<(usize, u32)> {
        assert_eq!(self.finished.len(), 1);
        let (_, result) = self.finished.remove(0);
        result.unwrap().into_iter().map(|value| *value.downcast().unwrap()).collect()
    }

    /// The failure of the one job that has finished.
    pub(in crate::scheduler) fn failure(&mut self) -> Error {
        assert_eq!(self.finished.len(), 1);
        self.finished.remove(0).1.err().unwrap()
    }
}

/// Takes the buckets a task reads if each task reads those of its own number; returns what the map tasks made of them.
pub(in crate::scheduler) fn read(task: &Task) -> Vec<Vec<Vec<(usize, u32)>>> {
    let records = |bucket: OneBucket<_>| bucket.copy().unwrap();
    let read =
        |made: &ShuffleOutputs| made.read(task.id.partition).unwrap().into_iter().map(records).collect();
    task.inputs.iter().map(|(_, made)| read(made)).collect()
}
