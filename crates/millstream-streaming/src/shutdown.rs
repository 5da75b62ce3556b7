//! What becomes of running streams when the process is told to end.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::error::{Error, Result};

/// What is to be done at the first signal.
type Stop = Box<dyn FnOnce() + Send>;

static STATE: Mutex<State> =
    Mutex::new(State { next: 0, stops: BTreeMap::new(), listens: false, told: false });

struct State {
    next: u64,
    stops: BTreeMap<u64, Stop>,
    /// There is a thread that waits for signals.
    listens: bool,
    /// A signal has come: the next one ends the process.
    told: bool,
}

/// Streams that are to be stopped at a signal, until this is dropped.
#[derive(Debug)]
pub(crate) struct Registration(u64);

impl Drop for Registration {
    fn drop(&mut self) {
        let stop = state().stops.remove(&self.0);
        drop(stop); // outside of the lock: it may hold the last handle of much
    }
}

/// Calls `stop` on a thread of its own at the first SIGTERM or SIGINT.
///
/// The second one ends the process as if nobody listened, and so does the first when there is nothing to stop.
pub(crate) fn at_signal(stop: impl FnOnce() + Send + 'static) -> Result<Registration> {
    let mut state = state();
    if !state.listens {
        let name = "streaming-signals";
        let signals = Signals::new([SIGINT, SIGTERM]).map_err(|error| Error::thread(name, error))?;
        let listening = thread::Builder::new().name(name.into()).spawn(move || listen(signals));
        listening.map_err(|error| Error::thread(name, error))?;
        state.listens = true;
    }
    let number = state.next;
    state.next += 1;
    state.stops.insert(number, Box::new(stop));
    Ok(Registration(number))
}

fn listen(mut signals: Signals) {
    for signal in signals.forever() {
        let (told, stops) = {
            let mut state = state();
            (std::mem::replace(&mut state.told, true), std::mem::take(&mut state.stops))
        };
        if told || stops.is_empty() {
            // Ends the process by the signal, as its parent expects it.
            if let Err(error) = emulate_default_handler(signal) {
                tracing::error!("signal {signal} can not be given its default effect: {error}");
            }
        }
        tracing::info!("signal {signal}: the streams are stopped gracefully; a second one ends at once");
        for stop in stops.into_values() {
            if let Err(error) = thread::Builder::new().name("streaming-stop".into()).spawn(stop) {
                tracing::error!("no thread can be started to stop streams: {error}");
            }
        }
    }
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}
