//! Wrappers and programs that hold Millstream against what can go wrong.
//!
//! | module | what is in it |
//! |---|---|
//! | [`file_system_suite`] | what every file system must do |
//! | [`process_executor`] | an executor whose tasks run in child processes of the same program |
//! | `src/bin/kill/` | a pipeline with all that is kept, which is killed at every place where something is written, and must leave what it leaves undisturbed; with the feature `kill` |
//! | `src/bin/soak.rs` | a word count over a real socket at full speed, that measures itself |

pub mod file_system_suite;
pub mod process_executor;

pub use process_executor::ProcessExecutor;
