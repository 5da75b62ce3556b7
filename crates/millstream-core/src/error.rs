//! What can go wrong while a batch is described or run.

use std::fmt;
use std::sync::Arc;

use crate::ids::JobId;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error of a user's closure or of a library under us.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Why a batch could not be described or run.
///
/// Errors are cheap to clone, because one failed job may be reported to several waiters.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is unknown or has a value that can not be used.
    #[error("setting `{key}`: {problem}; {remedy}")]
    Setting {
        /// The key as it was given.
        key: String,
        /// What is wrong, with the value.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// An argument of an operator can not be used.
    #[error("{operator}: {problem}; {remedy}")]
    Argument {
        /// The method that was called, with the place of the call.
        operator: String,
        /// What is wrong, with the value.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// A task failed as often as it may, so its job did.
    #[error(transparent)]
    JobFailed(Arc<JobFailure>),
    /// The job was cancelled before it ended.
    #[error("job {job} was cancelled: {reason}")]
    Cancelled {
        /// The job.
        job: JobId,
        /// Who asked, and why.
        reason: String,
    },
    /// The context was stopped before or while the job ran.
    #[error("the context is stopped; make a new `Context`, or run the job before `stop`")]
    Stopped,
    /// An action was called inside a task.
    #[error(
        "{operator} was called inside a task: an RDD can only be used on the driver; \
         collect what the task needs first, or join the two RDDs"
    )]
    NestedJob {
        /// The action, with the place of the call.
        operator: String,
    },
    /// A closure that may have to travel to another process captures variables.
    #[error(
        "the closure of {operator} captures {bytes} bytes of variables, so it can not travel to another process; \
         pass them along instead: `{remedy}` (or set millstream.closures.strict=false to run in one process only)"
    )]
    CapturingClosure {
        /// The operator, with the place of the call.
        operator: String,
        /// How much the closure holds.
        bytes: usize,
        /// The form to write.
        remedy: String,
    },
    /// A user's closure returned an error.
    #[error("{0}")]
    User(Cause),
    /// A pool of connections or the like could not give one.
    #[error("{pool}, for {key}: {problem}; {remedy}")]
    Pool {
        /// The pool, with the place of its definition.
        pool: String,
        /// What was asked for.
        key: String,
        /// Why there is none.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// A file or a socket could not be used.
    #[error("{what}: {source}")]
    Io {
        /// What was being done to which file or address.
        what: String,
        /// The operating system's answer.
        source: Arc<std::io::Error>,
    },
    /// Bytes could not be turned into records, or records into bytes.
    #[error("{what}: {problem}")]
    Codec {
        /// The type or the block.
        what: String,
        /// What the codec said.
        problem: String,
    },
    /// A cached partition was freed after the job had been planned around it; the job is planned again.
    #[doc(hidden)]
    #[error(
        "a cached partition was freed while a job needed it; do not call `unpersist` before the job has ended"
    )]
    Freed,
    /// A thread of the engine died in a place where it must not.
    #[error("the engine is broken ({what}); this is a defect of Millstream: stop the program and restart it")]
    Poisoned {
        /// The part that died.
        what: String,
    },
}

/// Reads like the message: it is what a program whose `main` returns an error shows its user.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// Wraps an error of the operating system with what was being done.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Error;
    ///
    /// let error = std::fs::read("/no/such/file").map_err(|error| Error::io("reading the list", error));
    /// assert!(error.is_err_and(|error| error.to_string().starts_with("reading the list")));
    /// ```
    pub fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Error::Io { what: what.into(), source: Arc::new(source) }
    }

    /// Wraps any error of a user's closure.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Error;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let lines = context.parallelize(["x".to_owned()], 1);
    /// let result = lines.foreach(|line| line.parse::<i32>().map(drop).map_err(Error::user));
    /// assert!(result.is_err_and(|error| error.to_string().contains("invalid digit")));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn user(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::User(Arc::from(cause.into()))
    }

    pub(crate) fn poisoned(what: impl Into<String>) -> Self {
        Error::Poisoned { what: what.into() }
    }
}

/// The last failure of the task that made its job fail.
#[derive(Debug)]
#[non_exhaustive]
pub struct JobFailure {
    /// The job.
    pub job: JobId,
    /// The operator whose closure or source failed, e.g. `map at src/main.rs:12:8`.
    pub operator: String,
    /// The partition on which it failed.
    pub partition: usize,
    /// How many attempts there were.
    pub attempts: u32,
    /// The batch, if the job belongs to a stream, e.g. `1700000000000 ms`.
    pub batch: Option<String>,
    /// What the last attempt died of.
    pub cause: Error,
}

impl fmt::Display for JobFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {} failed: {} on partition {}", self.job, self.operator, self.partition)?;
        if let Some(batch) = &self.batch {
            write!(f, " of batch {batch}")?;
        }
        let times = if self.attempts == 1 { "attempt" } else { "attempts" };
        write!(f, ", after {} {times}: {}", self.attempts, self.cause)
    }
}

impl std::error::Error for JobFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}
