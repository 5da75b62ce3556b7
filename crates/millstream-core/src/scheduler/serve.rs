//! Runs tasks that were described by another process of the same program.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use super::action::RebuildAction;
use super::description::{Buckets, Description, Message, NodeSpec, Reply, WorkSpec};
use super::stage::{KeptRdds, ReadShuffle, shuffles_read_by};
use super::task::{Made, Output, Task, Work};
use crate::broadcast::travel;
pub use crate::broadcast::travel::values_kept;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::function::{self, build_id};
use crate::ids::TaskId;
use crate::operator::{self, Operator};
use crate::rdd::lineage;
use crate::rdd::{AnyRdd, Dependency, Rebuild, Rebuilding};
use crate::shuffle::{Bucket, ShuffleOutputs};
use crate::storage::cache::Trust;
use crate::task::BatchId;
use crate::variables::VariableId;

/// The operators of this process's graph, by their ids.
pub trait Operators: Sync {
    /// Returns an operator.
    fn operator(&self, id: &str) -> Option<Arc<Operator>>;

    /// Applies an operator to RDDs: makes the same RDDs in the same order as in the process that described the task.
    ///
    /// # Errors
    /// If there is no such operator, or the RDDs are not what it is applied to.
    fn apply(&self, id: &str, inputs: Vec<AnyRdd>, batch: Option<BatchId>) -> Result<()>;
}

/// The largest frame that is read: a length beyond it is taken for garbage.
const MAX_FRAME: u64 = 4 << 30;

/// Writes a frame: its length in eight bytes, then the bytes.
///
/// # Errors
/// If the other side is gone.
pub fn write_frame(to: &mut impl Write, bytes: &[u8]) -> Result<()> {
    let write = |to: &mut dyn Write| {
        to.write_all(&(bytes.len() as u64).to_le_bytes())?;
        to.write_all(bytes)?;
        to.flush()
    };
    write(to).map_err(|error| Error::io("writing to the other process", error))
}

/// Reads a frame, or nothing if the other side has closed.
///
/// # Errors
/// If the frame is cut short or unreasonably long.
pub fn read_frame(from: &mut impl Read) -> Result<Option<Vec<u8>>> {
    let failed = |error| Error::io("reading from the other process", error);
    let mut len = [0; 8];
    match from.read_exact(&mut len) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other.map_err(failed)?,
    }
    let len = u64::from_le_bytes(len);
    if len > MAX_FRAME {
        return Err(Error::Codec { what: "frame".into(), problem: format!("{len} bytes are too many") });
    }
    let mut bytes = Vec::new();
    let read = from.take(len).read_to_end(&mut bytes).map_err(failed)?;
    if (read as u64) < len {
        return Err(Error::Codec { what: "frame".into(), problem: "it was cut short".into() });
    }
    Ok(Some(bytes))
}

/// Says hello to the driver, then runs the tasks it sends, one after the other, until it closes the connection.
///
/// # Errors
/// If the connection breaks.
pub fn serve(
    context: &Context,
    operators: &dyn Operators,
    from: &mut impl Read,
    to: &mut (impl Write + Send),
) -> Result<()> {
    write_frame(to, &build_id()?.to_le_bytes())?;
    let (tasks, received) = mpsc::channel();
    let work = move || -> Result<()> {
        lineage::on_large_stack();
        for Received { task, cancelled } in received {
            let reply = run(context, operators, &task, cancelled).unwrap_or_else(|error| Reply::Failed {
                operator: "reading the task".into(),
                cause: error.to_string(),
            });
            write_frame(to, &function::encode("task reply", &reply)?)?;
        }
        Ok(())
    };
    // Tasks run on a thread of their own, so that this one hears when they are no longer wanted.
    thread::scope(|scope| {
        let worker = thread::Builder::new().name("tasks".into()).stack_size(lineage::LARGE_STACK);
        let worker = worker.spawn_scoped(scope, work);
        let worker = worker.map_err(|error| Error::io("starting the thread of tasks", error))?;
        let listened = listen(from, &tasks);
        drop(tasks);
        let worked = worker.join().map_err(|_| Error::poisoned("the thread of tasks panicked"))?;
        listened.and(worked)
    })
}

/// A task that has arrived.
struct Received {
    task: Vec<u8>,
    cancelled: Arc<AtomicBool>,
}

/// Hands tasks on until the connection is closed, and cancels the last one when it is told so.
fn listen(from: &mut impl Read, tasks: &mpsc::Sender<Received>) -> Result<()> {
    let mut last: Option<(TaskId, Arc<AtomicBool>)> = None;
    while let Some(bytes) = read_frame(from)? {
        match function::decode("message", &bytes)? {
            Message::Run { id, forget, values, task } => {
                receive(&forget, values, from)?;
                let cancelled = Arc::default();
                last = Some((id, Arc::clone(&cancelled)));
                if tasks.send(Received { task, cancelled }).is_err() {
                    return Ok(()); // the other thread knows why it has ended
                }
            }
            Message::Cancel(id) => {
                if let Some((running, cancelled)) = &last
                    && *running == id
                {
                    cancelled.store(true, Ordering::Relaxed);
                }
            }
        }
    }
    Ok(())
}

/// Reads the hello of another process.
///
/// # Errors
/// If it runs another binary: addresses of code would mean something else there.
pub fn read_hello(from: &mut impl Read) -> Result<()> {
    let hello = read_frame(from)?.unwrap_or_default();
    if hello == build_id()?.to_le_bytes() {
        return Ok(());
    }
    Err(Error::Codec {
        what: "hello of another process".into(),
        problem: "it runs another build of the program; start driver and executors from the same binary"
            .into(),
    })
}

