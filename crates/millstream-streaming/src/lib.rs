//! The stream engine of Millstream: batches cut from streams, and how they are run.
//!
//! This crate knows time; it knows no third-party system. Read it in this order:
//!
//! | module | what is in it |
//! |---|---|
//! | [`StreamingContext`], [`RunningContext`] | describing streams, running them |
//! | [`DStream`] | the operators, one file each under `dstream/`; outputs under `output/`, sources under `source/` |
//! | [`time`], [`clock`] | batch times; the system's clock and one that is moved by hand |
//! | `graph` | what reads what, and what is remembered |
//! | `scheduler` | when batches are cut, in which order they run, which block belongs to which |
//! | [`receiver`] | how records come in: receivers, blocks, limits |
//! | [`rate`] | how fast they may come in |
//! | [`listener`] | what a page, a metric or a test may observe |
//! | [`testing`] | three-table tests of programs on streams |
//!
//! # Examples
//! ```
//! use millstream_core::text::words;
//! use millstream_streaming::testing::{batches, check_unordered};
//!
//! check_unordered(
//!     batches![["to be or not".to_owned(), "to be".to_owned()], []],
//!     |lines| {
//!         let words = lines.flat_map_into(|line, out| out.extend(words(line)));
//!         words.map(|word| (word, 1)).reduce_by_key(|a, b| a + b)
//!     },
//!     batches![[("be".into(), 2), ("not".into(), 1), ("or".into(), 1), ("to".into(), 2)], []],
//! );
//! ```

pub mod clock;
mod context;
mod dstream;
mod error;
pub mod executor;
mod graph;
pub mod listener;
mod output;
pub mod rate;
pub mod receiver;
mod recovery;
mod recurring_timer;
mod running;
mod scheduler;
mod shutdown;
mod source;
mod state;
pub mod testing;
pub mod time;

/// Checkpoint directories, looked at from outside.
pub mod checkpoints {
    pub use crate::recovery::{Verified, explain, request_savepoint, verify};
}

pub use context::{IntoContext, StreamingContext};
pub use dstream::pairs::map_with_state::{MapWithStateDStream, State, StateSpec};
pub use dstream::pairs::update_state_by_key::UpdateOptions;
pub use dstream::transform::IntoRdd;
pub use dstream::windows::WindowKeys;
pub use dstream::{DStream, JoinSide, Streams};
pub use error::{Error, Result};
pub use output::{FailedOutput, OutputHandle, SaveOptions};
pub use receiver::{Receiver, ReceiverHandle, StreamId};
pub use running::{RunningContext, StopHandle, StreamingContextState};
pub use source::{DirectSource, FileChoice, FileChoices, FileStreamOptions, RddQueue};
pub use time::{Interval, Time};
