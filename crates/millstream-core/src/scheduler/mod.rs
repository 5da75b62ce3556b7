//! How a job runs: stages cut at shuffles, tasks handed to an executor.
//!
//! | step | file |
//! |---|---|
//! | lineage -> stages | `stage` |
//! | events -> actions, no I/O | `state` |
//! | which task is next when a slot is free | `queue`, `allocation` (its pools) |
//! | the door: runs jobs, performs the actions | `engine` |
//! | what an executor is handed, and what comes back | `task`, `action` |
//! | who runs jobs and does tasks meanwhile | `job_thread` |
//! | where tasks run | `executor` (the contract), `local` (threads), `faulty` (threads that lose results) |
//! | a task as bytes, for another process | `description`, `serve` |

pub(crate) mod action;
pub(crate) mod allocation;
pub mod description;
pub(crate) mod engine;
pub mod executor;
pub mod faulty;
pub(crate) mod future_action;
pub mod job_thread;
pub mod local;
pub(crate) mod panics;
pub(crate) mod properties;
mod queue;
pub mod serve;
pub(crate) mod stage;
pub(crate) mod state;
pub mod task;
