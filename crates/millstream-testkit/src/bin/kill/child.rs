//! The child: runs the pipeline until it is killed, or until its parent closes its input.

use std::io::Read;

use millstream_streaming::{Error, Result, StreamingContext};

use crate::pipeline::{Life, describe};
use crate::say;

/// Goes on where the last child died.
pub(crate) fn run(life: &Life) -> Result<()> {
    let running = find(life)?.start()?;
    let stop = running.stop_handle();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        if let Err(error) = stop.stop(true, true) {
            say(format_args!("child: the streams can not be stopped: {error}"));
        }
    });
    running.await_termination()
}

fn find(life: &Life) -> Result<StreamingContext> {
    let Some(savepoint) = &life.savepoint else {
        return StreamingContext::get_or_create(&life.checkpoint, || describe(life));
    };
    // One that died before its first checkpoint begins with the savepoint again.
    match StreamingContext::recover(&life.checkpoint, || describe(life)) {
        Err(Error::NoCheckpoint { .. }) => StreamingContext::from_savepoint(savepoint, || describe(life)),
        found => found,
    }
}