/// Takes the values that come with a task, and frees those that are not needed any longer.
fn receive(forget: &[VariableId], values: Vec<VariableId>, from: &mut impl Read) -> Result<()> {
    travel::forget(forget);
    for id in values {
        let value = read_frame(from)?;
        travel::keep(id, value.ok_or_else(|| Error::user("the driver is gone"))?);
    }
    Ok(())
}

fn run(
    context: &Context,
    operators: &dyn Operators,
    bytes: &[u8],
    cancelled: Arc<AtomicBool>,
) -> Result<Reply> {
    let description: Description = function::decode("task", bytes)?;
    let mut rdds: Vec<AnyRdd> = Vec::new();
    for node in &description.nodes {
        rdds.push(rebuild(context, operators, node, &rdds)?);
    }
    let work = work(&description.work, &rdds)?;
    let mut inputs = Vec::new();
    for (read, given) in
        shuffles_read_by(&work.rdd(), &KeptRdds::new(Trust::Never))?.into_iter().zip(&description.inputs)
    {
        inputs.push((read.shuffle.id(), input(&read, given)?));
    }
    let task = Task {
        id: description.id,
        work: work.clone(),
        batch: description.batch,
        properties: description.properties,
        cancelled,
        inputs,
    };
    Ok(match (task.run(), work) {
        (Ok(Output { made: Made::Buckets(buckets), updates }), Work::Shuffle(shuffle, _)) => {
            let buckets = buckets.iter().map(|bucket| shuffle.encode(bucket)).collect::<Result<_>>()?;
            Reply::Buckets(buckets, updates.encode(context.number())?)
        }
        (Ok(Output { made: Made::Value(value), updates }), Work::Action(action)) => {
            Reply::Value(action.encode(value)?, updates.encode(context.number())?)
        }
        (Err(failure), _) => Reply::Failed { operator: failure.operator, cause: failure.cause.to_string() },
        _ => return Err(Error::poisoned("a task made the output of another")),
    })
}

fn rebuild(context: &Context, operators: &dyn Operators, node: &NodeSpec, rdds: &[AnyRdd]) -> Result<AnyRdd> {
    let pick = |places: &[usize]| places.iter().map(|&at| at_place(rdds, at)).collect::<Result<Vec<_>>>();
    match node {
        NodeSpec::Operator { operator, ordinal, inputs, batch } => {
            let found = operators.operator(operator).ok_or_else(|| Error::Codec {
                what: format!("operator `{operator}`"),
                problem: "this process's graph has no such operator; driver and executors must build the same graph"
                    .into(),
            })?;
            let inputs = pick(inputs)?;
            let mut applied = Ok(());
            let made = operator::apply_again(&found, inputs.clone(), || {
                applied = operators.apply(operator, inputs, *batch);
            });
            applied?;
            at_place(&made, *ordinal)
        }
        NodeSpec::Code { operator, build, env, parents, partitions, splits } => {
            // SAFETY: the address was made of a `Rebuild` by a process of the same binary: the hello has compared them.
            let rebuild = unsafe { std::mem::transmute::<usize, Rebuild>(build.pointer()) };
            let parents = pick(parents)?;
            let from = Rebuilding {
                context,
                parents: &parents,
                build: *build,
                env,
                partitions: *partitions,
                splits,
            };
            operator::apply(&Arc::new(operator.clone()), parents.clone(), || rebuild(&from))
        }
    }
}

fn work(spec: &WorkSpec, rdds: &[AnyRdd]) -> Result<Work> {
    match spec {
        WorkSpec::Shuffle { reader, dependency } => {
            let reader = at_place(rdds, *reader)?;
            match reader.dependencies().get(*dependency) {
                Some(Dependency::Shuffle(shuffle)) => {
                    Ok(Work::Shuffle(Arc::clone(shuffle), Arc::clone(&reader)))
                }
                _ => Err(Error::Codec {
                    what: "task description".into(),
                    problem: "there is no shuffle where it says".into(),
                }),
            }
        }
        WorkSpec::Action { rdd, operator, build, env } => {
            // SAFETY: the address was made of a `RebuildAction` by a process of the same binary.
            let rebuild = unsafe { std::mem::transmute::<usize, RebuildAction>(build.pointer()) };
            Ok(Work::Action(rebuild(at_place(rdds, *rdd)?, operator.clone(), *build, env)?))
        }
    }
}

/// Puts the buckets a task was given where it will look for them.
fn input(read: &ReadShuffle, given: &[Buckets]) -> Result<Arc<ShuffleOutputs>> {
    let decoded = |buckets: &Buckets| -> Result<Vec<Bucket>> {
        buckets.by_map_task.iter().map(|bytes| read.shuffle.decode(bytes)).collect()
    };
    if let [one] = given
        && !read.again
    {
        return Ok(Arc::new(ShuffleOutputs::of_one(decoded(one)?, one.reducer)));
    }
    let reducers = read.shuffle.reducers();
    let map_tasks = given.first().map_or(0, |buckets| buckets.by_map_task.len());
    // What was not given is not read: something that is no bucket stands in for it.
    let none = || (0..reducers).map(|_| Box::new(()) as Bucket).collect();
    let mut by_map_task: Vec<Vec<Bucket>> = (0..map_tasks).map(|_| none()).collect();
    for buckets in given {
        for (made, bucket) in by_map_task.iter_mut().zip(decoded(buckets)?) {
            if let Some(slot) = made.get_mut(buckets.reducer) {
                *slot = bucket;
            }
        }
    }
    Ok(Arc::new(ShuffleOutputs::new(by_map_task, reducers, true)))
}

fn at_place(rdds: &[AnyRdd], at: usize) -> Result<AnyRdd> {
    rdds.get(at).cloned().ok_or_else(|| Error::Codec {
        what: "task description".into(),
        problem: format!("there is no RDD at place {at}"),
    })
}
