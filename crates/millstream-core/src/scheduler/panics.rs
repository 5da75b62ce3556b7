//! Panics of users' closures: where they happened and what they said.

use std::any::Any;
use std::cell::RefCell;
use std::panic::PanicHookInfo;
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
    PLACE.set(Some(String::new()));
    let result = f();
    let place = PLACE.take().unwrap_or_default();
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
