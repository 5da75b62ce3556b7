//! What can go wrong while streams are described, received or run.

use std::fmt;
use std::sync::Arc;

use crate::receiver::StreamId;
use crate::time::Time;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a stream could not be described, received or run.
///
/// Errors are cheap to clone, because one failure may be reported to several waiters.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A batch could not be described or run.
    #[error(transparent)]
    Core(#[from] millstream_core::Error),
    /// The graph can not be run as it was described; every problem is listed.
    #[error("the streams can not be started:\n{}", .problems.iter().map(|problem| format!("  - {problem}")).collect::<Vec<_>>().join("\n"))]
    Graph {
        /// What is wrong, where, and what to do.
        problems: Vec<String>,
    },
    /// An output operation failed; its batch is the first that was not completed.
    #[error("output {output} ({operator}) of batch {batch} failed: {cause}{}", tried(*.attempts))]
    Output {
        /// The number of the output operation, in the order of their definition.
        output: usize,
        /// The operation, with the place of its call.
        operator: String,
        /// The batch.
        batch: Time,
        /// How often it was tried.
        attempts: u32,
        /// Why.
        cause: Box<Error>,
    },
    /// An output operation failed, and the records of its batch could not be put aside.
    #[error("{cause}; nor could the records be put aside: {problem}")]
    DeadLetter {
        /// Why the output failed.
        cause: Box<Error>,
        /// Why the records could not be put aside.
        problem: Box<Error>,
    },
    /// The jobs of a batch could not be made.
    #[error("batch {batch} could not be generated: {cause}")]
    Generate {
        /// The batch.
        batch: Time,
        /// Why.
        cause: Box<Error>,
    },
    /// The context was asked to stop from a place where that would wait for itself.
    #[error("a streaming context can not be stopped from {place}; use a stop handle on another thread")]
    StopFromWithin {
        /// The place.
        place: &'static str,
    },
    /// A receiver stored records after it was stopped.
    #[error(
        "stream {stream}: the receiver is stopped and its records are refused; end its loop when `is_stopped`"
    )]
    ReceiverStopped {
        /// The stream of the receiver.
        stream: StreamId,
    },
    /// A file that the streams are to be recovered from is not as it was written.
    #[error("{file}: {problem}; {remedy}")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong with it, and where.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// Another live process writes into the checkpoint directory.
    #[error(
        "the checkpoint directory {directory} is in use by {by}; stop that process, or choose another directory"
    )]
    DirectoryInUse {
        /// The directory.
        directory: String,
        /// The process.
        by: String,
    },
    /// There is nothing to recover from.
    #[error(
        "there is no checkpoint in {directory}, nor a savepoint; check the directory: only `get_or_create` starts anew where \
         there is none"
    )]
    NoCheckpoint {
        /// The directory.
        directory: String,
    },
    /// The program keeps something else than the checkpoint holds; nothing was run.
    #[error(
        "the checkpoint of {time} in {directory} does not fit the program:\n{}\nchange the program, or give up what is \
         listed with millstream.recovery.allowStateLoss=true",
        .differences.iter().map(|difference| format!("  - {difference}")).collect::<Vec<_>>().join("\n")
    )]
    Differences {
        /// The directory.
        directory: String,
        /// The last batch of the checkpoint.
        time: Time,
        /// What differs, an operator each.
        differences: Vec<String>,
    },
    /// A receiver stored a block, and it was not stored in time.
    #[error(
        "stream {stream}: a block was not stored within {timeout:?} and may be stored later; store it again, or raise \
         `spark.streaming.receiver.blockStoreTimeout`"
    )]
    BlockNotStored {
        /// The stream of the receiver.
        stream: StreamId,
        /// How long it was waited for.
        timeout: std::time::Duration,
    },
    /// The operating system gave no more threads.
    #[error("can not start the thread `{name}`: {source}; raise the limit of threads (`ulimit -u`)")]
    Thread {
        /// The name of the thread.
        name: String,
        /// The operating system's answer.
        source: Arc<std::io::Error>,
    },
}

fn tried(attempts: u32) -> String {
    if attempts > 1 { format!(" (tried {attempts} times)") } else { String::new() }
}

/// Reads like the message: it is what a program whose `main` returns an error shows its user.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// Returns the exit code with which a program that failed by this error should end: 3 if it does not fit its checkpoint,
    /// else 1.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::Error;
    /// let error = Error::NoCheckpoint { directory: "/data/checkpoints".into() };
    /// assert_eq!(error.exit_code(), 1);
    /// ```
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Error::Differences { .. }) { 3 } else { 1 }
    }

    /// Describes a panic of a user's closure on the driver.
    pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text =
            text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a value that is no text");
        millstream_core::Error::user(format!("panicked: {text}")).into()
    }

    /// Tells why a thread could not be started.
    pub(crate) fn thread(name: impl Into<String>, source: std::io::Error) -> Self {
        Error::Thread { name: name.into(), source: Arc::new(source) }
    }
}
