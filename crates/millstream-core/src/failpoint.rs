//! Places where a test lets the program die, to prove that it goes on as if it had not.
//!
//! With the feature `failpoints` a program that finds `MILLSTREAM_FAILPOINT=name:n` in its environment dies by SIGKILL when it
//! comes to the place `name` for the n-th time. Without the feature a place costs nothing.

/// The places: before and after each write, fsync, rename, commit and deletion of what a program relies on after its death.
///
/// Of each kind the name is that of what is written: `log` a record, `segment` the head of a file of the log, `state` a data
/// file, `inputs` one of them that tells of what batches were made, `checkpoint` a manifest, `sink` a partition in files,
/// `database` one in tables, `part` a file of a saved directory that has no name yet, `save` its name, `success` the file that says that
/// the directory is complete, `file` any file that is published. `checkpoint-half-cleaned` is after the manifest and before its
/// data, `savepoint-half-adopted` after the states and before the blocks.
pub const NAMES: &[&str] = &[
    "lease-before-write",
    "lease-after-write",
    "sweep-before-delete",
    "sweep-after-delete",
    "log-before-write",
    "log-after-write",
    "log-after-fsync",
    "segment-before-write",
    "segment-after-write",
    "batch-before-submit",
    "inputs-before-write",
    "inputs-after-write",
    "checkpoint-before-write",
    "checkpoint-before-publish",
    "checkpoint-after-publish",
    "sink-before-commit",
    "sink-after-commit",
    "database-before-commit",
    "database-after-commit",
    "part-before-write",
    "part-after-write",
    "save-before-rename",
    "save-after-rename",
    "success-before-write",
    "success-after-write",
    "batch-after-jobs",
    "state-before-write",
    "state-before-publish",
    "state-after-publish",
    "file-after-fsync",
    "file-after-rename",
    "checkpoint-before-clean",
    "checkpoint-half-cleaned",
    "checkpoint-after-clean",
    "log-before-clean",
    "log-after-clean",
    "savepoint-before-write",
    "savepoint-after-states",
    "savepoint-after-blocks",
    "savepoint-before-publish",
    "savepoint-after-publish",
    "savepoint-before-answer",
    "savepoint-after-answer",
    "savepoint-before-adopt",
    "savepoint-half-adopted",
    "savepoint-after-adopt",
];

/// Ends the program here if it was asked to.
#[cfg(feature = "failpoints")]
pub fn reach(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static ASKED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static TIMES: AtomicU64 = AtomicU64::new(0);
    let asked = ASKED.get_or_init(|| {
        let text = std::env::var("MILLSTREAM_FAILPOINT").ok()?;
        let (name, times) = text.split_once(':')?;
        Some((name.to_owned(), times.parse().ok()?))
    });
    if let Some((asked, times)) = asked
        && asked == name
        && TIMES.fetch_add(1, Ordering::SeqCst) + 1 == *times
    {
        // As `kill -9` does, and nothing can be done meanwhile.
        let _ = signal_hook::low_level::raise(signal_hook::consts::SIGKILL);
        std::process::abort();
    }
}

/// Ends the program here if it was asked to; this build can not be asked.
#[cfg(not(feature = "failpoints"))]
pub fn reach(_: &str) {}
