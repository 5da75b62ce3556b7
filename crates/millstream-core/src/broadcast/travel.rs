//! How broadcast values come to other processes: each at most once, with the first task that needs it.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use crate::data::Data;
use crate::error::{Error, Result};
use crate::function;
use crate::variables::{AnyVariable, Directory, VariableId};

/// The values that contexts of this process have broadcast.
pub(crate) static OWNED: Directory<dyn Any + Send + Sync> = Directory::new();

/// A broadcast whose type has been forgotten.
pub(crate) trait AnyBroadcast: Send + Sync {
    fn id(&self) -> VariableId;
    /// Returns a number that changes when the copies in other processes are to be freed; none once it was destroyed.
    fn version(&self) -> Option<u64>;
    fn destroyed(&self) -> Error;
    fn encode(&self) -> Result<Vec<u8>>;
}

thread_local! {
    /// Some while this thread describes a task: the broadcasts whose handles were written.
    static MENTIONED: RefCell<Option<Vec<Arc<dyn AnyBroadcast>>>> = const { RefCell::new(None) };
}

/// Takes note that a handle was written, if someone wants to know.
pub(crate) fn mentioned(broadcast: impl FnOnce() -> Arc<dyn AnyBroadcast>) {
    MENTIONED.with_borrow_mut(|all| all.as_mut().map(|all| all.push(broadcast())));
}

/// Runs `f`; returns also the broadcasts whose handles it wrote.
fn mentioned_by<R>(f: impl FnOnce() -> R) -> (R, Vec<Arc<dyn AnyBroadcast>>) {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            MENTIONED.set(None);
        }
    }
    MENTIONED.set(Some(Vec::new()));
    let _leave = Leave;
    let result = f();
    (result, MENTIONED.take().unwrap_or_default())
}

/// What another process was sent, as the driver knows it; goes with the connection.
#[derive(Default)]
pub struct Peer {
    has: HashMap<VariableId, (u64, Weak<dyn AnyBroadcast>)>,
    values_sent: usize,
}

/// What must be sent along with a task.
#[derive(Default)]
pub(crate) struct Delivery {
    /// What the process need not keep any longer.
    pub(crate) forget: Vec<VariableId>,
    pub(crate) values: Vec<(VariableId, Vec<u8>)>,
}

impl Peer {
    /// Returns how many broadcast values the process was sent.
    #[must_use]
    pub fn values_sent(&self) -> usize {
        self.values_sent
    }

    /// Writes something; returns also the broadcasts mentioned in it that the process has not got, and what it may forget.
    pub(crate) fn deliver<R>(&mut self, write: impl FnOnce() -> Result<R>) -> Result<(R, Delivery)> {
        let mut delivery = Delivery::default();
        self.has.retain(|&id, (version, broadcast)| {
            let stays = broadcast.upgrade().is_some_and(|broadcast| broadcast.version() == Some(*version));
            if !stays {
                delivery.forget.push(id);
            }
            stays
        });
        let (written, mut wanted) = mentioned_by(write);
        let written = written?;
        let mut added = HashMap::new();
        while let Some(broadcast) = wanted.pop() {
            let id = broadcast.id();
            if self.has.contains_key(&id) || added.contains_key(&id) {
                continue;
            }
            let version = broadcast.version().ok_or_else(|| broadcast.destroyed())?;
            // A value may hold handles of others.
            let (bytes, more) = mentioned_by(|| broadcast.encode());
            delivery.values.push((id, bytes?));
            wanted.extend(more);
            added.insert(id, (version, Arc::downgrade(&broadcast)));
        }
        self.values_sent += added.len();
        self.has.extend(added);
        Ok((written, delivery))
    }
}

/// A value this process was sent.
enum Received {
    /// Not read yet: its type is known to the first handle.
    Bytes(Arc<[u8]>),
    Value(AnyVariable),
}

static RECEIVED: LazyLock<Mutex<HashMap<VariableId, Received>>> = LazyLock::new(Mutex::default);

/// No value is dropped under this lock, nor read.
fn received() -> MutexGuard<'static, HashMap<VariableId, Received>> {
    RECEIVED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a value for the tasks that need it.
pub(crate) fn keep(id: VariableId, bytes: Vec<u8>) {
    let old = received().insert(id, Received::Bytes(bytes.into()));
    drop(old);
}

/// Frees values that no task needs any more.
pub(crate) fn forget(ids: &[VariableId]) {
    let ids: HashSet<_> = ids.iter().collect();
    let freed: Vec<_> = received().extract_if(|id, _| ids.contains(id)).collect();
    drop(freed);
}

/// Returns how many broadcast values this process was sent and still keeps.
#[must_use]
pub fn values_kept() -> usize {
    received().len()
}

/// Returns what the handle of a number is to refer to; `make` is called with a value this process was sent.
pub(super) fn find<T: Data, V: Any + Send + Sync>(
    id: VariableId,
    make: impl FnOnce(T) -> V,
) -> Result<Arc<V>, String> {
    let typed = |variable: AnyVariable| {
        variable.downcast::<V>().map_err(|_| format!("broadcast {} has a value of another type", id.number))
    };
    if let Some(owned) = OWNED.find(id) {
        return typed(owned);
    }
    let bytes = match received().get(&id) {
        Some(Received::Value(value)) => return typed(Arc::clone(value)),
        Some(Received::Bytes(bytes)) => Arc::clone(bytes),
        None => {
            return Err(format!(
                "broadcast {} is not known in this process; it may have been made before a restart: broadcast the \
                 value again",
                id.number
            ));
        }
    };
    let value = function::decode("broadcast value", &bytes).map_err(|error| error.to_string())?;
    let made: AnyVariable = Arc::new(make(value));
    let mut received = received();
    let (kept, unused) = match received.get_mut(&id) {
        // Another task was faster: all share one value.
        Some(Received::Value(other)) => (Arc::clone(other), None),
        Some(slot) => (Arc::clone(&made), Some(std::mem::replace(slot, Received::Value(Arc::clone(&made))))),
        None => (Arc::clone(&made), None),
    };
    drop(received);
    drop(unused);
    typed(kept)
}
