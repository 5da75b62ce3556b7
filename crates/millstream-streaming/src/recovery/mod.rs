//! What survives the death of the program: the log of what was received, and checkpoints.

pub(crate) mod checkpoint;
pub(crate) mod failpoint;
pub(crate) mod write_ahead_log;
