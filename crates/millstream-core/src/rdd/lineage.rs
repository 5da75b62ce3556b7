//! What long lineages need: neither computing nor dropping one may overflow the stack.

use std::any::Any;
use std::cell::{Cell, RefCell};

use crate::error::{Error, Result};
use crate::operator::Operator;

/// The stack of a thread that calls [`on_large_stack`]. Only what is used of it is ever backed by memory.
pub(crate) const LARGE_STACK: usize = 64 << 20;

/// How many RDDs may be computed from each other in one stage: unoptimized code takes up to 3 kB of stack for each.
const DEPTH_ON_LARGE_STACK: usize = 16_384;
/// The same on a thread of someone else's, which has 2 MB as a rule.
const DEPTH_ELSEWHERE: usize = 512;

thread_local! {
    static LIMIT: Cell<usize> = const { Cell::new(DEPTH_ELSEWHERE) };
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Some while this thread drops what is in it.
    static REMAINS: RefCell<Option<Vec<Box<dyn Any>>>> = const { RefCell::new(None) };
}

/// Says that the current thread has a stack of [`LARGE_STACK`].
pub(crate) fn on_large_stack() {
    LIMIT.set(DEPTH_ON_LARGE_STACK);
}

/// Runs `f`, which computes an RDD from others, unless that is nested too deeply for the stack.
pub(super) fn deeper<R>(operator: &Operator, f: impl FnOnce() -> Result<R>) -> Result<R> {
    struct Leave(usize);
    impl Drop for Leave {
        fn drop(&mut self) {
            DEPTH.set(self.0);
        }
    }
    let depth = DEPTH.get();
    if depth >= LIMIT.get() {
        return Err(Error::Argument {
            operator: operator.to_string(),
            problem: format!("in one stage there are more than {depth} operators on it"),
            remedy: "call `local_checkpoint` on an RDD on the way from time to time, then run an action"
                .into(),
        });
    }
    let _leave = Leave(depth);
    DEPTH.set(depth + 1);
    f()
}

/// Drops what an RDD was made of.
///
/// The RDDs in it that go with it do not drop what they are made of in turn, one within the other, but leave that to the
/// outermost call.
pub(super) fn drop_flat(remains: Box<dyn Any>) {
    /// Leaves nothing behind also when someone's `Drop` panics.
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            let _ = REMAINS.try_with(|all| all.take());
        }
    }
    let mut remains = Some(remains);
    let outermost = REMAINS.try_with(|all| match &mut *all.borrow_mut() {
        Some(all) => {
            all.extend(remains.take());
            false
        }
        none => {
            *none = Some(Vec::new());
            true
        }
    });
    // While the thread itself ends there is no such place any more.
    if !outermost.unwrap_or(false) {
        return;
    }
    let _leave = Leave;
    while let Some(next) = remains.take() {
        drop(next);
        remains = REMAINS.with_borrow_mut(|all| all.as_mut().and_then(Vec::pop));
    }
}
