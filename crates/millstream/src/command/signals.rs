//! Ctrl-C and SIGTERM.

use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Calls `f` at the first signal; the second ends the program at once, with the exit code a shell expects.
pub(super) fn first_to(f: impl FnOnce() + Send + 'static) {
    let signals = match Signals::new([SIGINT, SIGTERM]) {
        Ok(signals) => signals,
        // The program then ends at the first signal, as programs do.
        Err(error) => {
            return tracing::warn!("signals can not be listened to: {error}; Ctrl-C will end at once");
        }
    };
    let waiting = thread::Builder::new().name("signals".to_owned()).spawn(move || wait(signals, f));
    if let Err(error) = waiting {
        tracing::warn!(
            "no thread can be started for signals: {error}; raise the limit of threads (`ulimit -u`)"
        );
    }
}

fn wait(mut signals: Signals, f: impl FnOnce()) {
    let mut come = signals.forever();
    if come.next().is_some() {
        f();
    }
    if let Some(signal) = come.next() {
        std::process::exit(128 + signal);
    }
}
