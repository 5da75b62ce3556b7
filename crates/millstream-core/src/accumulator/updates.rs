//! What a task has added to accumulators: kept with the task, counted when its result is taken.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Accumulator;
use crate::error::{Error, Result};
use crate::function;
use crate::scheduler::panics;
use crate::variables::{Directory, VariableId};

/// The accumulators that contexts of this process have made.
pub(crate) static ACCUMULATORS: Directory<dyn AnyAccumulator> = Directory::new();

/// An accumulator whose type has been forgotten.
pub(crate) trait AnyAccumulator: Any + Send + Sync {
    fn id(&self) -> VariableId;
    fn name(&self) -> Option<&str>;
    fn merge(&self, update: Box<dyn AnyUpdate>) -> Result<()>;
    fn merge_bytes(&self, type_hash: u64, bytes: &[u8]) -> Result<()>;
    /// Returns the value as text.
    fn text(&self) -> String;
}

/// The state of an accumulator whose type has been forgotten.
pub(crate) trait AnyUpdate: Any + Send {
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn encode(&self) -> Result<(u64, Vec<u8>)>;
}

impl<A: Accumulator> AnyUpdate for A {
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn encode(&self) -> Result<(u64, Vec<u8>)> {
        Ok((function::type_hash::<A>(), function::encode("accumulator update", self)?))
    }
}

/// What one task has added to one accumulator.
struct Update {
    id: VariableId,
    /// Nothing while an `add` of the user's is at work on it.
    state: Option<Box<dyn AnyUpdate>>,
    /// Kept until the update is counted: the task's closure may have held the last handle.
    target: Arc<dyn AnyAccumulator>,
}

thread_local! {
    /// Some while this thread runs a task.
    static UPDATES: RefCell<Option<Vec<Update>>> = const { RefCell::new(None) };
}

/// What a task has added to accumulators.
#[derive(Default)]
pub(crate) struct Updates {
    here: Vec<Update>,
    sent: Vec<SentUpdate>,
}

/// What a task in another process has added to one accumulator.
#[derive(Serialize, Deserialize)]
pub(crate) struct SentUpdate {
    id: VariableId,
    type_hash: u64,
    bytes: Vec<u8>,
}

/// Begins to keep what is added on this thread.
pub(crate) fn begin() {
    UPDATES.set(Some(Vec::new()));
}

/// Ends it; returns what was added.
pub(crate) fn end() -> Updates {
    Updates { here: UPDATES.take().unwrap_or_default(), sent: Vec::new() }
}

/// Changes what the task on this thread has added to an accumulator; gives the value back outside of tasks.
pub(super) fn of_task<A: Accumulator, V>(
    target: &Arc<impl AnyAccumulator>,
    id: VariableId,
    zero: impl FnOnce() -> A,
    value: V,
    change: impl FnOnce(&mut A, V),
) -> Option<V> {
    // The user's code runs while nothing is borrowed: it may add to other accumulators.
    let taken = UPDATES.with_borrow_mut(|updates| {
        let updates = updates.as_mut()?;
        let at = updates.iter().position(|update| update.id == id).unwrap_or_else(|| {
            let target: Arc<dyn AnyAccumulator> = Arc::clone(target) as _;
            updates.push(Update { id, state: None, target });
            updates.len() - 1
        });
        Some((at, updates.get_mut(at)?.state.take()))
    });
    let Some((at, state)) = taken else { return Some(value) };
    let mut state = state.unwrap_or_else(|| Box::new(zero()));
    if let Some(state) = state.as_any_mut().downcast_mut() {
        change(state, value);
    }
    UPDATES.with_borrow_mut(|updates| {
        if let Some(update) = updates.as_mut().and_then(|updates| updates.get_mut(at)) {
            update.state = Some(state);
        }
    });
    None
}

/// Looks at what the task on this thread has added to an accumulator, if there is a task, and if it has added anything.
pub(super) fn look<A: Accumulator, R>(id: VariableId, f: impl Fn(&A) -> R) -> Option<Option<R>> {
    UPDATES.with_borrow(|updates| {
        let update = updates.as_ref()?.iter().find(|update| update.id == id);
        Some(update.and_then(|update| Some(f(update.state.as_ref()?.as_any().downcast_ref()?))))
    })
}

impl Updates {
    pub(crate) fn is_empty(&self) -> bool {
        self.here.is_empty() && self.sent.is_empty()
    }

    /// Turns them into bytes; those of accumulators of the context `own` are for the same ones of another process.
    pub(crate) fn encode(&self, own: u64) -> Result<Vec<SentUpdate>> {
        let mut sent = Vec::new();
        for Update { id, state, .. } in &self.here {
            let Some(state) = state else { continue };
            let (type_hash, bytes) = state.encode()?;
            let context = if id.context == own { OF_THE_PROGRAM } else { id.context };
            sent.push(SentUpdate { id: VariableId { context, ..*id }, type_hash, bytes });
        }
        Ok(sent)
    }

    /// Takes what came back from another process to a driver whose context is `own`.
    pub(crate) fn decode(mut sent: Vec<SentUpdate>, own: u64) -> Updates {
        for update in &mut sent {
            if update.id.context == OF_THE_PROGRAM {
                update.id.context = own;
            }
        }
        Updates { here: Vec::new(), sent }
    }

    /// Adds them to their accumulators; what one of these can not take is told, and costs the others nothing.
    pub(crate) fn count(self) {
        for Update { target, state, .. } in self.here {
            if let Some(state) = state {
                add_to(target, |target| target.merge(state));
            }
        }
        for SentUpdate { id, type_hash, bytes } in self.sent {
            // One that nobody holds any more can not be read either.
            if let Some(target) = ACCUMULATORS.find(id) {
                add_to(target, |target| target.merge_bytes(type_hash, &bytes));
            }
        }
    }
}

#[cfg(test)]
impl Updates {
    /// What a task of a test has added: its own number.
    pub(crate) fn of_test(task: crate::ids::TaskId) -> Updates {
        let id = VariableId { context: task.stage.0 + 1, number: task.partition as u64 };
        let bytes = function::encode("test", &task).unwrap_or_default();
        Updates { here: Vec::new(), sent: vec![SentUpdate { id, type_hash: 0, bytes }] }
    }

    /// The task of a test that has added them.
    pub(crate) fn task_of_test(&self) -> Option<crate::ids::TaskId> {
        function::decode("test", &self.sent.first()?.bytes).ok()
    }
}

/// Stands for the context of the graph, which each process has made for itself; no context has this number.
const OF_THE_PROGRAM: u64 = 0;

/// Calls the user's code; the task has ended well, so its job goes on whatever becomes of that.
fn add_to(target: Arc<dyn AnyAccumulator>, merge: impl FnOnce(&dyn AnyAccumulator) -> Result<()>) {
    let merged = panics::noted(|| catch_unwind(AssertUnwindSafe(|| merge(&*target))));
    if let Err(error) = merged.unwrap_or_else(|panic| Err(Error::user(panic))) {
        let name = target.name().unwrap_or("without a name");
        tracing::error!("what a task added to accumulator {} ({name}) is lost: {error}", target.id().number);
    }
    // Perhaps the last handle.
    panics::let_go("an accumulator", || drop(target));
}
