//! Closes what pools hold: what lies idle for too long, and what belongs to a context that was stopped.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A pool, whatever it holds.
pub(super) trait AnyPool: Sync {
    /// Closes what has lain idle for too long; returns when the next one will have.
    fn close_idle(&self, now: Instant) -> Option<Instant>;

    /// Closes what tasks of the context have used.
    fn close_of(&self, context: u64);
}

struct Pools {
    list: Vec<&'static dyn AnyPool>,
    /// When the next one will have lain idle for too long, as far as is known.
    next: Option<Instant>,
    /// Whether there is a thread that waits for it.
    watched: bool,
    /// The contexts that were stopped and are still held: their tasks may end later.
    stopped: BTreeSet<u64>,
}

static POOLS: Mutex<Pools> =
    Mutex::new(Pools { list: Vec::new(), next: None, watched: false, stopped: BTreeSet::new() });

static SOONER: Condvar = Condvar::new();

fn pools() -> MutexGuard<'static, Pools> {
    POOLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds a pool to those that are looked after.
pub(super) fn list(pool: &'static dyn AnyPool) {
    pools().list.push(pool);
}

pub(super) fn is_stopped(context: u64) -> bool {
    pools().stopped.contains(&context)
}

/// Closes what the tasks of a context have used, now and from now on.
pub(crate) fn context_stopped(context: u64) {
    let mut pools = pools();
    pools.stopped.insert(context);
    let list = pools.list.clone();
    drop(pools);
    list.iter().for_each(|pool| pool.close_of(context));
}

/// Closes what the tasks of a context have used whose last handle has gone.
pub(crate) fn context_ended(context: u64) {
    let mut pools = pools();
    pools.stopped.remove(&context);
    let list = pools.list.clone();
    drop(pools);
    list.iter().for_each(|pool| pool.close_of(context));
}

/// Takes note that something will have lain idle for too long then.
pub(super) fn due(at: Instant) {
    let mut pools = pools();
    if pools.next.is_some_and(|next| next <= at) {
        return;
    }
    pools.next = Some(at);
    if pools.watched {
        SOONER.notify_one();
        return;
    }
    match std::thread::Builder::new().name("worker-pool-closing".into()).spawn(watch) {
        Ok(_) => pools.watched = true,
        // Closed all the same, when it is next asked for or its context ends.
        Err(error) => tracing::warn!("idle connections of worker pools stay open: no thread ({error})"),
    }
}

/// Closes what lies idle, until nothing does any more.
fn watch() {
    let mut pools = pools();
    while let Some(next) = pools.next {
        let now = Instant::now();
        if now < next {
            pools = SOONER.wait_timeout(pools, next - now).unwrap_or_else(PoisonError::into_inner).0;
            continue;
        }
        pools.next = None;
        let list = pools.list.clone();
        drop(pools);
        let next = list.iter().filter_map(|pool| pool.close_idle(now)).min();
        pools = self::pools();
        // What was given back meanwhile is noted already.
        pools.next = pools.next.into_iter().chain(next).min();
    }
    pools.watched = false;
}
