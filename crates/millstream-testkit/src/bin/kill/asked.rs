//! A savepoint that the parent asks for while a child runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use millstream_core::{Conf, Context};
use millstream_streaming::checkpoints;

use crate::Result;

/// Asks for a savepoint until there is one, or this is dropped.
pub(crate) struct Asked {
    enough: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Asked {
    /// Begins to ask the program that writes into `checkpoint`, again when it is refused: a program may not have come far enough.
    pub(crate) fn for_savepoint(checkpoint: PathBuf, savepoint: PathBuf) -> Result<Self> {
        let files = Context::new(Conf::empty()).map_err(|error| error.to_string())?.file_systems();
        let enough = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&enough);
        let ask = move || {
            while !told.load(Ordering::Relaxed) {
                let patience = Duration::from_secs(5);
                // That there is no program yet, or no more, is told at once.
                let asked = checkpoints::request_savepoint(&files, &checkpoint, &savepoint, patience);
                if asked.is_ok() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        Ok(Asked { enough, thread: Some(std::thread::spawn(ask)) })
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.enough.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It asks nothing of a program that is dead.
            let _ = thread.join();
        }
    }
}
