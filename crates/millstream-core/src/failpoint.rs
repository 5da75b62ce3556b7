//! Places where a test lets the program die, to prove that it goes on as if it had not.
//!
//! With the feature `failpoints` a program that finds `MILLSTREAM_FAILPOINT=name:n` in its environment ends without any
//! clean-up when it comes to the place `name` for the n-th time. Without the feature a place costs nothing.

/// The places, in the order in which a batch comes to them.
pub const NAMES: &[&str] = &[
    "log-before-write",
    "log-after-write",
    "log-after-fsync",
    "batch-before-submit",
    "checkpoint-before-write",
    "checkpoint-before-publish",
    "checkpoint-after-publish",
    "sink-before-commit",
    "sink-after-commit",
    "batch-after-jobs",
    "state-before-write",
    "state-before-publish",
    "state-after-publish",
    "checkpoint-before-clean",
    "checkpoint-after-clean",
    "log-before-clean",
    "log-after-clean",
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
        std::process::abort();
    }
}

/// Ends the program here if it was asked to; this build can not be asked.
#[cfg(not(feature = "failpoints"))]
pub fn reach(_: &str) {}
