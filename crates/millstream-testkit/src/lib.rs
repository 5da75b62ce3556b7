//! What tests of several crates share.
//!
//! | module | what is in it |
//! |---|---|
//! | [`process_executor`] | an executor whose tasks run in other processes of the same program |

pub mod process_executor;

pub use process_executor::ProcessExecutor;
