//! Panics of users' closures: where they happened and what they said.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Some while this thread runs a task; then the last panic's place.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `f`, which catches its panics, and describes one: message and place.
///
/// While `f` runs a panic on this thread prints nothing: the failure of the task will tell.
pub(crate) fn noted<R>(f: impl FnOnce() -> Result<R, Box<dyn Any + Send>>) -> Result<R, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !note(info) {
                others(info);
            }
        }));
    });
    // Code of a task may end other jobs, and so count what their tasks have added.
    let outer = PLACE.replace(Some(String::new()));
    let result = f();
    let place = PLACE.replace(outer).unwrap_or_default();
    result.map_err(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("a value that is no text");
        if place.is_empty() {
            format!("panicked: {message}")
        } else {
            format!("panicked at {place}: {message}")
        }
    })
}

/// Calls what drops values whose `Drop` may be the user's code: its panic is told, and whoever lets go of them goes on.
pub(crate) fn let_go(what: &str, drop: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(drop)).is_err() {
        tracing::error!("{what} panicked when it was dropped; it is gone all the same");
    }
}

fn note(info: &PanicHookInfo<'_>) -> bool {
    PLACE
        .try_with(|place| match &mut *place.borrow_mut() {
            Some(place) => {
                *place = info.location().map(ToString::to_string).unwrap_or_default();
                true
            }
            None => false,
        })
        .unwrap_or(false)
}
